"""Fingerprints for failures that were recorded without one: by an older worker, or before there were any."""

from dataclasses import dataclass

import structlog

from core.domain.diagnosis.fingerprint import fingerprint_failure
from core.errors import DatabaseRejected, ServiceUnavailable
from core.ports import FingerprintStore

log = structlog.get_logger(__name__)

GROUP = 200


@dataclass(frozen=True, kw_only=True)
class FingerprintService:
    """Marks what is unmarked; a failure with a fingerprint is never touched."""

    store: FingerprintStore

    def mark_missing(self) -> int:
        """Mark the oldest unmarked failures, a group at a time; return how many. What fails is tried at the next call."""
        try:
            failures = self.store.list_unmarked(GROUP)
            if failures:
                self.store.mark({each.id: fingerprint_failure(**each.model_dump(exclude={"id"})) for each in failures})
        except (ServiceUnavailable, DatabaseRejected) as error:
            log.warning("fingerprints_wait", error=str(error))
            return 0
        return len(failures)
