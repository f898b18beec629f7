"""Whole batches on the real stack, shared by workers that run at the same time against one simulated Claude."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

import psycopg
import pytest

from core.adapters.claude.client import open_claude
from core.adapters.files.spool import FileSpool
from core.adapters.files.spooling import SpoolingWorkStore
from core.adapters.queue.redis_connection import connect_async_redis
from core.adapters.queue.redis_pace_board import RedisPaceBoard
from core.adapters.supabase.session import open_worker_client
from core.adapters.supabase.worker import SupabaseWorkStore
from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId, BatchStatus
from core.services.generation import GenerationService
from tests.factories import make_selection
from tests.fakes.worker import make_worker
from tests.support.simulator import running_simulator
from tests.support.stores import Stores, read, submit

TOTALS_THAT_DIFFER = """
with counted as (
    select b.id, count(i.id) as planned, count(i.id) filter (where i.status = 'queued') as queued,
        count(i.id) filter (where i.status = 'processing') as processing,
        count(i.id) filter (where i.status = 'completed') as completed,
        count(i.id) filter (where i.status = 'failed') as failed,
        count(i.id) filter (where i.status = 'cancelled') as cancelled
    from public.batches b left join public.batch_items i on i.batch_id = b.id group by b.id
), used as (
    select b.id, count(a.id) as attempts, count(a.id) filter (where a.simulated) as simulated_attempts,
        coalesce(sum(a.cost_usd), 0) as cost_usd, count(a.cost_usd) as priced_calls,
        count(a.id) filter (where a.cost_usd is null and a.stop_reason is not null) as unpriced_replies,
        coalesce(sum(a.input_tokens), 0) as input_tokens, coalesce(sum(a.output_tokens), 0) as output_tokens
    from public.batches b left join public.generation_attempts a on a.batch_id = b.id group by b.id
)
select t.batch_id from public.batch_totals t join counted c on c.id = t.batch_id join used u on u.id = t.batch_id
where (t.planned, t.queued, t.processing, t.completed, t.failed, t.cancelled)
        <> (c.planned, c.queued, c.processing, c.completed, c.failed, c.cancelled)
    or (t.attempts, t.simulated_attempts, t.cost_usd, t.priced_calls, t.unpriced_replies, t.input_tokens, t.output_tokens)
        <> (u.attempts, u.simulated_attempts, u.cost_usd, u.priced_calls, u.unpriced_replies, u.input_tokens,
            u.output_tokens)
