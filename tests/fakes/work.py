"""The worker's side of a database that gives out each item once and notes what it is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from core.adapters.supabase.work_payload import encode_result, write_result
from core.domain.batches.batch import BatchId, BatchStatus
from core.domain.batches.work import BatchPlan, ItemResult, KeptResult, Lease, LeasedItem, LeaseRequest, RecordOutcome

RECORDED = RecordOutcome(outcome="recorded")


@dataclass(kw_only=True)
class ScriptedWorkStore:
    """Implements WorkStore. `outages` are raised one after the other, by whatever is asked first."""

    plan: BatchPlan | Exception | None = None
    items: list[LeasedItem] = field(default_factory=list[LeasedItem])
    status: BatchStatus = BatchStatus.PROCESSING
    outages: list[Exception] = field(default_factory=list[Exception])
    refuse: Callable[[ItemResult], Exception | None] = lambda _result: None
    outcome: RecordOutcome = RECORDED
    recorded: list[ItemResult] = field(default_factory=list[ItemResult])
    is_safe: bool = False
    """Whether results survive the worker before they are recorded: a disk keeps them."""
    leased: int = 0
    ahead: int = 0
    left: list[str] = field(default_factory=list[str])
    waits_seconds: float | None = None
    """When the next item could be leased, once all were."""
    paces: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    paused: list[str] = field(default_factory=list[str])

    async def get_plan(self, batch_id: BatchId) -> BatchPlan | None:
        if isinstance(self.plan, Exception):
            raise self.plan
        return self.plan

    async def list_batches_to_help(self, worker: str) -> tuple[BatchId, ...]:
        return ()

    async def lease(self, batch_id: BatchId, request: LeaseRequest) -> Lease:
        self._answer()
        if not self.status.is_active:
            return Lease(status=self.status)
        assert isinstance(self.plan, BatchPlan)
        slots = self.plan.settings.concurrency
        wanted = min(request.wanted, slots + self.ahead - request.held)
        given, self.items = self.items[:wanted], self.items[wanted:]
        self.leased += len(given)
        return Lease(
            status=self.status,
            share=slots,
            slots=slots,
            ahead=self.ahead,
            items=tuple(given),
            next_available_in_seconds=0 if self.items else self.waits_seconds,
        )

    async def extend(self, batch_id: BatchId, items: Sequence[LeasedItem], lease_seconds: float) -> frozenset[UUID]:
        return frozenset(item.item_id for item in items)

    async def leave(self, batch_id: BatchId, worker: str) -> None:
        self.left.append(worker)

    async def set_pace(self, batch_id: BatchId, limit: int, reason: str) -> None:
        self.paces.append((limit, reason))

    async def pause(self, batch_id: BatchId, reason: str) -> None:
        self.paused.append(reason)

    async def keep(self, results: Sequence[ItemResult]) -> tuple[KeptResult, ...]:
        return tuple(
            KeptResult(
                result=result, content=write_result(encode_result(result)), is_safe=self.is_safe or result.attempt is None
            )
            for result in results
        )

    async def record(self, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
        self._answer()
        for kept in results:
            if (error := self.refuse(kept.result)) is not None:
                raise error
        self.recorded += [kept.result for kept in results]
        return (self.outcome,) * len(results)

    def _answer(self) -> None:
        if self.outages:
            raise self.outages.pop(0)
