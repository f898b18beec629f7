"""What a worker does with the items that it holds while others share the batch."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from core.domain.batches.batch import BatchId, BatchStatus
from core.domain.batches.call_rate import CallRate
from core.domain.batches.work import (
    CallFailureKind,
    ChatRequest,
    ItemAccepted,
    ItemFailed,
    ItemReleased,
    ItemResult,
    KeptResult,
    Lease,
    LeasedItem,
    LeaseRequest,
    RecordOutcome,
)
from core.domain.verdict.reply import Reply
from core.ports.claude import ChatModel
from tests.factories import make_call_failure, make_items, make_plan, make_reply, make_selection
from tests.fakes.claude import ScriptedModel
from tests.fakes.work import ScriptedWorkStore
from tests.fakes.worker import make_worker

PLAN = make_plan(make_selection(1, 1, 2), concurrency=2)
FIRST, SECOND = make_items(PLAN)


def work(store: ScriptedWorkStore, model: ChatModel, lease_seconds: float = 30) -> list[type[ItemResult]]:
    """Work until nothing is left for this worker; return what became of the items."""
    service = make_worker(store, model, lease_seconds=lease_seconds)

    async def run() -> None:
        await asyncio.wait_for(service.run_batches(PLAN.id), timeout=20)

    asyncio.run(run())
    return [type(result) for result in store.recorded]


@dataclass(kw_only=True)
class DisplacingStore(ScriptedWorkStore):
    """Leases two items for one call; then another worker makes all calls, and waits for these two items."""

    displaced: asyncio.Event = field(default_factory=asyncio.Event)
    questions: int = 0

    async def lease(self, batch_id: BatchId, request: LeaseRequest) -> Lease:
        self.questions += 1
        if self.questions == 1:
            return Lease(status=BatchStatus.PROCESSING, share=1, slots=1, ahead=1, items=(FIRST, SECOND))
        self.displaced.set()
        return Lease(status=BatchStatus.PROCESSING, next_available_in_seconds=0)


def test_a_worker_without_a_part_in_the_calls_gives_back_what_it_holds() -> None:
    """Otherwise nobody calls an item of a canary for which all others wait."""
    store = DisplacingStore(plan=PLAN)

    class SlowModel:
        async def complete(self, request: ChatRequest) -> Reply:
            await store.displaced.wait()
            await asyncio.sleep(0)
            return make_reply()

    made = work(store, SlowModel())

    assert {ItemAccepted: 1, ItemReleased: 1} == {kind: made.count(kind) for kind in made}


@dataclass(kw_only=True)
class LateStore(ScriptedWorkStore):
    """Answers the second question for items after a failure came, as the batch was before it."""

    failed: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    given: list[LeasedItem] = field(default_factory=lambda: [SECOND, FIRST])

    async def lease(self, batch_id: BatchId, request: LeaseRequest) -> Lease:
        if len(self.given) < 2:
            await self.failed.wait()
        if not self.given:
            return Lease(status=BatchStatus.PAUSED)
        self.answered.set()
        items = (self.given.pop(),)
        return Lease(status=BatchStatus.PROCESSING, share=2, slots=2, ahead=2, items=items, next_available_in_seconds=0)

    async def record(self, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
        if any(isinstance(kept.result, ItemFailed) for kept in results):
            self.answered.clear()
            self.failed.set()
            await self.answered.wait()
            for _ in range(20):
                await asyncio.sleep(0)
        return await super().record(results)


def test_a_failure_that_stops_the_batch_holds_against_an_answer_from_before_it() -> None:
    model = ScriptedModel(answer=lambda _request, _call: make_call_failure(CallFailureKind.BAD_KEY))

    made = work(LateStore(plan=PLAN), model)

    assert ([ItemFailed, ItemReleased], 1) == (made, len(model.requests))


@dataclass(kw_only=True)
class ExtendingStore(ScriptedWorkStore):
    """Fails once in a way that nobody expects, and says when it was asked again."""

    extended: int = 0
    again: asyncio.Event = field(default_factory=asyncio.Event)

    async def extend(self, batch_id: BatchId, items: Sequence[LeasedItem], lease_seconds: float) -> frozenset[UUID]:
        self.extended += 1
        if self.extended == 1:
            raise KeyError("a stream that the HTTP library has forgotten")
        self.again.set()
        return await super().extend(batch_id, items, lease_seconds)


def test_leases_are_extended_on_after_an_unexpected_error() -> None:
    store = ExtendingStore(plan=PLAN, items=[FIRST])

    class SlowModel:
        async def complete(self, request: ChatRequest) -> Reply:
            await store.again.wait()
            return make_reply()

    assert [ItemAccepted] == work(store, SlowModel(), lease_seconds=0.03)


@dataclass(kw_only=True)
class HandingOverStore(ScriptedWorkStore):
    """Half of 100 calls are this worker's, of which the other worker has given back one so far."""

    async def lease(self, batch_id: BatchId, request: LeaseRequest) -> Lease:
        given, self.items = self.items[:1], self.items[1:]
        return Lease(status=BatchStatus.PROCESSING, share=50, slots=1, ahead=1, items=tuple(given))


def test_calls_are_spread_for_the_part_that_a_worker_will_have() -> None:
    """Else it would hold its next call for a hundred times the distance, although it soon has half of all calls."""
    plan = make_plan(make_selection(1, 1, 1), concurrency=100)
    rate = CallRate(calls_per_minute=60, bound_by="a test")
    service = make_worker(
        HandingOverStore(plan=plan, items=make_items(plan)), ScriptedModel(answer=lambda _request, _call: make_reply())
    )
    service.find_pace(plan.settings.model).rate = rate
    begun = time.monotonic()

    asyncio.run(service.run_batches(plan.id))

    assert 2 <= service.find_pace(plan.settings.model).next_call_at - begun < 50
