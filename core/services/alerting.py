"""Evaluates the rules beside the worker, keeps what they raise, and tells those who are not at a page."""

from dataclasses import dataclass

import structlog

from core.domain.diagnosis.alerts import find_alerts
from core.errors import DatabaseRejected, ServiceUnavailable
from core.ports import AlertRecorder, AlertSender, NoticeBoard

log = structlog.get_logger(__name__)

EVALUATE_EVERY_SECONDS = 55.0
LOOK_EVERY_SECONDS = 15.0
"""Each worker asks this often whether an evaluation is due, so that one that dies is soon stood in for."""
MOST_WEBHOOKS = 10
"""Of one evaluation: what could be sent within the time that a claim holds."""


@dataclass(frozen=True, kw_only=True)
class AlertingService:
    """Of all workers at most one evaluates at a time."""

    recorder: AlertRecorder
    notices: NoticeBoard
    storage_limit_bytes: int
    sender: AlertSender | None = None

    def evaluate(self) -> bool:
        """Evaluate if it is due, and say whether it was. A part that is away is tried next time."""
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
                except ServiceUnavailable as error:  # The others would wait for it as long; all are tried next time.
                    is_reached = False
                    log.warning("alert_not_sent", alert_id=str(alert.id), error=str(error))
            self.recorder.settle(alert.id, was_sent=is_reached)
