"""What the monitor and the overview read, with the analyst's rights: one call of one function each."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from core.adapters.supabase.functions import call_function
from core.adapters.supabase.session import Analyst
from core.domain.batch import BatchId
from core.domain.monitor import BatchFilters, BatchPage, BatchWatch, ItemPage, ItemStatus, LogRow, RetryTemplate
from core.domain.overview import Overview

BREAKDOWN_FIELDS = ("by_failure_type", "by_pattern", "by_stop_reason")


@dataclass(frozen=True, kw_only=True)
class SupabaseMonitorStore:
    """Implements MonitorStore."""

    analyst: Analyst

    def list_batches(self, filters: BatchFilters, page_size: int, offset: int) -> BatchPage:
        chosen = {"text": filters.text or None, "statuses": list(filters.statuses) or None}
        parameters = {"filters": chosen, "page_size": page_size, "page_offset": offset}
        return BatchPage.model_validate(call_function(self.analyst.client, "list_batches", **parameters))

    def watch(self, batch_id: BatchId, trend_points: int) -> BatchWatch | None:
        found = call_function(self.analyst.client, "watch_batch", target_batch_id=str(batch_id), max_points=trend_points)
        if found is None:
            return None
        return BatchWatch.model_validate(
            {**found, "breakdown": {field: _largest_first(found[field]) for field in BREAKDOWN_FIELDS}}
        )

    def list_items(self, batch_id: BatchId, status: ItemStatus | None, page_size: int, offset: int) -> ItemPage:
        parameters = {
            "target_batch_id": str(batch_id),
            "status_filter": status,
            "page_size": page_size,
            "page_offset": offset,
        }
        return ItemPage.model_validate(call_function(self.analyst.client, "list_batch_items", **parameters))

    def list_log(self, batch_id: BatchId, after: LogRow | None, page_size: int) -> tuple[LogRow, ...]:
        parameters = {
            "target_batch_id": str(batch_id),
            "after_created_at": None if after is None else after.recorded_at.isoformat(),
            "after_id": None if after is None else str(after.id),
            "page_size": page_size,
        }
        found = call_function(self.analyst.client, "list_attempt_log", **parameters)
        return TypeAdapter(tuple[LogRow, ...]).validate_python(found)

    def list_retry_templates(self, batch_id: BatchId) -> tuple[RetryTemplate, ...]:
        found = call_function(self.analyst.client, "list_retry_templates", target_batch_id=str(batch_id))
        return TypeAdapter(tuple[RetryTemplate, ...]).validate_python(found)


@dataclass(frozen=True, kw_only=True)
class SupabaseOverviewStore:
    """Implements OverviewStore."""

    analyst: Analyst

    def read(self) -> Overview:
        return Overview.model_validate(call_function(self.analyst.client, "read_overview"))


def _largest_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
