"""Posts alerts to a webhook, in a form that chat services such as Slack show as it is. Its address is a secret."""

from dataclasses import dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from core.certificates import load_authorities
from core.domain.diagnosis.alerts import StoredAlert
from core.errors import WebhookUnavailable

TIMEOUT_SECONDS = 5.0
_ADVICE = "It will be sent again. Check BRIGHTRUN_ALERT_WEBHOOK_URL if this continues."


@dataclass(frozen=True, kw_only=True)
class AlertWebhook:
    """Implements AlertSender. Redirects are not followed: only the configured address may learn of alerts."""

    url: SecretStr
    timeout_seconds: float = TIMEOUT_SECONDS

    def send(self, alert: StoredAlert) -> None:
        try:
            answer = httpx.post(
                self.url.get_secret_value(),
                json=make_payload(alert),
                timeout=self.timeout_seconds,
                follow_redirects=False,
                verify=load_authorities(),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # Only its name, and no cause: messages of httpx may contain the address.
            message = f"The alert webhook does not answer ({type(error).__name__}). {_ADVICE}"
            raise WebhookUnavailable(message) from None
        if not answer.is_success:
            raise WebhookUnavailable(f"The alert webhook answered with HTTP status {answer.status_code}. {_ADVICE}")


def make_payload(alert: StoredAlert) -> dict[str, Any]:
    """Return the body of the request; `text` is what chat services show."""
    kept = alert.model_dump(mode="json", include={"rule", "severity", "message", "advice", "figures", "created_at"})
    return kept | {"text": f"[{alert.severity.value}] {alert.message} {alert.advice}"}
