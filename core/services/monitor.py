"""Batches as an analyst watches them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

from core.domain.batches.batch import BatchId
from core.domain.batches.monitor import (
    BatchFilters,
    BatchPage,
    BatchWatch,
    ItemPage,
    ItemStatus,
    LogFormat,
    LogRow,
    RetryTemplate,
)
from core.errors import NotFound
from core.ports.batches import MonitorStore
from core.services.spreadsheet import write_csv

BATCHES_OF_PAGE, ITEMS_OF_PAGE, LOG_ROWS_OF_PAGE = 25, 50, 2000
TREND_POINTS = 60
ANY_BATCH = BatchFilters()
LOG_FIELDS = tuple(field for field in LogRow.model_fields if field != "id")


@dataclass(frozen=True, kw_only=True)
class MonitorService:
    """Reads pages of batches, one batch, its items and its log. Pages are counted from 1."""

    store: MonitorStore
    log_rows_of_page: int = LOG_ROWS_OF_PAGE

    def list_batches(
        self, filters: BatchFilters = ANY_BATCH, *, page: int = 1, page_size: int = BATCHES_OF_PAGE
    ) -> BatchPage:
        """Return a page of the batches that match, newest first."""
        return self.store.list_batches(filters, page_size, (page - 1) * page_size)

    def watch(self, batch_id: BatchId) -> BatchWatch:
        """Return a batch with its charts and its retries; raise NotFound if there is none or it is someone else's."""
        found = self.store.watch(batch_id, TREND_POINTS)
        if found is None:
            raise NotFound.of("batch", batch_id)
        return found

    def list_items(
        self, batch_id: BatchId, status: ItemStatus | None = None, *, page: int = 1, page_size: int = ITEMS_OF_PAGE
    ) -> ItemPage:
        """Return a page of the batch's items, in the order in which they are generated."""
        return self.store.list_items(batch_id, status, page_size, (page - 1) * page_size)

    def list_retry_templates(self, batch_id: BatchId) -> tuple[RetryTemplate, ...]:
        """Return what a retry may use instead of the templates it used."""
        return self.store.list_retry_templates(batch_id)

    def iterate_log(self, batch_id: BatchId) -> Iterator[LogRow]:
        """Yield the batch's attempts as they were recorded, read in pages."""
        after: LogRow | None = None
        while rows := self.store.list_log(batch_id, after, self.log_rows_of_page):
            yield from rows
            after = rows[-1]

    def write_log(self, batch_id: BatchId, log_format: LogFormat) -> bytes:
        """Return the batch's log as a file."""
        match log_format:
            case LogFormat.CSV:
                return write_csv(self.iterate_log(batch_id), LOG_FIELDS)
            case LogFormat.JSONL:
                return "".join(row.model_dump_json(exclude={"id"}) + "\n" for row in self.iterate_log(batch_id)).encode()
            case _:
                assert_never(log_format)
