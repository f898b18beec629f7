"""Restores what was lost: leases of dead workers, and jobs that never reached one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from core.errors import ServiceUnavailable
from core.ports.work import JobQueue, NoticeBoard, Pulse, Reconciler, Spool
from core.services.fingerprints import FingerprintService
from core.services.reports import ReportService
from core.services.retention import RetentionService
from core.services.waiting_replies import WaitingRepliesService

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
    waiting: WaitingRepliesService
    retention: RetentionService
    host: str
    """Where the spool is."""

    def run_once(self) -> int:
        """Record replies that wait on disk, enqueue orphaned batches, write missing reports and fingerprints.

        Notes which replies on disk wait or need a person, and forgets old bodies. Returns how many batches were enqueued. A
        part that does not answer is tried in the next round.
        """
        # First the paid replies: an item whose reply waits on disk must not be leased and paid for again.
        _attempt(self.spool.replay)
        enqueued = _attempt(self._enqueue)
        _attempt(self.reports.upload_missing)
        _attempt(self.fingerprints.mark_missing)
        _attempt(self._tell_what_waits)
        _attempt(self.waiting.tell)
        _attempt(self.retention.drop_old_replies)
        self.pulse.beat()
        return enqueued or 0

    def _enqueue(self) -> int:
        waiting = self.reconciler.reconcile()
        for batch in waiting:
            self.queue.enqueue(batch.batch_id, batch.jobs)
        return len(waiting)

    def _tell_what_waits(self) -> None:
        self.notices.note_stuck_results(self.host, self.spool.count_stuck())


def _attempt(step: Callable[[], Result]) -> Result | None:
    """Take one step of a round; if it fails, the others still run, and all run again next time."""
    try:
        return step()
    except (ServiceUnavailable, OSError) as error:
        log.warning("reconcile_waits", step=step.__name__, error=str(error))
    except Exception:
        log.exception("reconcile_step_failed", step=step.__name__)
    return None
