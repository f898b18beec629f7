"""Puts right what was lost: leases of dead workers, and doorbells that nobody heard."""

from dataclasses import dataclass

import structlog

from core.errors import ServiceUnavailable
from core.ports import JobQueue, NoticeBoard, Pulse, Reconciler, Spool
from core.services.fingerprints import FingerprintService
from core.services.reports import ReportService

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 5.0


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
        self._replay()
        rung = self._ring()
        self.reports.upload_missing()
        self.fingerprints.mark_missing()
        self.pulse.beat()
        self._tell_what_waits()
        return rung

    def _replay(self) -> None:
        try:
            self.spool.replay()
        except ServiceUnavailable as error:
            log.warning("spool_waits", error=str(error))
        except OSError as error:
            log.warning("spool_unreadable", error=str(error))

    def _tell_what_waits(self) -> None:
        try:
            stuck = self.spool.count_stuck()
        except OSError as error:
            log.warning("spool_unreadable", error=str(error))
        else:
            self.notices.note_stuck_results(self.host, stuck)

    def _ring(self) -> int:
        try:
            batch_ids = self.reconciler.reconcile()
            for batch_id in batch_ids:
                self.queue.ring(batch_id)
        except ServiceUnavailable as error:
            log.warning("reconcile_waits", error=str(error))
            return 0
        return len(batch_ids)
