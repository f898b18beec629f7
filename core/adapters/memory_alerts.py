"""Alerts of the in-memory database, which has one analyst."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from core.adapters.memory import MemoryDatabase, MemoryItem, is_simulated
from core.domain.alerts import (
    AlertBoard,
    AlertEvaluation,
    AlertFacts,
    AlertSeverity,
    JudgedCount,
    OpenAlert,
    OwnerFacts,
    RaisedAlert,
    StoredAlert,
)
from core.domain.outcomes import QUARTER_SECONDS
from core.domain.overview import PatternSeen

_DAY, _WEEK = 96, 7 * 96  # in quarters of an hour, as outcomes are kept
_MOST_EARLIER = 100
_CLAIM = timedelta(minutes=2)


@dataclass(kw_only=True)
class MemoryAlertStore:
    """Implements AlertStore and AlertRecorder."""

    database: MemoryDatabase
    storage_bytes: int = 0
    alerts: dict[UUID, StoredAlert] = field(default_factory=dict[UUID, StoredAlert])
    claims: dict[UUID, datetime] = field(default_factory=dict[UUID, datetime])
    evaluation_id: UUID = field(default_factory=uuid4)
    begun_at: datetime | None = None
    evaluated_at: datetime | None = None
    has_webhook: bool = False

    def read(self) -> AlertBoard:
        since = self.database.clock() - timedelta(days=7)
        seen = [
            alert for alert in self.alerts.values() if alert.acknowledged_at is not None and alert.acknowledged_at >= since
        ]
        return AlertBoard(
            open=tuple(sorted((alert for alert in self._list_open() if alert.acknowledged_at is None), key=_rank_severity)),
            acknowledged=tuple(sorted(seen, key=lambda alert: str(alert.acknowledged_at), reverse=True)),
            open_items=sum(
                row.status in ("queued", "processing") and self.database.batches[row.batch_id].status.is_active
                for row in self.database.items.values()
            ),
            evaluated_at=self.evaluated_at,
            has_webhook=self.has_webhook,
        )

    def acknowledge(self, alert_id: UUID, *, is_seen: bool) -> bool:
        alert = self.alerts.get(alert_id)
        if alert is None or alert.resolved_at is not None:
            return False
        at = (alert.acknowledged_at or self.database.clock()) if is_seen else None
        self._change(alert, acknowledged_at=at, acknowledged_by_reader=is_seen)
        return True

    def begin(self, least_seconds: float, *, has_webhook: bool) -> AlertEvaluation | None:
        now = self.database.clock()
        if self.begun_at is not None and self.begun_at > now - timedelta(seconds=least_seconds):
            return None
        self.evaluation_id, self.begun_at, self.has_webhook = uuid4(), now, has_webhook
        return AlertEvaluation(id=self.evaluation_id, facts=self._count_facts(now))

    def save(self, evaluation_id: UUID, alerts: Sequence[RaisedAlert]) -> bool:
        if evaluation_id != self.evaluation_id:
            return False
        now = self.evaluated_at = self.database.clock()
        known = {_identify(alert): alert for alert in self._list_open()}
        for raised in alerts:
            self._keep(raised, known.pop(_identify(raised), None), now)
        for passed in known.values():
            self._change(passed, resolved_at=now)
        return True

    def claim_unsent(self, most: int) -> tuple[StoredAlert, ...]:
        now = self.database.clock()
        unsent = [
            alert
            for alert in self._list_open()
            if alert.acknowledged_at is None
            and alert.webhook_sent_at is None
            and (alert.id not in self.claims or self.claims[alert.id] < now - _CLAIM)
        ]
        claimed = tuple(sorted(unsent, key=_rank_severity)[:most])
        self.claims |= dict.fromkeys((alert.id for alert in claimed), now)
        return claimed

    def settle(self, alert_id: UUID, *, was_sent: bool) -> None:
        self.claims.pop(alert_id, None)
        self._change(self.alerts[alert_id], webhook_sent_at=self.database.clock() if was_sent else None)

    def _keep(self, raised: RaisedAlert, known: StoredAlert | None, now: datetime) -> None:
        changes: dict[str, object] = {**raised.model_dump(), "last_seen_at": now}
        if known is None:
            alert = StoredAlert.model_validate(changes | {"id": uuid4(), "created_at": now})
            self.alerts[alert.id] = alert
            return
        if _rank_severity(raised) < _rank_severity(known):
            changes |= {"acknowledged_at": None, "acknowledged_by_reader": False, "webhook_sent_at": None}
        else:
            changes["severity"] = known.severity
        self._change(known, **changes)

    def _change(self, alert: StoredAlert, **changes: object) -> None:
        self.alerts[alert.id] = alert.model_copy(update=changes)

    def _list_open(self) -> list[StoredAlert]:
        return [alert for alert in self.alerts.values() if alert.resolved_at is None]

    def _count_facts(self, now: datetime) -> AlertFacts:
        opened = (OpenAlert.model_validate(alert.model_dump()) for alert in self._list_open())
        owner = self._count_owner(now)
        return AlertFacts(
            now=now,
            owners=() if owner is None else (owner,),
            storage_bytes=self.storage_bytes,
            open=tuple(opened),
        )

    def _count_owner(self, now: datetime) -> OwnerFacts | None:
        own = [batch for batch in self.database.batches.values() if not batch.imported]
        if not own:
            return None
        this = _find_quarter(now)
        judged = [
            (this - _find_quarter(row.closed_at), row)
            for row in self.database.items.values()
            if row.status in ("completed", "failed") and row.closed_at is not None and row.imported is None
        ]
        recent = [(age, row) for age, row in judged if age < _DAY + _WEEK]
        simulated = bool(recent) and all(is_simulated(row) for _, row in recent)
        counted = [(age, row) for age, row in recent if is_simulated(row) == simulated]
        return OwnerFacts(
            created_by=self.database.user_id,
            first_batch_at=min(batch.created_at for batch in own),
            simulated=simulated,
            day=_count(row for age, row in counted if age < _DAY),
            week=_count(row for age, row in counted if age < _WEEK),
            week_before_day=_count(row for age, row in counted if age >= _DAY),
            earlier_judged=min(sum(age >= _DAY for age, _ in judged), _MOST_EARLIER),
            patterns=_find_new_patterns(judged, this),
        )


def _find_new_patterns(judged: Sequence[tuple[int, MemoryItem]], this_quarter: int) -> tuple[PatternSeen, ...]:
    oldest: dict[str, int] = {}
    for age, row in judged:
        if row.failure is not None and row.failure.failure.pattern is not None:
            pattern = str(row.failure.failure.pattern)
            oldest[pattern] = max(age, oldest.get(pattern, age))
    return tuple(
        PatternSeen(pattern=pattern, first_seen_at=datetime.fromtimestamp((this_quarter - age) * QUARTER_SECONDS, UTC))
        for pattern, age in oldest.items()
        if age < _DAY
    )


def _find_quarter(moment: datetime) -> int:
    return int(moment.timestamp() // QUARTER_SECONDS)


def _count(rows: Iterable[MemoryItem]) -> JudgedCount:
    failed = [row.status == "failed" for row in rows]
    return JudgedCount(judged=len(failed), failed=sum(failed))


def _identify(alert: RaisedAlert) -> tuple[str, str, UUID | None]:
    return alert.rule, alert.subject, alert.created_by


def _rank_severity(alert: RaisedAlert) -> int:
    return list(AlertSeverity).index(alert.severity)
