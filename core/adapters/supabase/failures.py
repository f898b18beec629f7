"""Failed generations and their RAW error reports."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter
from storage3.exceptions import StorageApiError
from supabase import Client

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.functions import call_function
from core.adapters.supabase.reading import dump_filters, read_options, read_page, read_record
from core.adapters.supabase.session import Analyst
from core.domain.batches.result_options import ResultOptions
from core.domain.batches.results import ANY_FAILURE, FailureFilters, FailureRow, FailureStatistics
from core.domain.diagnosis.error_report import FailureMaterial
from core.domain.paging import PAGE_SIZE, Direction, Page, RowCursor, RowPlace
from core.errors import NotFound

BUCKET = "failed-generation-files"
DELETE_GROUP = 500


@dataclass(frozen=True, kw_only=True)
class SupabaseFailureStore:
    """Reads with the analyst's rights."""

    analyst: Analyst

    def get(self, failure_id: UUID) -> FailureMaterial:
        material = _describe(self.analyst.client, failure_id)
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
        return read_page(
            self.analyst.client,
            "list_failed_generations",
            FailureRow,
            "failed generation",
            notes=self.analyst.unreadable,
            filters=filters,
            page_size=page_size,
            cursor=cursor,
            direction=direction,
        )

    def count(self, filters: FailureFilters = ANY_FAILURE) -> FailureStatistics:
        answer = call_function(self.analyst.client, "count_failed_generations", filters=dump_filters(filters))
        return FailureStatistics.model_validate(answer)

    def find_place(self, failure_id: UUID, filters: FailureFilters = ANY_FAILURE) -> RowPlace:
        answer = call_function(
            self.analyst.client, "find_failure_place", filters=dump_filters(filters), failure_id=str(failure_id)
        )
        return RowPlace.model_validate(answer)

    def list_options(self) -> ResultOptions:
        return read_options(self.analyst.client, self.analyst.unreadable)

    def download(self, path: str) -> bytes | None:
        with translate_errors():
            try:
                return self.analyst.client.storage.from_(BUCKET).download(path)
            except StorageApiError as error:
                if str(error.status) in ("400", "404"):
                    return None
                raise


@dataclass(frozen=True, kw_only=True)
class SupabaseReportStore:
    """Writes reports with the service role's rights."""

    client: Client

    def list_missing(self, limit: int) -> tuple[UUID, ...]:
        return TypeAdapter(tuple[UUID, ...]).validate_python(
            call_function(self.client, "list_missing_reports", max_rows=limit)
        )

    def describe(self, failure_id: UUID) -> FailureMaterial | None:
        return _describe(self.client, failure_id)

    def upload(self, failure_id: UUID, path: str, report: bytes) -> None:
        with translate_errors():
            options = {"content-type": "application/json", "upsert": "true"}
            self.client.storage.from_(BUCKET).upload(path, report, options)  # pyright: ignore[reportArgumentType]
        call_function(self.client, "set_report_path", failure_id=str(failure_id), path=path)

    def delete_older_than(self, moment: datetime) -> int:
        total = 0
        while True:
            group = call_function(self.client, "list_old_failures", older_than=moment.isoformat(), max_rows=DELETE_GROUP)
            # Files first: a file whose row is gone would never be found again.
            if paths := [failure["raw_file_path"] for failure in group if failure["raw_file_path"] is not None]:
                with translate_errors():
                    self.client.storage.from_(BUCKET).remove(paths)
            total += call_function(self.client, "delete_failures", failure_ids=[failure["id"] for failure in group])
            if len(group) < DELETE_GROUP:
                return total


def _describe(client: Client, failure_id: UUID) -> FailureMaterial | None:
    answer = call_function(client, "describe_failure", failure_id=str(failure_id))
    return None if answer is None else read_record(FailureMaterial, answer, "failed generation")
