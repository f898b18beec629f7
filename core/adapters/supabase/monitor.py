"""What the monitor and the overview read, with the analyst's rights: one call of one function each."""

from dataclasses import dataclass

from core.adapters.supabase.functions import call_function
from core.adapters.supabase.reading import keep_readable, read_record
from core.adapters.supabase.session import Analyst
from core.domain.batches.batch import BatchId, BatchProgress
from core.domain.batches.monitor import (
    BatchFilters,
    BatchLink,
    BatchPage,
    BatchWatch,
    ItemPage,
    ItemRow,
    ItemStatus,
    LogRow,
    RetryTemplate,
)
from core.domain.batches.overview import Overview

BREAKDOWN_FIELDS = ("by_failure_type", "by_pattern", "by_stop_reason")


@dataclass(frozen=True, kw_only=True)
class SupabaseMonitorStore:
    """Implements MonitorStore."""

    analyst: Analyst

    def list_batches(self, filters: BatchFilters, page_size: int, offset: int) -> BatchPage:
        chosen = {"text": filters.text or None, "statuses": list(filters.statuses) or None}
        parameters = {"filters": chosen, "page_size": page_size, "page_offset": offset}
        found = call_function(self.analyst.client, "list_batches", **parameters)
        batches = keep_readable(BatchProgress, found["batches"], "batch", self.analyst.unreadable)
        return BatchPage(total=found["total"], batches=batches)

    def watch(self, batch_id: BatchId, trend_points: int) -> BatchWatch | None:
        found = call_function(self.analyst.client, "watch_batch", target_batch_id=str(batch_id), max_points=trend_points)
        if found is None:
            return None
        watched = {
            **found,
            "retries": keep_readable(BatchLink, found["retries"], "retry", self.analyst.unreadable),
            "breakdown": {field: _largest_first(found[field]) for field in BREAKDOWN_FIELDS},
        }
        return read_record(BatchWatch, watched, "batch")

    def list_items(self, batch_id: BatchId, status: ItemStatus | None, page_size: int, offset: int) -> ItemPage:
        parameters = {
            "target_batch_id": str(batch_id),
            "status_filter": status,
            "page_size": page_size,
            "page_offset": offset,
        }
        found = call_function(self.analyst.client, "list_batch_items", **parameters)
        items = keep_readable(ItemRow, found["items"], "item", self.analyst.unreadable)
        return ItemPage(total=found["total"], items=items)

    def list_log(self, batch_id: BatchId, after: LogRow | None, page_size: int) -> tuple[LogRow, ...]:
        parameters = {
            "target_batch_id": str(batch_id),
            "after_created_at": None if after is None else after.recorded_at.isoformat(),
            "after_id": None if after is None else str(after.id),
            "page_size": page_size,
        }
        while rows := call_function(self.analyst.client, "list_attempt_log", **parameters):
            goes_on = parameters["after_id"] is not None
            if readable := keep_readable(LogRow, rows, "attempt", self.analyst.unreadable, goes_on=goes_on):
                return readable
            parameters |= {"after_created_at": rows[-1]["recorded_at"], "after_id": rows[-1]["id"]}
        return ()

    def list_retry_templates(self, batch_id: BatchId) -> tuple[RetryTemplate, ...]:
        found = call_function(self.analyst.client, "list_retry_templates", target_batch_id=str(batch_id))
        return keep_readable(RetryTemplate, found, "template for a retry", self.analyst.unreadable)


@dataclass(frozen=True, kw_only=True)
class SupabaseOverviewStore:
    """Implements OverviewStore."""

    analyst: Analyst

    def read(self) -> Overview:
        return Overview.model_validate(call_function(self.analyst.client, "read_overview"))


def _largest_first(counts: dict[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))
