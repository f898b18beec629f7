"""Cancelling reaches an item in any state, in the real database; and a paid reply that comes later is kept."""

from collections.abc import Callable

import psycopg
import pytest

from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId, BatchStatus
from core.domain.batches.work import ItemReleased
from tests.factories import make_attempt
from tests.support.results import accept
from tests.support.stores import Stores, lease, read, record, submit

NO_LEASE = 0.0


def execute(settings: Settings, statement: str, batch_id: BatchId) -> None:
    with psycopg.connect(settings.require_db_url(), autocommit=True) as connection:
        connection.execute(statement, (batch_id,))  # pyright: ignore[reportArgumentType] - the test's own text


def never_leased(_stores: Stores, _batch_id: BatchId) -> None: ...


def waiting_for_its_next_try(stores: Stores, batch_id: BatchId) -> None:
    items = lease(stores, batch_id, 2)
    waiting = [ItemReleased(item=item, attempt=make_attempt(), delay_seconds=3600) for item in items]
    record(stores, *waiting)


def held_by_a_dead_worker(stores: Stores, batch_id: BatchId) -> None:
    lease(stores, batch_id, 2, lease_seconds=NO_LEASE)


def taken_back_from_a_dead_worker(stores: Stores, batch_id: BatchId) -> None:
    held_by_a_dead_worker(stores, batch_id)
    stores.reconciler.reconcile()


def paused(stores: Stores, batch_id: BatchId) -> None:
    stores.batches.control(batch_id, BatchAction.PAUSE)


def paused_while_a_dead_worker_holds_it(stores: Stores, batch_id: BatchId) -> None:
    held_by_a_dead_worker(stores, batch_id)
    paused(stores, batch_id)


def paused_because_nobody_can_read_it(stores: Stores, batch_id: BatchId) -> None:
    execute(stores.settings, "update public.batches set snapshot = '{}' where id = %s", batch_id)
    stores.work(lambda store: store.pause(batch_id, "Paused automatically: its scaffolding cannot be read."))


@pytest.mark.parametrize(
    "bring_about",
    [
        never_leased,
        waiting_for_its_next_try,
        held_by_a_dead_worker,
        taken_back_from_a_dead_worker,
        paused,
        paused_while_a_dead_worker_holds_it,
        paused_because_nobody_can_read_it,
    ],
)
def test_cancelling_closes_an_item_at_once(stores: Stores, bring_about: Callable[[Stores, BatchId], None]) -> None:
    batch_id = submit(stores)
    bring_about(stores, batch_id)

    assert stores.batches.control(batch_id, BatchAction.CANCEL) is BatchStatus.CANCELLED

    progress = read(stores, batch_id)
    assert (progress.cancelled, progress.remaining) == (2, 0)
    assert progress.completed_at is not None
    assert lease(stores, batch_id, 1) == ()


def test_a_call_that_runs_may_end_and_its_reply_is_kept(stores: Stores) -> None:
    batch_id = submit(stores)
    (item,) = lease(stores, batch_id, 1)
    stores.batches.control(batch_id, BatchAction.CANCEL)

    assert stores.work(lambda store: store.extend(batch_id, (item,), 60)) == {item.item_id}
    assert (read(stores, batch_id).running, read(stores, batch_id).cancelled) == (1, 1)
    record(stores, accept(item))

    progress = read(stores, batch_id)
    assert (progress.status, progress.accepted, progress.cancelled) == (BatchStatus.CANCELLED, 1, 1)


@pytest.mark.parametrize("ended_long_ago", ["stopped_at = now() - interval '11 minutes'", "stopped_at = null"])
def test_a_worker_that_never_comes_back_does_not_hold_an_item_for_ever(stores: Stores, ended_long_ago: str) -> None:
    batch_id = submit(stores)
    (item,) = lease(stores, batch_id, 1)
    stores.batches.control(batch_id, BatchAction.CANCEL)
    execute(stores.settings, f"update public.batches set {ended_long_ago} where id = %s", batch_id)

    assert stores.work(lambda store: store.extend(batch_id, (item,), 60)) == frozenset()
    execute(stores.settings, "update public.batch_items set lease_expires_at = now() - interval '1 second'"
                  " where batch_id = %s and status = 'processing'", batch_id)  # fmt: skip
    stores.reconciler.reconcile()

    assert (read(stores, batch_id).cancelled, read(stores, batch_id).remaining) == (2, 0)
    record(stores, accept(item))  # It was paid for.
    assert (read(stores, batch_id).accepted, read(stores, batch_id).cancelled) == (1, 1)


def test_a_running_batch_keeps_its_leases(stores: Stores) -> None:
    batch_id = submit(stores)
    (item,) = lease(stores, batch_id, 1)

    assert stores.work(lambda store: store.extend(batch_id, (item,), 60)) == {item.item_id}
