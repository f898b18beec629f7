"""One job works on several batches at the same time."""

import asyncio
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from core.domain.batches.batch import BatchId
from core.errors import DatabaseUnavailable
from core.services.open_batches import OpenBatches
from core.services.recording import ResultRecorder
from tests.fakes.work import ScriptedWorkStore

LARGE, SMALL = BatchId(uuid4()), BatchId(uuid4())


@dataclass(kw_only=True)
class WaitingBatches(ScriptedWorkStore):
    """Names what a test wants, one list after the other, or raises it."""

    answers: list[tuple[BatchId, ...] | Exception] = field(default_factory=list[tuple[BatchId, ...] | Exception])

    async def list_batches_to_help(self, worker: str) -> tuple[BatchId, ...]:
        answer = self.answers.pop(0) if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(kw_only=True)
class Work:
    """Notes which batches are worked on; the large one ends when the small one has."""

    failing: frozenset[BatchId] = frozenset()
    events: list[str] = field(default_factory=list[str])
    small_done: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, batch_id: BatchId, _recorder: ResultRecorder) -> None:
        name = "large" if batch_id == LARGE else "small"
        self.events.append(f"{name} begins")
        if batch_id in self.failing:
            self.small_done.set()
            raise ValueError(f"a defect in the {name} one")
        if batch_id == LARGE:
            await asyncio.wait_for(self.small_done.wait(), timeout=30)
        else:
            self.small_done.set()
        self.events.append(f"{name} ends")


def work(answers: list[tuple[BatchId, ...] | Exception], *, stopping: bool = False, failing: BatchId | None = None) -> Work:
    done = Work(failing=frozenset() if failing is None else frozenset({failing}))

    async def run() -> None:
        stop = asyncio.Event()
        if stopping:
            stop.set()
            done.small_done.set()
        await OpenBatches(store=WaitingBatches(answers=answers), worker="w", run_batch=done.run, stopping=stop).run(LARGE)

    asyncio.run(run())
    return done


def test_a_small_batch_ends_while_a_large_one_runs() -> None:
    assert ["large begins", "small begins", "small ends", "large ends"] == work([(SMALL,), (SMALL,)]).events[:4]


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), KeyError("a defect in the HTTP library")])
def test_a_list_that_cannot_be_read_is_read_again(error: Exception) -> None:
    assert "small ends" in work([error, (SMALL,)]).events


def test_a_run_that_fails_ends_no_other_and_is_not_begun_again() -> None:
    done = work([(SMALL,), (SMALL,)], failing=SMALL)

    assert ["large begins", "small begins", "large ends"] == done.events


def test_a_run_that_failed_is_begun_again_after_a_while() -> None:
    """A worker that is never out of work would otherwise never come back to it."""
    begun: list[BatchId] = []
    done = asyncio.Event()

    async def run_batch(batch_id: BatchId, _recorder: ResultRecorder) -> None:
        begun.append(batch_id)
        if batch_id == LARGE:
            await asyncio.wait_for(done.wait(), timeout=20)
        elif begun.count(SMALL) == 1:
            raise DatabaseUnavailable("away for a moment")
        else:
            done.set()

    store = WaitingBatches(answers=[(SMALL,)] * 20)
    batches = OpenBatches(store=store, worker="w", run_batch=run_batch, stopping=asyncio.Event(), again_after_seconds=0)
    asyncio.run(batches.run(LARGE))

    assert [LARGE, SMALL, SMALL] == begun[:3]


def test_what_ended_the_first_run_is_raised_when_all_have_ended() -> None:
    with pytest.raises(ValueError, match="a defect in the large one"):
        work([(SMALL,)], failing=LARGE)


def test_a_worker_that_is_asked_to_stop_takes_no_other_batch() -> None:
    assert ["large begins", "large ends"] == work([(SMALL,)] * 5, stopping=True).events
