"""Two workers on one batch at the same moment, each with a connection of its own to the real database."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import psycopg
import pytest

from core.adapters.supabase.session import open_worker_client
from core.adapters.supabase.worker import SupabaseWorkStore
from core.config import Settings
from core.domain.batches.batch import BatchStatus
from core.domain.batches.work import Lease, LeaseRequest
from core.ports.work import WorkStore
from tests.factories import make_selection
from tests.support.results import accept, fail
from tests.support.stores import Stores, ask, lease, list_conversations, list_failures, open_stores, read, send, submit

Result = TypeVar("Result")
ROUNDS = 6
"""A race that is lost only sometimes shows in one of several rounds."""


def run_at_once(stores: Stores, *uses: Callable[[WorkStore], Awaitable[Result]]) -> list[Result]:
    """Do each of these with a worker's connection of its own, all at the same moment."""
    url, key = stores.settings.require_supabase()[0], stores.settings.require_secret_key()

    async def use_all() -> list[Result]:
        async with AsyncExitStack() as opened:
            clients = [await opened.enter_async_context(open_worker_client(url, key)) for _ in uses]
            workers = [SupabaseWorkStore(client=client) for client in clients]
            return list(await asyncio.gather(*(use(worker) for use, worker in zip(uses, workers, strict=True))))

    return asyncio.run(use_all())


@pytest.mark.parametrize(("concurrency", "workers"), [(5, 4), (2, 4), (12, 3)])
def test_workers_share_the_calls_of_a_batch_and_never_make_more_than_it_allows(
    stores: Stores, concurrency: int, workers: int
) -> None:
    batch_id = submit(stores, make_selection(1, 1, 12), concurrency=concurrency)

    def lease_some(number: int) -> Callable[[WorkStore], Awaitable[Lease]]:
        return lambda worker: worker.lease(batch_id, ask(f"test:{number}", 4, 30))

    first = run_at_once(stores, *(lease_some(number) for number in range(workers)))
    later = run_at_once(stores, *(lease_some(number) for number in range(workers)))

    leased = [item.item_id for each in first + later for item in each.items]
    assert len(leased) == len(set(leased))
    assert sum(each.slots for each in first) <= concurrency
    assert concurrency == sum(each.share for each in later)
    assert {each.share for each in later} <= {concurrency // workers, -(-concurrency // workers)}
    assert read(stores, batch_id).running <= concurrency


def test_a_worker_that_makes_its_calls_gives_the_rest_to_one_that_comes_later(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 12), concurrency=6)

    def ask_again(worker: str, calling: int) -> Lease:
        request = LeaseRequest(worker=worker, wanted=0, lease_seconds=30, held=calling, calling=calling)
        return stores.work(lambda store: store.lease(batch_id, request))

    assert 6 == ask_again("a", 0).slots
    assert (3, 0) == ((late := ask_again("b", 0)).share, late.slots), "all calls are in flight"
    assert 3 == ask_again("a", 5).slots, "five still run, so it starts none"
    assert 1 == ask_again("b", 0).slots
    ask_again("a", 3)
    assert 3 == ask_again("b", 1).slots
    stores.work(lambda store: store.leave(batch_id, "a"))
    assert 6 == ask_again("b", 3).slots


def test_leases_are_extended_while_their_items_are_recorded_and_none_waits_for_the_other(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 10), concurrency=10)
    items = lease(stores, batch_id)
    url, waiting = stores.settings.require_db_url(), "select 1 from pg_stat_activity where wait_event_type = 'Lock'"

    def extend_meanwhile(recording: psycopg.Connection) -> int:
        """Record as `record_results` does: the batch is locked first, and the items in the order of their calls."""
        recording.execute("select 1 from batches where id = %s for update", [batch_id])
        change = "update batch_items set max_tokens = 5000 where id = %s"
        recording.execute(change, [items[-1].item_id])

        async def extend() -> int:
            extending = asyncio.create_task(asyncio.to_thread(extend_all))
            while not await asyncio.to_thread(is_anybody_waiting):  # noqa: ASYNC110 - the database sends no events
                await asyncio.sleep(0.05)
            for item in reversed(items):
                await asyncio.to_thread(recording.execute, change, [item.item_id])
            recording.commit()
            return await extending

        return asyncio.run(extend())

    def is_anybody_waiting() -> bool:
        with psycopg.connect(url) as looking:
            return looking.execute(waiting).fetchone() is not None

    def extend_all() -> int:
        return len(stores.work(lambda store: store.extend(batch_id, items, 60)))

    with psycopg.connect(url) as recording:
        assert len(items) == extend_meanwhile(recording)


