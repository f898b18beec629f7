"""Results on their way into the database: how many wait in memory, and that each is on disk first."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.domain.batches.work import ItemReleased, ItemResult, KeptResult, RecordOutcome
from core.errors import DatabaseUnavailable
from core.services.recording import MOST_UNRECORDED, ResultRecorder
from tests.factories import make_attempt, make_item, make_plan
from tests.fakes.work import ScriptedWorkStore

MORE = 5


@dataclass(kw_only=True)
class ClosedStore(ScriptedWorkStore):
    """Keeps what comes, and records nothing before it is opened."""

    is_safe: bool = True
    kept: int = 0
    all_kept: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self, results: Sequence[ItemResult]) -> tuple[KeptResult, ...]:
        self.kept += len(results)
        if self.kept == MOST_UNRECORDED + MORE:
            self.all_kept.set()
        return await super().keep(results)

    async def record(self, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
        await self.opened.wait()
        return await super().record(results)


@dataclass(kw_only=True)
class SlowStore(ScriptedWorkStore):
    """Takes too long for many results at once."""

    asked: list[int] = field(default_factory=list[int])

    async def record(self, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
        self.asked.append(len(results))
        if len(results) > 2:
            raise DatabaseUnavailable("canceling statement due to statement timeout")
        return await super().record(results)


def test_a_group_that_takes_too_long_is_recorded_in_parts() -> None:
    results = [ItemReleased(item=make_item(), attempt=make_attempt()) for _ in range(5)]
    store = SlowStore()

    async def record_all() -> None:
        async with ResultRecorder.open(store) as recorder:
            await asyncio.gather(*(recorder.store(result, make_plan().settings) for result in results))

    asyncio.run(record_all())

    assert results == store.recorded
    assert [5, 2, 2, 1] == store.asked


def test_a_reply_is_on_disk_also_where_too_many_are_unrecorded_for_another_call() -> None:
    async def fill() -> tuple[int, int]:
        store, settings, freed = ClosedStore(), make_plan().settings, 0

        def free_slot() -> bool:
            nonlocal freed
            freed += 1
            return False

        async with ResultRecorder.open(store) as recorder:
            results = [ItemReleased(item=make_item(), attempt=make_attempt()) for _ in range(MOST_UNRECORDED + MORE)]
            sent = [asyncio.create_task(recorder.store(result, settings, free_slot)) for result in results]
            await asyncio.wait_for(store.all_kept.wait(), timeout=20)
            for _ in range(20):
                await asyncio.sleep(0)
            freed_before = freed
            store.opened.set()
            await asyncio.gather(*sent)
        return freed_before, len(store.recorded)

    assert (MOST_UNRECORDED, MOST_UNRECORDED + MORE) == asyncio.run(fill())
