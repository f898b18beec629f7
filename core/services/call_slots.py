"""The calls that one worker may have in flight, over all batches it works on."""

from dataclasses import dataclass, field
from uuid import UUID

from core.domain.batches.batch import BatchId
from core.domain.batches.call_sharing import share_calls

MOST_CALLS = 400
"""Of one worker: two batches of the largest concurrency. Above it the worker itself is the limit."""


@dataclass(kw_only=True)
class CallSlots:
    """Who may start how many calls. An item that may have killed its workers runs alone in its process."""

    capacity: int = MOST_CALLS
    _owners: dict[BatchId, UUID] = field(default_factory=dict[BatchId, UUID])
    _wanted: dict[BatchId, int] = field(default_factory=dict[BatchId, int])
    _calling: dict[BatchId, int] = field(default_factory=dict[BatchId, int])
    _alone: BatchId | None = None

    def join(self, batch_id: BatchId, owner: UUID) -> None:
        """Take a batch in."""
        self._owners[batch_id], self._wanted[batch_id], self._calling[batch_id] = owner, 0, 0

    def leave(self, batch_id: BatchId) -> None:
        """Give a batch's calls to the others."""
        for kept in (self._owners, self._wanted, self._calling):
            kept.pop(batch_id, None)
        if self._alone == batch_id:
            self._alone = None

    def note(self, batch_id: BatchId, *, wanted: int, calling: int) -> None:
        """Note how many calls a batch would like to have in flight, and how many it has."""
        self._wanted[batch_id], self._calling[batch_id] = wanted, calling

    def count_free(self, batch_id: BatchId) -> int:
        """Return how many calls a batch may start now."""
        if self._alone is not None:
            return 0
        return share_calls(self._wanted, self._owners, self.capacity)[batch_id] - self._calling[batch_id]

    def begin_alone(self, batch_id: BatchId) -> bool:
        """Keep all others from starting calls; return whether nothing is in flight any more."""
        if self._alone is None:
            self._alone = batch_id
        return self._alone == batch_id and not any(self._calling.values())

    def end_alone(self, batch_id: BatchId) -> None:
        """Let the others start calls again."""
        if self._alone == batch_id:
            self._alone = None
