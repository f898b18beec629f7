"""Whether a lease, a result or a look costs more in a large batch, through the calls that a worker and the pages make."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from random import Random
from typing import TypeVar
from uuid import uuid4

import psycopg

from core.adapters.supabase.migrations import apply_migrations
from core.adapters.supabase.session import open_worker_client
from core.adapters.supabase.worker import SupabaseWorkStore
from core.bench.growth_figures import Growth, GrowthResult, Step
from core.bench.large_batch import select_items, submit_items
from core.bootstrap import PageServices, open_local_services
from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId, BatchSettings
from core.domain.batches.work import Attempt, ItemAccepted, LeasedItem, LeaseRequest
from core.domain.verdict.reply import RawResponse, TokenUsage
from core.embedded.plan import REPOSITORY, SERVICES, StackPlan
from core.embedded.simulator.dialogue import write_conversation
from core.embedded.simulator.scene import Scene
from core.embedded.stack import start_stack
from core.errors import StackError
from core.seed import seed

BUDGET_USD = 900_000.0
CANARY_ITEMS = 10
CONCURRENCY = 200
GROUP = 10
LEASE_SECONDS = 3_600.0
WORKER = "growth:1"
_CONVERSATION = write_conversation(Scene(turn_count_min=4, turn_count_max=4), Random(0))  # noqa: S311 - variety, not secrets
_BODY = _CONVERSATION.model_dump_json().encode()
Say = Callable[[str], None]
Found = TypeVar("Found")


def count_fewest_items(rounds: int) -> int:
    """Return how many items the smallest batch needs: the canary, and those of the rounds."""
    return CANARY_ITEMS + rounds * (GROUP + 1)


def run_growth(settings: Settings, sizes: Sequence[int], rounds: int, say: Say) -> GrowthResult:
    """Measure every step in batches of these sizes, nearly all items done, the smallest first: the database grows, too."""
    plan = StackPlan(settings, SERVICES, migrate=partial(apply_migrations, folder=REPOSITORY / "migrations"), seed=seed)
    with start_stack(plan, say) as stack, closing(open_local_services(stack.settings)) as services:
        bench = GrowthBench(stack.settings, services, say)
        return asyncio.run(bench.run(sorted(sizes), rounds))


class GrowthBench:
    """The measurements of one stack."""

    def __init__(self, settings: Settings, services: PageServices, say: Say) -> None:
        self._settings, self._services, self._say = settings, services, say
        self._batches: dict[int, BatchId] = {}
        self._rounds_ms: dict[tuple[Step, int], list[float]] = {}

    async def run(self, sizes: Sequence[int], rounds: int) -> GrowthResult:
        """Measure every size, after it has filled its batch."""
        url, _ = self._settings.require_supabase()
        async with open_worker_client(url, self._settings.require_secret_key()) as client:
            store = SupabaseWorkStore(client=client)
            for size in sizes:
                self.measure_whole(size)
                await self._close_items(store, size, size - rounds * (GROUP + 1))
                self._vacuum()
                for _ in range(rounds):
                    await self._measure_round(store, size)
        return GrowthResult(
            sizes=tuple(sizes),
            figures=tuple(
                Growth(step=step, items=size, rounds_ms=tuple(found)) for (step, size), found in self._rounds_ms.items()
            ),
        )

    def measure_whole(self, size: int) -> None:
        """Submit two batches; cancel one and keep the other."""
        settings = self._settings.batch_defaults.model_copy(
            update={"concurrency": CONCURRENCY, "budget_usd": BUDGET_USD, "canary_items": CANARY_ITEMS}
        )
        cancelled = self._submit(size, settings)
        self._clock(Step.CANCEL, size, partial(self._services.batches.control, cancelled, BatchAction.CANCEL))
        self._batches[size] = self._submit(size, settings)
        self._say(f"{size:,} items submitted in {self._rounds_ms[Step.SUBMIT_ALL, size][-1] / 1000:.2f} s")

    async def _measure_round(self, store: SupabaseWorkStore, size: int) -> None:
        batch_id, monitor = self._batches[size], self._services.monitor
        lease = await self._clock_async(Step.LEASE, size, partial(store.lease, batch_id, ask(1)))
        kept = await store.keep([accept(item) for item in lease.items])
        await self._clock_async(Step.RECORD, size, partial(store.record, kept))
        group = await store.lease(batch_id, ask(GROUP))
        if (len(lease.items), len(group.items)) != (1, GROUP):
            raise StackError(f"The batch of {size:,} items gave {len(lease.items)} and {len(group.items)} items.")
        kept = await store.keep([accept(item) for item in group.items])
        await self._clock_async(Step.RECORD_GROUP, size, partial(store.record, kept), parts=GROUP)
        self._clock(Step.WATCH, size, partial(monitor.watch, batch_id))
        self._clock(Step.LIST_ITEMS, size, partial(monitor.list_items, batch_id))
        self._clock(Step.LIST_BATCHES, size, monitor.list_batches)

    async def _close_items(self, store: SupabaseWorkStore, size: int, wanted: int) -> None:
        began, closed = time.monotonic(), 0
        while closed < wanted:
            group_began = time.perf_counter()
            lease = await store.lease(self._batches[size], ask(min(wanted - closed, CONCURRENCY)))
            kept = await store.keep([accept(item, with_body=False) for item in lease.items])
            outcomes = await store.record(kept)
            self._note(Step.CLOSE, size, group_began, max(len(lease.items), 1))
            if not lease.items or any(outcome.outcome != "recorded" for outcome in outcomes):
                raise StackError(f"Items of the batch of {size:,} could not be closed: {lease}")
            closed += len(lease.items)
        self._say(f"{closed:,} of {size:,} items closed in {time.monotonic() - began:.0f} s")

    def _submit(self, size: int, settings: BatchSettings) -> BatchId:
        selection = select_items(self._services, self._settings.require_db_url(), size)
        batch_id = self._clock(Step.SUBMIT_ALL, size, partial(submit_items, self._services, selection, settings, size))
        self._rounds_ms.setdefault((Step.SUBMIT, size), []).append(self._rounds_ms[Step.SUBMIT_ALL, size][-1] / size)
        return batch_id

    def _vacuum(self) -> None:
        """Do what autovacuum does within its next minute, so that it does not do it in the middle of a measurement."""
        with psycopg.connect(self._settings.require_db_url(), autocommit=True) as connection:
            connection.execute("vacuum analyze")

    def _clock(self, step: Step, size: int, act: Callable[[], Found]) -> Found:
        began = time.perf_counter()
        found = act()
        self._note(step, size, began)
        return found

    async def _clock_async(self, step: Step, size: int, act: Callable[[], Awaitable[Found]], *, parts: int = 1) -> Found:
        began = time.perf_counter()
        found = await act()
        self._note(step, size, began, parts)
        return found

    def _note(self, step: Step, size: int, began: float, parts: int = 1) -> None:
        self._rounds_ms.setdefault((step, size), []).append((time.perf_counter() - began) * 1000 / parts)


def ask(wanted: int) -> LeaseRequest:
    """Ask for items as a worker that has none."""
    return LeaseRequest(worker=WORKER, wanted=wanted, lease_seconds=LEASE_SECONDS)


def accept(item: LeasedItem, *, with_body: bool = True) -> ItemAccepted:
    """Return an accepted result of an item, as a worker brings it."""
    attempt = Attempt(
        id=uuid4(),
        model="claude-sonnet-5-5",
        settings=BatchSettings(model="claude-sonnet-5-5", max_tokens=24_576),
        prompt_length=9_000,
        started_at=datetime.now(UTC),
        duration_ms=1_000,
        simulated=True,
        worker=WORKER,
        stop_reason="end_turn",
        http_status=200,
        request_id=f"req_{item.item_id.hex}",
        usage=TokenUsage(input_tokens=2_500, output_tokens=1_500),
        cost_usd=Decimal("0.03"),
        raw=RawResponse(status_code=200, headers={}, body=_BODY) if with_body else None,
    )
    return ItemAccepted(item=item, attempt=attempt, prompt_text="Write.", conversation=_CONVERSATION)
