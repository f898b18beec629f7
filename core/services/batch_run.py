"""A worker's run of one batch: lease items, keep as many in flight as the pace allows, record each result.

A slot is used again only when its result is in the database.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from core.domain.batches.work import BatchPlan, ItemResult, LeasedItem
from core.errors import BrightRunError, ServiceUnavailable
from core.ports import WorkStore
from core.services.item_failures import describe_rejected, describe_unstorable
from core.services.recording import ResultRecorder
from core.services.shared_pace import SharedPace

log = structlog.get_logger(__name__)

MAX_HOLD_SECONDS = 5.0
"""How often a held-back loop checks again: another worker may have raised the pace, or an analyst cancelled."""
IDLE_WAIT_SECONDS = 1.0
"""How long a loop with free slots waits before it asks for items again."""


@dataclass(kw_only=True)
class BatchRun:
    """The loop over one batch: what is in flight, and the heartbeat that keeps its leases. `generate` makes one attempt."""

    plan: BatchPlan
    store: WorkStore
    recorder: ResultRecorder
    pace: SharedPace
    generate: Callable[[LeasedItem], Awaitable[ItemResult]]
    worker: str
    lease_seconds: float
    stopping: asyncio.Event
    in_flight: dict[asyncio.Task[None], LeasedItem] = field(default_factory=dict)

    async def run(self) -> None:
        """Work until the batch has nothing left for this worker, or the worker is asked to stop."""
        await self.pace.begin()
        async with self._heartbeat():
            while not self.stopping.is_set():
                wait_seconds = await self._take_items()
                if wait_seconds is None and not self.in_flight:
                    break
                await self._wait(wait_seconds)
            if self.in_flight:
                await asyncio.wait(self.in_flight)

    async def _take_items(self) -> float | None:
        """Fill the free slots. Return the seconds until the next lease; None: when a call ends."""
        pace = await self.pace.read()
        held_seconds = pace.wait_seconds(datetime.now(UTC))
        free = min(self.plan.settings.concurrency, pace.limit) - len(self.in_flight)
        if held_seconds > 0:
            free = 0  # Still called: the batch may have been cancelled.
        elif free <= 0:
            return None
        try:
            lease = await self.store.lease(self.plan.id, self.worker, free, self.lease_seconds)
        except BrightRunError as error:
            # What is in flight is paid for, so the loop waits instead of ending. Without any, the next job may do better.
            if not self.in_flight and not isinstance(error, ServiceUnavailable):
                raise
            log.warning("items_not_leased", batch_id=str(self.plan.id), error=str(error))
            return IDLE_WAIT_SECONDS
        for item in lease.items:
            task = asyncio.create_task(self._process(item), name=f"item {item.position}")
            self.in_flight[task] = item
            task.add_done_callback(self._forget)
        if lease.status is None or not lease.status.is_active or lease.next_available_in_seconds is None:
            return None
        if held_seconds > 0:
            return min(held_seconds, MAX_HOLD_SECONDS)
        if lease.next_available_in_seconds <= 0:
            # Items are there, but the batch's concurrency is used up, by this worker or by others.
            return None if self.in_flight else IDLE_WAIT_SECONDS
        # A cancel or pause must not wait for a delay, nor keep this worker from other batches.
        return min(lease.next_available_in_seconds, MAX_HOLD_SECONDS)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self.in_flight.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("item_crashed", batch_id=str(self.plan.id), error=str(error), exc_info=error)

    async def _wait(self, wait_seconds: float | None) -> None:
        """Wait until a call ends, an item becomes available, or the worker is asked to stop."""
        stop = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait({*self.in_flight, stop}, timeout=wait_seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()

    async def _process(self, item: LeasedItem) -> None:
        result = await self.generate(item)
        try:
            outcome = await self.recorder.record(result)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reply is paid for
            # Recording again would be refused again, and another attempt would be paid for again.
            rejected = describe_rejected(result, error, self.plan.settings)
            try:
                outcome = await self.recorder.record(rejected)
            except Exception as again:
                log.exception("failure_rejected", batch_id=str(self.plan.id), item_id=str(item.item_id))
                outcome = await self.recorder.record(describe_unstorable(rejected, again))
        if outcome.outcome != "recorded":
            log.warning(outcome.outcome, batch_id=str(self.plan.id), item_id=str(item.item_id))

    @asynccontextmanager
    async def _heartbeat(self) -> AsyncGenerator[None]:
        task = asyncio.create_task(self._extend_leases(), name="heartbeat")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _extend_leases(self) -> None:
        while True:
            await asyncio.sleep(self.lease_seconds / 3)
            items = tuple(self.in_flight.values())
            if not items:
                continue
            try:
                await self.store.extend(self.plan.id, items, self.lease_seconds)
            except BrightRunError as error:
                # Recording will tell whether the leases held; a paid call is not aborted.
                log.warning("leases_not_extended", batch_id=str(self.plan.id), items=len(items), error=str(error))
