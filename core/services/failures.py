"""Failed generations as an analyst reads them."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.domain.error_report import FailureMaterial, build_report
from core.domain.results import FailureCursor, FailureFilters, FailurePage, FailureStatistics
from core.errors import NotFound
from core.ports import FailureStore

PAGE_SIZE = 25
ANY_FAILURE = FailureFilters()


@dataclass(frozen=True, kw_only=True)
class FailedGenerationService:
    """Gets, lists, counts and downloads failed generations."""

    store: FailureStore

    def get(self, failure_id: UUID) -> FailureMaterial:
        """Return a failure whole: row, attempts, scaffolding; raise NotFound."""
        material = self.store.describe(failure_id)
        if material is None:
            raise NotFound(f"There is no failed generation {failure_id}, or it is not yours.")
        return material

    def list_page(
        self, filters: FailureFilters = ANY_FAILURE, *, page_size: int = PAGE_SIZE, after: FailureCursor | None = None
    ) -> FailurePage:
        """Return a page, newest first, after the row that `after` names."""
        return self.store.list_page(filters, page_size, after)

    def count(self, filters: FailureFilters = ANY_FAILURE) -> FailureStatistics:
        """Return counts over everything that matches, computed in the database."""
        return self.store.count(filters)

    def get_report(self, failure_id: UUID) -> dict[str, Any]:
        """Return the RAW error report: the stored file, or, where it is not uploaded yet, the same made afresh."""
        material = self.get(failure_id)
        path = material.failure.get("raw_file_path")
        stored = None if path is None else self.store.download(path)
        return build_report(material) if stored is None else dict(json.loads(stored))
