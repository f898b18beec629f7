"""Two workers on one batch at the same moment, each with a connection of its own to the real database."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

import pytest

from core.adapters.supabase.session import open_worker_client
from core.adapters.supabase.worker import SupabaseWorkStore
from core.domain.batches.batch import BatchStatus
from core.domain.batches.work import Lease
from core.ports import WorkStore
from tests.factories import make_selection
from tests.support.results import accept, fail
from tests.support.stores import Stores, lease, list_conversations, list_failures, read, submit

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


def test_no_item_is_leased_twice_and_never_more_than_the_batch_allows(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 12), concurrency=5)

    def lease_some(number: int) -> Callable[[WorkStore], Awaitable[Lease]]:
        return lambda worker: worker.lease(batch_id, f"test:{number}", 4, 30)

    leases = run_at_once(stores, *(lease_some(number) for number in range(4)))

    leased = [item.item_id for each in leases for item in each.items]
    assert (5, 5) == (len(leased), len(set(leased)))
    assert read(stores, batch_id).running == 5


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_last_two_items_recorded_at_once_close_their_batch(stores: Stores, round_number: int) -> None:
    batch_id = submit(stores, make_selection(1, 1, 2), concurrency=2)
    first, second = lease(stores, batch_id)

    outcomes = run_at_once(
        stores, lambda worker: worker.record([accept(first)]), lambda worker: worker.record([fail(second)])
    )

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

    outcomes = run_at_once(
        stores, lambda worker: worker.record([accept(lost)]), lambda worker: worker.record([accept(held)])
    )

    assert ["lease_lost", "recorded"] == sorted(outcome.outcome for (outcome,) in outcomes)
    assert (1, 0) == (len(list_conversations(stores, batch_id)), len(list_failures(stores, batch_id)))
    progress = read(stores, batch_id)
    assert (BatchStatus.COMPLETED, 2) == (progress.status, progress.attempts), "both paid replies are kept"


def test_the_same_result_recorded_at_once_by_two_is_recorded_once(stores: Stores) -> None:
    """A worker that was thought dead and the reconciler that found its file."""
    batch_id = submit(stores, make_selection(1, 1, 1), concurrency=1)
    result = accept(lease(stores, batch_id)[0])

    run_at_once(stores, lambda worker: worker.record([result]), lambda worker: worker.record([result]))

    assert 1 == len(list_conversations(stores, batch_id))
    assert 1 == read(stores, batch_id).attempts


def test_nobody_leases_beside_the_canary_while_its_last_item_is_recorded(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 6), canary_items=1, concurrency=6)
    (canary,) = lease(stores, batch_id)

    async def lease_rest(worker: WorkStore) -> int:
        return len((await worker.lease(batch_id, "test:2", 6, 30)).items)

    async def record_canary(worker: WorkStore) -> int:
        await worker.record([fail(canary)])
        return 0

    leased, _ = run_at_once(stores, lease_rest, record_canary)

    assert 0 == leased, "before its end the canary runs alone, and after it the batch is paused"
    assert () == lease(stores, batch_id)
    assert BatchStatus.PAUSED is read(stores, batch_id).status
