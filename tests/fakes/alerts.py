"""The worker's side of alerts: facts and unsent alerts as a test scripts them, and what was saved and sent."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID, uuid4

from core.domain.diagnosis.alerts import AlertEvaluation, AlertFacts, RaisedAlert, StoredAlert
from core.errors import DatabaseUnavailable

QUIET = AlertFacts(now=datetime(2026, 11, 22, 12, tzinfo=UTC))


@dataclass(kw_only=True)
class ScriptedAlertRecorder:
    """Implements AlertRecorder."""

    facts: AlertFacts = QUIET
    is_due: bool = True
    is_away: bool = False
    unsent: tuple[StoredAlert, ...] = ()
    begun: list[bool] = field(default_factory=list[bool])
    """For each evaluation whether there was a webhook."""
    saved: list[tuple[RaisedAlert, ...]] = field(default_factory=list[tuple[RaisedAlert, ...]])
    settled: list[tuple[UUID, bool]] = field(default_factory=list[tuple[UUID, bool]])

    def begin(self, least_seconds: float, *, has_webhook: bool) -> AlertEvaluation | None:
        self.begun.append(has_webhook)
        return AlertEvaluation(id=uuid4(), facts=self.facts) if self.is_due else None

    def save(self, evaluation_id: UUID, alerts: Sequence[RaisedAlert]) -> bool:
        if self.is_away:
            raise DatabaseUnavailable("Gone.")
        self.saved.append(tuple(alerts))
        return True

    def claim_unsent(self, most: int) -> tuple[StoredAlert, ...]:
        return self.unsent[:most]

    def settle(self, alert_id: UUID, *, was_sent: bool) -> None:
        self.settled.append((alert_id, was_sent))
