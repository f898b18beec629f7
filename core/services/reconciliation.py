"""Puts right what was lost: leases of dead workers, and doorbells that nobody heard."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from core.errors import ServiceUnavailable
from core.ports import JobQueue, NoticeBoard, Pulse, Reconciler, Spool
from core.services.fingerprints import FingerprintService
from core.services.reports import ReportService

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 5.0
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class ReconciliationService:
    """Anything in the queue can be lost at any time; this makes it harmless."""

    reconciler: Reconciler
    queue: JobQueue
    reports: ReportService
    fingerprints: FingerprintService
    spool: Spool
    pulse: Pulse
    notices: NoticeBoard
    host: str
    """Where the spool is."""

    def run_once(self) -> int:
        """Record what waits on disk, ring for every open batch with an item to lease, write what is missing.

        That is reports and fingerprints. Says what of it somebody has to look at. Returns for how many batches it rang. A
        part that is away is tried next time.
        """
        # First the paid replies: an item whose reply waits on disk must not be leased and paid for again.
        _attempt(self.spool.replay)
        rung = _attempt(self._ring)
        _attempt(self.reports.upload_missing)
        _attempt(self.fingerprints.mark_missing)
        _attempt(self._tell_what_waits)
        self.pulse.beat()
        return rung or 0

    def _ring(self) -> int:
        batch_ids = self.reconciler.reconcile()
        for batch_id in batch_ids:
            self.queue.ring(batch_id)
        return len(batch_ids)

    def _tell_what_waits(self) -> None:
        self.notices.note_stuck_results(self.host, self.spool.count_stuck())


def _attempt(step: Callable[[], Result]) -> Result | None:
    """Take one step of a round; whatever goes wrong with it, the others are taken, and all of them again next time."""
    try:
        return step()
    except (ServiceUnavailable, OSError) as error:
        log.warning("reconcile_waits", step=step.__name__, error=str(error))
    except Exception:
        log.exception("reconcile_step_failed", step=step.__name__)
    return None
