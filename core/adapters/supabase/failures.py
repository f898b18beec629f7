"""Failed generations and their RAW error reports."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from storage3.exceptions import StorageApiError
from supabase import Client

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.session import Analyst
from core.domain.error_report import FailureMaterial
from core.domain.results import FailureCursor, FailureFilters, FailurePage, FailureRow, FailureStatistics

BUCKET = "failed-generation-files"
DELETE_GROUP = 500


@dataclass(frozen=True, kw_only=True)
class SupabaseFailureStore:
    """Reads with the analyst's rights."""

    analyst: Analyst

    def describe(self, failure_id: UUID) -> FailureMaterial | None:
        return _describe(self.analyst.client, failure_id)

    def list_page(self, filters: FailureFilters, page_size: int, after: FailureCursor | None) -> FailurePage:
        answer = _call(
            self.analyst.client,
            "list_failed_generations",
            filters=filters.model_dump(mode="json", exclude_none=True),
            # One row more than asked for tells whether there is a next page.
            page_size=page_size + 1,
            after_created_at=None if after is None else after.created_at.isoformat(),
            after_id=None if after is None else str(after.id),
        )
        rows = TypeAdapter(tuple[FailureRow, ...]).validate_python(answer)
        shown = rows[:page_size]
        more = len(rows) > page_size
        cursor = FailureCursor(created_at=shown[-1].created_at, id=shown[-1].id) if more else None
        return FailurePage(failures=shown, next_cursor=cursor)

    def count(self, filters: FailureFilters) -> FailureStatistics:
        chosen = filters.model_dump(mode="json", exclude_none=True)
        return FailureStatistics.model_validate(_call(self.analyst.client, "count_failed_generations", filters=chosen))

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
        return TypeAdapter(tuple[UUID, ...]).validate_python(_call(self.client, "list_missing_reports", max_rows=limit))

    def describe(self, failure_id: UUID) -> FailureMaterial | None:
        return _describe(self.client, failure_id)

    def upload(self, failure_id: UUID, path: str, report: bytes) -> None:
        with translate_errors():
            options = {"content-type": "application/json", "upsert": "true"}
            self.client.storage.from_(BUCKET).upload(path, report, options)  # pyright: ignore[reportArgumentType]
        _call(self.client, "set_report_path", failure_id=str(failure_id), path=path)

    def delete_older_than(self, moment: datetime) -> int:
        total = 0
        while True:
            group = _call(self.client, "list_old_failures", older_than=moment.isoformat(), max_rows=DELETE_GROUP)
            # Files first: a file whose row is gone would never be found again.
            if paths := [failure["raw_file_path"] for failure in group if failure["raw_file_path"] is not None]:
                with translate_errors():
                    self.client.storage.from_(BUCKET).remove(paths)
            total += _call(self.client, "delete_failures", failure_ids=[failure["id"] for failure in group])
            if len(group) < DELETE_GROUP:
                return total


def _describe(client: Client, failure_id: UUID) -> FailureMaterial | None:
    answer = _call(client, "describe_failure", failure_id=str(failure_id))
    return None if answer is None else FailureMaterial.model_validate(answer)


def _call(client: Client, function: str, **parameters: Any) -> Any:  # noqa: ANN401 - JSON, validated by the caller
    with translate_errors():
        return client.rpc(function, parameters).execute().data
