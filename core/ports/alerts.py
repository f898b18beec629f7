"""Alerts: kept, raised and sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from core.domain.diagnosis.alerts import AlertBoard, AlertEvaluation, RaisedAlert, StoredAlert


class AlertStore(Protocol):
    """Alerts as the signed-in analyst sees them: their own and those of the installation."""

    def read(self) -> AlertBoard: ...

    def acknowledge(self, alert_id: UUID, *, is_seen: bool) -> None:
        """Mark an open alert as seen, or undo that: it stays away while its condition lasts, unless that gets worse.

        Raises NotFound where there is no such open alert, or it is someone else's.
        """
        ...


class AlertRecorder(Protocol):
    """The worker's side of alerts, with the service role's rights."""

    def begin(self, least_seconds: float, *, has_webhook: bool) -> AlertEvaluation | None:
        """Return the facts to the first who asks `least_seconds` after the last evaluation, None to all others."""
        ...

    def save(self, evaluation_id: UUID, alerts: Sequence[RaisedAlert]) -> bool:
        """Open, update and resolve, so that exactly these are open; False if a newer evaluation has begun."""
        ...

    def claim_unsent(self, most: int) -> tuple[StoredAlert, ...]:
        """Return open alerts that were not sent, the most urgent first; for a while nobody else gets them."""
        ...

    def settle(self, alert_id: UUID, *, was_sent: bool) -> None:
        """Say how the sending of a claimed alert went."""
        ...


class AlertSender(Protocol):
    """Notifies people outside of the pages."""

    def send(self, alert: StoredAlert) -> None:
        """Send one alert; raises WebhookUnavailable."""
        ...
