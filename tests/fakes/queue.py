"""A job queue that notes what was enqueued."""

from dataclasses import dataclass, field

from core.domain.batches.batch import BatchId
from core.errors import QueueUnavailable


@dataclass(kw_only=True)
class ScriptedQueue:
    """Implements JobQueue; `is_away` makes it unavailable."""

    enqueued: list[BatchId] = field(default_factory=list[BatchId])
    is_away: bool = False

    def enqueue(self, batch_id: BatchId, useful_jobs: int = 1) -> None:
        if self.is_away:
            raise QueueUnavailable("The queue is away.")
        self.enqueued.append(batch_id)
