"""The workers' side: the queue, leased items, what is kept until it is recorded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from core.domain.batches.batch import BatchId
    from core.domain.batches.pacing import Pace
    from core.domain.batches.work import (
        BatchPlan,
        ItemResult,
        KeptResult,
        Lease,
        LeasedItem,
        LeaseRequest,
        RecordOutcome,
        WaitingBatch,
    )
    from core.domain.diagnosis.notices import Notices


class JobQueue(Protocol):
    """Tells workers that a batch has work. Only its id is enqueued, and anything in the queue may be lost."""

    def enqueue(self, batch_id: BatchId, useful_jobs: int = ...) -> None:
        """Enqueue a job for each worker, but no more than are useful, unless they are queued or at work.

        Raises QueueUnavailable.
        """
        ...


class WorkStore(Protocol):
    """The worker's side of the database, with the service role's rights."""

    async def get_plan(self, batch_id: BatchId) -> BatchPlan | None:
        """Return what a worker needs to know of a batch; raise PlanUnreadable where its row holds something else."""
        ...

    async def list_batches_to_help(self, worker: str) -> tuple[BatchId, ...]:
        """Return the open batches that one more worker could help, oldest first."""
        ...

    async def lease(self, batch_id: BatchId, request: LeaseRequest) -> Lease: ...

    async def extend(self, batch_id: BatchId, items: Sequence[LeasedItem], lease_seconds: float) -> frozenset[UUID]:
        """Extend the leases; return the ids of the items whose lease is still this worker's."""
        ...

    async def leave(self, batch_id: BatchId, worker: str) -> None:
        """Give this worker's calls to the others."""
        ...

    async def set_pace(self, batch_id: BatchId, limit: int, reason: str) -> None:
        """Note how many calls may be in flight now, and why that changed."""
        ...

    async def pause(self, batch_id: BatchId, reason: str) -> None: ...

    async def keep(self, results: Sequence[ItemResult]) -> tuple[KeptResult, ...]:
        """Encode results and put them on disk; one that the disk does not take says so."""
        ...

    async def record(self, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
        """Record kept results in one transaction, outcomes in the same order."""
        ...


class PaceBoard(Protocol):
    """The pace of calls to Claude, shared between workers; may be lost at any time."""

    async def read(self, model: str) -> Pace | None: ...

    async def write(self, model: str, pace: Pace) -> None: ...


class NoticeBoard(Protocol):
    """Notices of workers for people; may be lost at any time."""

    def note_stuck_results(self, host: str, files: int) -> None:
        """Note how many results on a host need a person."""
        ...

    def read(self) -> Notices:
        """Return recent notices; none where they cannot be read."""
        ...


class Pulse(Protocol):
    """The heartbeat of reconcilers; may be lost at any time."""

    def beat(self) -> None: ...


class Spool(Protocol):
    """Results that workers could not record and left on disk."""

    def replay(self) -> int:
        """Record what waits; return how many."""
        ...

    def count_stuck(self) -> int:
        """Return how many could not be recorded and need a person."""
        ...

    def identify(self) -> UUID:
        """Return the id of the folder, which stays with it."""
        ...

    def measure_waiting(self) -> tuple[int, float]:
        """Return how many files wait, those set aside among them, and the age of the oldest in seconds."""
        ...


class Reconciler(Protocol):
    """Finds what lost workers and lost jobs left behind."""

    def reconcile(self) -> tuple[WaitingBatch, ...]:
        """Settle expired leases; return the batches that more workers could help, oldest first."""
        ...


class HouseKeeping(Protocol):
    """What a worker keeps in order beside its work."""

    def drop_old_replies(self, keep_days: int, most: int) -> int:
        """Forget the bodies of up to `most` accepted replies older than that; return of how many."""
        ...

    def note_spool(self, spool_id: UUID, host: str, files: int, oldest_seconds: float) -> None:
        """Note what waits in a folder of this host; with no files the note goes."""
        ...
