"""Failed generations as an analyst reads them."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.domain.batches.result_options import ResultOptions
from core.domain.batches.results import FailureFilters, FailureRow, FailureStatistics
from core.domain.diagnosis.error_report import FailureMaterial, build_report
from core.domain.paging import Direction, Page, RowCursor, RowPlace, needs_first_page
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
            raise NotFound.of("failed generation", failure_id)
        return material

    def list_page(
        self,
        filters: FailureFilters = ANY_FAILURE,
        *,
        page_size: int = PAGE_SIZE,
        cursor: RowCursor | None = None,
        direction: Direction = Direction.OLDER,
    ) -> Page[FailureRow]:
        """Return a page, newest first, on one side of a cursor; the first page where there is less than a page left."""
        page = self.store.list_page(filters, page_size, cursor, direction)
        return self.store.list_page(filters, page_size, None) if needs_first_page(page, page_size, direction) else page

    def count(self, filters: FailureFilters = ANY_FAILURE) -> FailureStatistics:
        """Return counts over everything that matches, computed in the database."""
        return self.store.count(filters)

    def find_place(self, failure_id: UUID, filters: FailureFilters = ANY_FAILURE) -> RowPlace:
        """Return the neighbours of a failure among the filtered ones."""
        return self.store.find_place(filters, failure_id)

    def list_options(self) -> ResultOptions:
        """Return what failures can be filtered by."""
        return self.store.list_options()

    def get_report(self, failure_id: UUID) -> dict[str, Any]:
        """Return the RAW error report: the stored file, or, where it is not uploaded yet, the same made now."""
        material = self.get(failure_id)
        path = material.failure.raw_file_path
        stored = None if path is None else self.store.download(path)
        return build_report(material) if stored is None else dict(json.loads(stored))
