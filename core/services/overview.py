"""Totals of all batches, and what somebody should look at."""

from dataclasses import dataclass
from datetime import datetime

from core.domain.alerts import Alert, AlertFacts, find_alerts
from core.domain.health import Health, Part
from core.domain.overview import Overview
from core.ports import OverviewStore


@dataclass(frozen=True, kw_only=True)
class OverviewService:
    """Reads the totals and finds the alerts."""

    store: OverviewStore
    storage_limit_bytes: int

    def read(self) -> Overview:
        """Return the totals of everything that the analyst made."""
        return self.store.read()

    def find_alerts(self, overview: Overview, health: Health, *, now: datetime) -> tuple[Alert, ...]:
        """Return what somebody should look at, the most urgent first."""
        return find_alerts(
            AlertFacts(
                now=now,
                judged=overview.recent_judged,
                failed=overview.recent_failed,
                patterns=overview.patterns,
                first_batch_at=overview.first_batch_at,
                storage_bytes=None if health.storage is None else health.storage.bytes,
                storage_limit_bytes=self.storage_limit_bytes,
                parts=tuple(part for part in health.parts if part.part is not Part.WORKERS),
                workers_alive=None if health.queue is None else health.queue.count_alive(now),
                open_items=overview.open_items,
            )
        )
