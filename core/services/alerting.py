"""Evaluates the alert rules beside the worker, stores the alerts and posts them to the webhook."""

from dataclasses import dataclass

import structlog

from core.domain.diagnosis.alerts import find_alerts
from core.errors import DatabaseRejected, ServiceUnavailable
from core.ports.alerts import AlertRecorder, AlertSender
from core.ports.work import NoticeBoard

log = structlog.get_logger(__name__)

EVALUATE_EVERY_SECONDS = 55.0
LOOK_EVERY_SECONDS = 15.0
"""How often each worker asks whether an evaluation is due, so that another takes over soon if one dies."""
MOST_WEBHOOKS = 10
"""The most alerts that one evaluation sends: as many as fit into the time of a claim."""


@dataclass(frozen=True, kw_only=True)
class AlertingService:
    """At most one worker evaluates at a time."""

    recorder: AlertRecorder
    notices: NoticeBoard
    storage_limit_bytes: int
    sender: AlertSender | None = None

    def evaluate(self) -> bool:
        """Evaluate if it is due, and say whether it was. A part that does not answer is tried next time."""
        try:
            evaluation = self.recorder.begin(EVALUATE_EVERY_SECONDS, has_webhook=self.sender is not None)
            if evaluation is None:
                return False
            facts = evaluation.facts.model_copy(update={"notices": self.notices.read()})
            alerts = find_alerts(facts, storage_limit_bytes=self.storage_limit_bytes)
            if not self.recorder.save(evaluation.id, alerts):
                log.warning("alerts_came_late")
            if self.sender is not None:
                self._send(self.sender)
        except (ServiceUnavailable, DatabaseRejected) as error:
            log.warning("alerts_wait", error=str(error))
            return False
        return True

    def _send(self, sender: AlertSender) -> None:
        is_reached = True
        for alert in self.recorder.claim_unsent(MOST_WEBHOOKS):
            if is_reached:
                try:
                    sender.send(alert)
                except ServiceUnavailable as error:  # The others would wait as long; all are sent next time.
                    is_reached = False
                    log.warning("alert_not_sent", alert_id=str(alert.id), error=str(error))
            self.recorder.settle(alert.id, was_sent=is_reached)
