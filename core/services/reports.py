"""RAW error reports: uploaded after their failure is safe in the database, and retried until it works."""

import json
from dataclasses import dataclass
from uuid import UUID

import structlog

from core.domain.diagnosis.error_report import build_report, report_path
from core.errors import DatabaseRejected, ServiceUnavailable
from core.ports.results import ReportStore

log = structlog.get_logger(__name__)

GROUP = 50


@dataclass(frozen=True, kw_only=True)
class ReportService:
    """Uploads missing reports. Nothing waits for it: the row of a failure has its whole diagnosis."""

    store: ReportStore

    def upload_missing(self) -> int:
        """Upload the oldest missing reports; return how many. A failed upload is retried in the next call."""
        try:
            missing = self.store.list_missing(GROUP)
            return sum(self._upload(failure_id) for failure_id in missing)
        except ServiceUnavailable as error:
            log.warning("reports_wait", error=str(error))
            return 0

    def _upload(self, failure_id: UUID) -> bool:
        material = self.store.describe(failure_id)
        if material is None:
            return False  # deleted in the meantime
        report = json.dumps(build_report(material), indent=2, ensure_ascii=False).encode("utf-8")
        try:
            self.store.upload(failure_id, report_path(failure_id, material.failure.created_at), report)
        except DatabaseRejected as error:
            log.warning("report_not_stored", failed_generation_id=str(failure_id), error=str(error))
            return False
        return True