"""


@dataclass(frozen=True, kw_only=True)
class OwnBatches(SpoolingWorkStore):
    """A store that leaves the batches of other tests alone."""

    wanted: frozenset[BatchId] = frozenset()

    async def list_batches_to_help(self, worker: str) -> tuple[BatchId, ...]:
        return tuple(batch_id for batch_id in await super().list_batches_to_help(worker) if batch_id in self.wanted)


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Workers of one host over the real stack."""

    settings: Settings
    folder: Path
    claude: str
    """Where the simulated Claude is."""
    batches: frozenset[BatchId]

    async def run(self, *firsts: BatchId, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        """Start a worker for each of these batches, and end when all have nothing left."""
        async with AsyncExitStack() as opened:
            jobs = [
                asyncio.create_task((await self._open(opened, number)).run_batches(first))
                for number, first in enumerate(firsts)
            ]
            if meanwhile is not None:
                await meanwhile()
            await asyncio.gather(*jobs)

    async def _open(self, opened: AsyncExitStack, number: int) -> GenerationService:
        url, _ = self.settings.require_supabase()
        client = await opened.enter_async_context(open_worker_client(url, self.settings.require_secret_key()))
        model = await opened.enter_async_context(
            open_claude(api_key="sk-any", base_url=self.claude, timeout_seconds=20, simulated=True)
        )
        redis = await opened.enter_async_context(connect_async_redis(self.settings.require_redis()))
        store = OwnBatches(inner=SupabaseWorkStore(client=client), spool=FileSpool(folder=self.folder), wanted=self.batches)
        return make_worker(store, model, worker=f"test:{number}", pace_board=RedisPaceBoard(redis=redis))


def query(settings: Settings, sql: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(settings.require_db_url(), autocommit=True) as connection:
        return connection.execute(sql.encode(), values).fetchall()


async def wait_until(is_so: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(is_so):  # noqa: ASYNC110 - the database sends no events
        await asyncio.sleep(0.1)


def read_stats(claude: str) -> dict[str, int]:
    with urlopen(f"{claude}/stats") as answer:
        return json.load(answer)


def list_workers(stores: Stores, batch_id: BatchId) -> set[object]:
    rows = query(stores.settings, "select distinct worker from generation_attempts where batch_id = %s", batch_id)
    return {worker for (worker,) in rows}


@pytest.mark.parametrize("faults", ["", "overloaded=0.15,cut_string=0.08,server_error=0.1"])
def test_two_workers_share_a_batch_and_nothing_is_called_twice(stores: Stores, tmp_path: Path, faults: str) -> None:
    batch_id = submit(stores, make_selection(3, 1, 20), concurrency=6)
    with running_simulator(faults, latency_seconds=0.1, latency_spread=0) as claude:
        workers = Workers(settings=stores.settings, folder=tmp_path, claude=claude, batches=frozenset({batch_id}))
        asyncio.run(workers.run(batch_id, batch_id))
        stats = read_stats(claude)

    progress = read(stores, batch_id)
    assert (BatchStatus.COMPLETED, 60) == (progress.status, progress.accepted + progress.failed)
    assert progress.attempts == stats["requests"], "each call is recorded once"
    assert {"test:0", "test:1"} == list_workers(stores, batch_id)
    assert stats["in_flight_max"] <= 6, "over both workers"
    assert [] == [path for path in tmp_path.rglob("*") if path.is_file()], "nothing is left on disk"
    assert [] == query(stores.settings, "select 1 from batch_workers where batch_id = %s", batch_id)
    assert [] == query(stores.settings, TOTALS_THAT_DIFFER)


def test_a_small_batch_behind_a_large_one_ends_while_the_large_one_runs(stores: Stores, tmp_path: Path) -> None:
    large = submit(stores, make_selection(2, 3, 20), concurrency=20)
    small = submit(stores, make_selection(1, 1, 2), concurrency=2)
    ended: list[BatchStatus] = []

    async def watch() -> None:
        await wait_until(lambda: read(stores, small).status is BatchStatus.COMPLETED)
        ended.append(read(stores, large).status)

    with running_simulator(latency_seconds=1, latency_spread=0) as claude:
        workers = Workers(settings=stores.settings, folder=tmp_path, claude=claude, batches=frozenset({large, small}))
        asyncio.run(workers.run(large, meanwhile=watch))

    assert [BatchStatus.PROCESSING] == ended
    assert 120 == read(stores, large).accepted
    waited = "select extract(epoch from started_at - created_at) < 30 from batch_items where batch_id = %s"
    assert {(True,)} == set(query(stores.settings, waited, small))


def test_a_paused_batch_gives_back_what_was_not_called(stores: Stores, tmp_path: Path) -> None:
    batch_id = submit(stores, make_selection(2, 1, 20), concurrency=4)

    async def pause() -> None:
        await wait_until(lambda: read(stores, batch_id).running > 0)
        await asyncio.to_thread(stores.batches.control, batch_id, BatchAction.PAUSE)

    with running_simulator(latency_seconds=2, latency_spread=0) as claude:
        workers = Workers(settings=stores.settings, folder=tmp_path, claude=claude, batches=frozenset({batch_id}))
        asyncio.run(workers.run(batch_id, meanwhile=pause))
        calls = read_stats(claude)["requests"]

    progress = read(stores, batch_id)
    assert (BatchStatus.PAUSED, 0) == (progress.status, progress.running)
    assert calls == progress.accepted == progress.attempts
    assert progress.queued == 40 - calls
    lost = "select count(*) from batch_items where batch_id = %s and lost_leases > 0"
    assert [(0,)] == query(stores.settings, lost, batch_id)


def test_calls_are_spread_over_the_output_tokens_of_a_minute(stores: Stores, tmp_path: Path) -> None:
    batch_id = submit(stores, make_selection(1, 1, 16), concurrency=4)

    with running_simulator(latency_seconds=0.1, latency_spread=0, output_tokens_per_minute=200_000) as claude:
        workers = Workers(settings=stores.settings, folder=tmp_path, claude=claude, batches=frozenset({batch_id}))
        asyncio.run(workers.run(batch_id))
        with urlopen(f"{claude}/calls") as answer:
            arrivals = sorted(arrived for arrived, _ in json.load(answer))

    progress = read(stores, batch_id)
    assert 16 == progress.accepted == progress.attempts, "none was refused"
    spacing_seconds = 60 * (progress.output_tokens / 16) / 200_000
    later = [after - before for before, after in pairwise(arrivals[6:])]
    assert sum(later) / len(later) > spacing_seconds / 2, "after the first ones, whose tokens nobody knew"
    assert "output tokens a minute allow" in (progress.pace_reason or "")


def test_a_large_batch_shows_the_same_curve_and_stop_reasons_from_its_parts(stores: Stores, tmp_path: Path) -> None:
    batch_id = submit(stores, make_selection(3, 3, 20), concurrency=50)
    with running_simulator("cut_string=0.1", seed=3) as claude:
        workers = Workers(settings=stores.settings, folder=tmp_path, claude=claude, batches=frozenset({batch_id}))
        asyncio.run(workers.run(batch_id))

    progress = read(stores, batch_id)
    parts = query(
        stores.settings, "select sum(accepted), sum(failed), count(*) from batch_trend where batch_id = %s", batch_id
    )
    assert [(progress.accepted, progress.failed)] == [row[:2] for row in parts]
    curve = "select jsonb_array_length(join_trend_parts(%s, 1)), jsonb_array_length(group_judged_items(%s, 1))"
    assert [(1, 1)] == query(stores.settings, curve, batch_id, batch_id)
    whole = "select (join_trend_parts(%s, 1) -> 0) - 'at' = (group_judged_items(%s, 1) -> 0) - 'at'"
    assert [(True,)] == query(stores.settings, whole, batch_id, batch_id)
    counted = "select coalesce(stop_reason, 'none'), count(*) from generation_attempts where batch_id = %s group by 1"
    kept = "select stop_reason, attempts from batch_stop_reasons where batch_id = %s"
    assert set(query(stores.settings, counted, batch_id)) == set(query(stores.settings, kept, batch_id))