def test_a_worker_whose_leaving_was_not_noted_may_come_back(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 4), concurrency=2)
    stores.work(lambda store: store.lease(batch_id, ask("test:gone", 1, 0)))

    assert batch_id in stores.work(lambda store: store.list_batches_to_help("test:gone"))


def test_whoever_has_many_open_batches_keeps_nobody_else_waiting(seeded: Settings) -> None:
    with open_stores(seeded) as crowd, open_stores(seeded) as other:
        firsts = [submit(crowd, make_selection(1, 1, 1)) for _ in range(2)]
        later = submit(other, make_selection(1, 1, 1))

        listed = other.work(lambda store: store.list_batches_to_help("test:any"))

    ours = [batch_id for batch_id in listed if batch_id in {*firsts, later}]
    assert [firsts[0], later, firsts[1]] == ours


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_last_two_items_recorded_at_once_close_their_batch(stores: Stores, round_number: int) -> None:
    batch_id = submit(stores, make_selection(1, 1, 2), concurrency=2)
    first, second = lease(stores, batch_id)

    outcomes = run_at_once(stores, lambda worker: send(worker, accept(first)), lambda worker: send(worker, fail(second)))

    assert ["recorded", "recorded"] == [outcome.outcome for (outcome,) in outcomes]
    assert BatchStatus.COMPLETED in [outcome.batch_status for (outcome,) in outcomes], "one of them saw the end"
    progress = read(stores, batch_id)
    assert (BatchStatus.COMPLETED, 1, 1) == (progress.status, progress.accepted, progress.failed)
    assert progress.completed_at is not None


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_item_that_two_workers_have_a_reply_for_becomes_one_conversation(stores: Stores, round_number: int) -> None:
    batch_id = submit(stores, make_selection(1, 1, 1), concurrency=1)
    (lost,) = lease(stores, batch_id, lease_seconds=0)
    stores.reconciler.reconcile()
    (held,) = lease(stores, batch_id)
    assert lost.item_id == held.item_id

    outcomes = run_at_once(stores, lambda worker: send(worker, accept(lost)), lambda worker: send(worker, accept(held)))

    assert ["lease_lost", "recorded"] == sorted(outcome.outcome for (outcome,) in outcomes)
    assert (1, 0) == (len(list_conversations(stores, batch_id)), len(list_failures(stores, batch_id)))
    progress = read(stores, batch_id)
    assert (BatchStatus.COMPLETED, 2) == (progress.status, progress.attempts), "both paid replies are kept"


def test_the_same_result_recorded_at_once_by_two_is_recorded_once(stores: Stores) -> None:
    """A worker that was thought dead and the reconciler that found its file."""
    batch_id = submit(stores, make_selection(1, 1, 1), concurrency=1)
    result = accept(lease(stores, batch_id)[0])

    run_at_once(stores, lambda worker: send(worker, result), lambda worker: send(worker, result))

    assert 1 == len(list_conversations(stores, batch_id))
    assert 1 == read(stores, batch_id).attempts


def test_nobody_leases_beside_the_canary_while_its_last_item_is_recorded(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 6), canary_items=1, concurrency=6)
    (canary,) = lease(stores, batch_id)

    async def lease_rest(worker: WorkStore) -> int:
        return len((await worker.lease(batch_id, ask("test:2", 6, 30))).items)

    async def record_canary(worker: WorkStore) -> int:
        await send(worker, fail(canary))
        return 0

    leased, _ = run_at_once(stores, lease_rest, record_canary)

    assert 0 == leased, "before its end the canary runs alone, and after it the batch is paused"
    assert () == lease(stores, batch_id)
    assert BatchStatus.PAUSED is read(stores, batch_id).status
