"""Fingerprints for failures that an older worker recorded without one."""

from dataclasses import dataclass

import structlog

from core.domain.diagnosis.fingerprint import fingerprint_failure
from core.errors import DatabaseRejected, ServiceUnavailable
from core.ports.diagnosis import FingerprintStore

log = structlog.get_logger(__name__)

GROUP = 200


@dataclass(frozen=True, kw_only=True)
class FingerprintService:
    """Adds missing fingerprints; existing ones stay."""

    store: FingerprintStore

    def mark_missing(self) -> int:
        """Mark the oldest unmarked failures, a group at a time; return how many. Errors are retried in the next call."""
        try:
            failures = self.store.list_unmarked(GROUP)
            if failures:
                self.store.mark({each.id: fingerprint_failure(**each.model_dump(exclude={"id"})) for each in failures})
        except (ServiceUnavailable, DatabaseRejected) as error:
            log.warning("fingerprints_wait", error=str(error))
            return 0
        return len(failures)
