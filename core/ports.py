"""What the services need from the outside world. Adapters implement these; `core.adapters.memory` is the one for unit tests.

Every method may raise DatabaseUnavailable, QueueUnavailable or DatabaseRejected (see core.errors) beside what it says.
"""

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from core.domain.batch import BatchAction, BatchId, BatchProgress, BatchSettings, BatchStatus, Selection, Submitted
from core.domain.estimate import Estimate, GenerationHistory
from core.domain.results import BatchBreakdown, ConversationRow, FailureRow
from core.domain.scaffolding import EmotionalArc, Persona, PromptTemplate, TrainingTopic
from core.domain.work import BatchPlan, CallFailure, ChatRequest, ItemResult, Lease, LeasedItem, RecordOutcome
from core.domain.reply import Reply


class ScaffoldingStore(Protocol):
    """Reads the scaffolding; all rows, active or not."""

    def list_personas(self) -> tuple[Persona, ...]: ...

    def list_arcs(self) -> tuple[EmotionalArc, ...]: ...

    def list_topics(self) -> tuple[TrainingTopic, ...]: ...

    def list_templates(self) -> tuple[PromptTemplate, ...]: ...


class BatchStore(Protocol):
    """Batches as the signed-in analyst sees them: their own only."""

    def submit(
        self, name: str, selection: Selection, settings: BatchSettings, estimate: Estimate, picks: Sequence[int] | None
    ) -> Submitted:
        """Write the batch and all items of its grid, or nothing.

        `picks` are row-major positions of the grid. Raises InvalidRequest with the reason if the database refuses.
        """
        ...

    def get(self, batch_id: BatchId) -> BatchProgress | None: ...

    def list_recent(self, limit: int) -> tuple[BatchProgress, ...]:
        """Newest first."""
        ...

    def control(self, batch_id: BatchId, action: BatchAction) -> BatchStatus:
        """Return the new status. Raises NotFound, or InvalidRequest where the action is not legal now."""
        ...

    def get_breakdown(self, batch_id: BatchId) -> BatchBreakdown: ...

    def list_conversations(self, batch_id: BatchId, limit: int) -> tuple[ConversationRow, ...]: ...

    def list_failures(self, batch_id: BatchId, limit: int) -> tuple[FailureRow, ...]: ...

    def list_history(self) -> tuple[GenerationHistory, ...]: ...


class JobQueue(Protocol):
    """The doorbell: only a batch id goes through it, and anything in it may be lost."""

    def ring(self, batch_id: BatchId) -> None:
        """Ask for a worker, unless one is already asked for or at work."""
        ...


class WorkStore(Protocol):
    """The worker's side of the database, with the service role's rights."""

    async def get_plan(self, batch_id: BatchId) -> BatchPlan | None: ...

    async def lease(self, batch_id: BatchId, worker: str, wanted: int, lease_seconds: float) -> Lease: ...

    async def extend(self, batch_id: BatchId, items: Sequence[LeasedItem], lease_seconds: float) -> frozenset[UUID]:
        """Extend the leases; return the ids of the items whose lease is still this worker's."""
        ...

    async def record(self, results: Sequence[ItemResult]) -> tuple[RecordOutcome, ...]:
        """Record results in one transaction, outcomes in the same order."""
        ...


class Reconciler(Protocol):
    """Finds what lost workers and lost doorbells left behind."""

    def reconcile(self) -> tuple[BatchId, ...]:
        """Settle what ran out; return the batches with an item that could be leased now."""
        ...


class ChatModel(Protocol):
    """Claude, or what stands in for it."""

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        """Make one call, without hidden retries. Any answer with HTTP status 200 is a Reply."""
        ...
