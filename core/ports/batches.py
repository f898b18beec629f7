"""Batches as an analyst submits, controls and watches them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from core.domain.batches.batch import (
        BatchAction,
        BatchId,
        BatchProgress,
        BatchSettings,
        BatchStatus,
        RetryChanges,
        Selection,
        SkipExisting,
        Submitted,
    )
    from core.domain.batches.estimate import Estimate, GenerationHistory
    from core.domain.batches.monitor import BatchFilters, BatchPage, BatchWatch, ItemPage, ItemStatus, LogRow, RetryTemplate
    from core.domain.batches.overview import Overview
    from core.domain.datasets.plans import DatasetId
    from core.domain.scaffolding.records import TemplateId


class BatchStore(Protocol):
    """Batches as the signed-in analyst sees them: their own only."""

    def submit(
        self,
        name: str,
        selection: Selection,
        settings: BatchSettings,
        estimate: Estimate,
        picks: Sequence[int] | None,
        *,
        without_templates: Sequence[TemplateId] = (),
        dataset_id: DatasetId | None = None,
    ) -> Submitted:
        """Write the batch and all items of its grid, or nothing; for a data set, what its plan still misses of `picks`.

        `picks` are row-major positions of the grid. With `selection.skip_existing` they are all of it in the order in which
        they are wanted: what exists is left out, then the first `selection.limit` are taken. Raises InvalidRequest with the
        reason if the database refuses.
        """
        ...

    def count_existing(self, selection: Selection, skip: SkipExisting) -> int:
        """Return how many combinations of the grid `skip` leaves out."""
        ...

    def retry_failed(self, batch_id: BatchId, changes: RetryChanges) -> Submitted:
        """Write a new batch of the failed items. Raises NotFound, or InvalidRequest where there is nothing to retry."""
        ...

    def get(self, batch_id: BatchId) -> BatchProgress | None: ...

    def control(self, batch_id: BatchId, action: BatchAction, budget_usd: float | None = None) -> BatchStatus:
        """Return the new status; a resume may set a new budget.

        Raises NotFound, or InvalidRequest where the action is not legal now.
        """
        ...

    def list_history(self) -> tuple[GenerationHistory, ...]: ...


class MonitorStore(Protocol):
    """Batches as the monitor shows them: pages, one batch whole, its items and its log. The analyst's own only."""

    def list_batches(self, filters: BatchFilters, page_size: int, offset: int) -> BatchPage: ...

    def watch(self, batch_id: BatchId, trend_points: int) -> BatchWatch | None: ...

    def list_items(self, batch_id: BatchId, status: ItemStatus | None, page_size: int, offset: int) -> ItemPage: ...

    def list_log(self, batch_id: BatchId, after: LogRow | None, page_size: int) -> tuple[LogRow, ...]:
        """Return the next attempts after a row, in the order in which they were recorded; none only at the end."""
        ...

    def list_retry_templates(self, batch_id: BatchId) -> tuple[RetryTemplate, ...]:
        """Return the active templates of the arcs that the batch's failed items have."""
        ...


class OverviewStore(Protocol):
    """Totals of everything that the signed-in analyst made."""

    def read(self) -> Overview: ...
