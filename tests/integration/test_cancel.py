"""Cancelling reaches an item in any state, in the real database; and a paid reply that comes later is kept."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import psycopg
import pytest

from core.adapters.supabase.pages import SupabaseBatchStore
from core.adapters.supabase.session import Analyst, open_service, open_worker_client
from core.adapters.supabase.worker import SupabaseReconciler, SupabaseWorkStore
from core.config import Settings
from core.domain.batch import BatchAction, BatchId, BatchProgress, BatchStatus
from core.domain.estimate import estimate_batch
from core.domain.parsing import ParsedConversation, parse_conversation
from core.domain.work import ItemAccepted, ItemReleased, LeasedItem
from core.ports import WorkStore
from tests.factories import make_attempt, make_conversation_json, make_selection, make_settings
from tests.support.stack import sign_up

Result = TypeVar("Result")
NO_LEASE = 0.0


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One analyst's batch, and the worker's side of it."""

    settings: Settings
    analyst: Analyst

    def submit(self, items: int = 2) -> BatchId:
        batches = SupabaseBatchStore(analyst=self.analyst)
        estimate = estimate_batch(items, concurrency=3)
        return batches.submit("B", make_selection(1, 1, items), make_settings(), estimate, None).batch_id

    def work(self, use: Callable[[WorkStore], Awaitable[Result]]) -> Result:
        async def run() -> Result:
            url, _ = self.settings.require_supabase()
            async with open_worker_client(url, self.settings.require_secret_key()) as client:
                return await use(SupabaseWorkStore(client=client))

        return asyncio.run(run())

    def lease(self, batch_id: BatchId, wanted: int = 1, lease_seconds: float = 60.0) -> tuple[LeasedItem, ...]:
        return self.work(lambda store: store.lease(batch_id, "test:1", wanted, lease_seconds)).items

    def control(self, batch_id: BatchId, action: BatchAction) -> BatchStatus:
        return SupabaseBatchStore(analyst=self.analyst).control(batch_id, action, None)

    def read(self, batch_id: BatchId) -> BatchProgress:
        progress = SupabaseBatchStore(analyst=self.analyst).get(batch_id)
        assert progress is not None
        return progress

    def reconcile(self) -> None:
        with open_service(self.settings.require_supabase()[0], self.settings.require_secret_key()) as client:
            SupabaseReconciler(client=client).reconcile()

    def execute(self, statement: str, batch_id: BatchId) -> None:
        with psycopg.connect(self.settings.require_db_url(), autocommit=True) as connection:
            connection.execute(statement, (batch_id,))  # pyright: ignore[reportArgumentType] - the test's own text


@pytest.fixture
def bench(seeded: Settings) -> Iterator[Bench]:
    with sign_up(seeded) as analyst:
        yield Bench(settings=seeded, analyst=analyst)


def make_accepted(item: LeasedItem) -> ItemAccepted:
    parsed = parse_conversation(make_conversation_json())
    assert isinstance(parsed, ParsedConversation)
    return ItemAccepted(item=item, attempt=make_attempt(), prompt_text="p", conversation=parsed.conversation)


def never_leased(_bench: Bench, _batch_id: BatchId) -> None: ...


def waiting_for_its_next_try(bench: Bench, batch_id: BatchId) -> None:
    items = bench.lease(batch_id, wanted=2)
    waiting = [ItemReleased(item=item, attempt=make_attempt(), delay_seconds=3600) for item in items]
    bench.work(lambda store: store.record(waiting))


def held_by_a_dead_worker(bench: Bench, batch_id: BatchId) -> None:
    bench.lease(batch_id, wanted=2, lease_seconds=NO_LEASE)


def taken_back_from_a_dead_worker(bench: Bench, batch_id: BatchId) -> None:
    held_by_a_dead_worker(bench, batch_id)
    bench.reconcile()


def paused(bench: Bench, batch_id: BatchId) -> None:
    bench.control(batch_id, BatchAction.PAUSE)


def paused_while_a_dead_worker_holds_it(bench: Bench, batch_id: BatchId) -> None:
    held_by_a_dead_worker(bench, batch_id)
    paused(bench, batch_id)


def paused_because_nobody_can_read_it(bench: Bench, batch_id: BatchId) -> None:
    bench.execute("update public.batches set snapshot = '{}' where id = %s", batch_id)
    bench.work(lambda store: store.pause(batch_id, "Paused automatically: its scaffolding cannot be read."))


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
def test_cancelling_closes_an_item_at_once(bench: Bench, bring_about: Callable[[Bench, BatchId], None]) -> None:
    batch_id = bench.submit()
    bring_about(bench, batch_id)

    assert bench.control(batch_id, BatchAction.CANCEL) is BatchStatus.CANCELLED

    progress = bench.read(batch_id)
    assert (progress.cancelled, progress.remaining) == (2, 0)
    assert progress.completed_at is not None
    assert bench.lease(batch_id) == ()


def test_a_call_that_runs_may_end_and_its_reply_is_kept(bench: Bench) -> None:
    batch_id = bench.submit()
    (item,) = bench.lease(batch_id)
    bench.control(batch_id, BatchAction.CANCEL)

    assert bench.work(lambda store: store.extend(batch_id, (item,), 60)) == {item.item_id}
    assert (bench.read(batch_id).running, bench.read(batch_id).cancelled) == (1, 1)
    bench.work(lambda store: store.record([make_accepted(item)]))

    progress = bench.read(batch_id)
    assert (progress.status, progress.accepted, progress.cancelled) == (BatchStatus.CANCELLED, 1, 1)


@pytest.mark.parametrize("ended_long_ago", ["stopped_at = now() - interval '11 minutes'", "stopped_at = null"])
def test_a_worker_that_never_comes_back_does_not_hold_an_item_for_ever(bench: Bench, ended_long_ago: str) -> None:
    batch_id = bench.submit()
    (item,) = bench.lease(batch_id)
    bench.control(batch_id, BatchAction.CANCEL)
    bench.execute(f"update public.batches set {ended_long_ago} where id = %s", batch_id)

    assert bench.work(lambda store: store.extend(batch_id, (item,), 60)) == frozenset()
    bench.execute("update public.batch_items set lease_expires_at = now() - interval '1 second'"
                  " where batch_id = %s and status = 'processing'", batch_id)  # fmt: skip
    bench.reconcile()

    assert (bench.read(batch_id).cancelled, bench.read(batch_id).remaining) == (2, 0)
    bench.work(lambda store: store.record([make_accepted(item)]))  # It was paid for.
    assert (bench.read(batch_id).accepted, bench.read(batch_id).cancelled) == (1, 1)


def test_a_running_batch_keeps_its_leases(bench: Bench) -> None:
    batch_id = bench.submit()
    (item,) = bench.lease(batch_id)

    assert bench.work(lambda store: store.extend(batch_id, (item,), 60)) == {item.item_id}
