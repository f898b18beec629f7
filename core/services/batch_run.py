"""A worker's run of one batch: items are leased a little ahead, and a call that ends makes room for the next at once.

A result frees its slot when it is safe on disk. It is recorded while the next calls run, and its lease is kept until then.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from core.domain.batches.batch import BatchStatus, ErrorHandling
from core.domain.batches.work import BatchPlan, ItemFailed, ItemId, ItemReleased, ItemResult, Lease, LeasedItem, LeaseRequest
from core.errors import BrightRunError, ServiceUnavailable
from core.ports.work import WorkStore
from core.services.call_slots import CallSlots
from core.services.recording import ResultRecorder
from core.services.shared_pace import SharedPace

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often a worker that holds items asks whether the batch is paused, and how many calls are its own."""
MAX_WAIT_SECONDS = 5.0
"""Also while an item's next try is minutes away: the batch may be cancelled."""
NOT_YET = Lease(status=BatchStatus.QUEUED, share=1, next_available_in_seconds=0)
"""What a run assumes before the database has answered."""


@dataclass(kw_only=True)
class BatchRun:
    """The loop over one batch, and the heartbeat that keeps its leases. `generate` makes one attempt."""

    plan: BatchPlan
    store: WorkStore
    recorder: ResultRecorder
    pace: SharedPace
    slots: CallSlots
    generate: Callable[[LeasedItem], Awaitable[ItemResult]]
    worker: str
    lease_seconds: float
    stopping: asyncio.Event
    _ready: deque[LeasedItem] = field(default_factory=deque[LeasedItem])
    """Leased, not called yet."""
    _calling: set[ItemId] = field(default_factory=set[ItemId])
    """Called, and the result is not safe yet."""
    _tasks: dict[asyncio.Task[None], LeasedItem] = field(default_factory=dict[asyncio.Task[None], LeasedItem])
    """Called, and not recorded yet."""
    _lease: Lease = NOT_YET
    _leasing: asyncio.Task[Lease] | None = None
    _lease_at: float = 0.0
    """When to ask for items, by `time.monotonic`."""
    _looked_at: float = 0.0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Work until the batch has nothing left for this worker, or the worker is asked to stop."""
        await self.pace.sync()
        self.slots.join(self.plan.id, self.plan.created_by)
        try:
            async with self._heartbeat(), self._woken_when_stopped():
                while not self._is_over():
                    self._ask_for_items()
                    await self._wait(self._start_calls())
                    self._take_items()
                    if self._lease.share == 0:  # Whoever makes the calls may wait for just these items.
                        self._give_back()
                self._give_back()
                while self._tasks or self._leasing:
                    await self._wait(MAX_WAIT_SECONDS)
                    self._take_items()
                    self._give_back()
        finally:
            self.slots.leave(self.plan.id)
            await self._leave()

    def _is_over(self) -> bool:
        """Whether there is nothing to wait for but what runs."""
        if self.stopping.is_set() or not self._is_active:
            return True
        is_of_no_use = self._lease.next_available_in_seconds is None or self._lease.share == 0
        return is_of_no_use and not (self._leasing or self._ready or self._tasks)

    @property
    def _is_active(self) -> bool:
        return self._lease.status is not None and self._lease.status.is_active

    def _ask_for_items(self) -> None:
        """Ask for items where few are left; otherwise from time to time for the state of the batch."""
        if self._leasing is not None:
            return
        now = time.monotonic()
        is_short = now >= self._lease_at and len(self._ready) <= self._lease.ahead // 2 and self._find_hold_seconds() <= 0
        if is_short or now - self._looked_at >= self._find_look_seconds():
            self._looked_at = now
            self._leasing = asyncio.create_task(self._request_lease(2 * self.plan.settings.concurrency if is_short else 0))
            self._leasing.add_done_callback(lambda _task: self._wake.set())

    async def _request_lease(self, wanted: int) -> Lease:
        await self.pace.sync()
        request = LeaseRequest(
            worker=self.worker,
            wanted=wanted,
            lease_seconds=self.lease_seconds,
            held=len(self._ready) + len(self._calling),
            calling=len(self._calling),
        )
        lease = await self.store.lease(self.plan.id, request)
        if wanted:
            self._lease_at = time.monotonic() + _find_wait_seconds(lease)
        return lease

    def _take_items(self) -> None:
        """Take what was leased. Raises where a job that begins anew may do better, and nothing paid for is at stake."""
        if self._leasing is None or not self._leasing.done():
            return
        leasing, self._leasing = self._leasing, None
        match leasing.exception():
            case None:
                lease = leasing.result()
                self._ready.extend(lease.items)
                if self._is_active:  # Otherwise the answer may be older than what has stopped the batch.
                    self._lease = lease
            case error if self._tasks or isinstance(error, ServiceUnavailable):
                log.warning("items_not_leased", batch_id=str(self.plan.id), error=str(error))
                self._lease_at = time.monotonic() + LOOK_SECONDS
            case error:
                raise error

    def _start_calls(self) -> float:
        """Start as many calls as may run now; return in how many seconds to look again at the latest."""
        hold_seconds = self._find_hold_seconds()
        self._note_wanted()
        while self._ready and hold_seconds <= 0 and self._may_start(self._ready[0]):
            item = self._ready.popleft()
            self.pace.note_call(self._find_part())
            self._calling.add(item.item_id)
            task = asyncio.create_task(self._process(item), name=f"item {item.position}")
            self._tasks[task] = item
            task.add_done_callback(self._forget)
            hold_seconds = self._find_hold_seconds()
            self._note_wanted()
        if hold_seconds > 0:
            return min(hold_seconds, LOOK_SECONDS)
        if self._leasing or self._ready:
            return self._find_look_seconds()
        return min(max(self._lease_at - time.monotonic(), 0.0), self._find_look_seconds())

    def _note_wanted(self) -> None:
        most, calling = min(self._lease.slots, self.pace.pace.limit), len(self._calling)
        self.slots.note(self.plan.id, wanted=min(most, calling + len(self._ready)), calling=calling)

    def _may_start(self, item: LeasedItem) -> bool:
        if item.runs_alone:
            return self._lease.slots > 0 and self.slots.begin_alone(self.plan.id)
        return self.slots.count_free(self.plan.id) > 0

    def _find_hold_seconds(self) -> float:
        return max(self.pace.pace.wait_seconds(datetime.now(UTC)), self.pace.spacing_wait_seconds)

    def _find_look_seconds(self) -> float:
        is_waiting = self._ready or self._lease.next_available_in_seconds is not None
        return LOOK_SECONDS if is_waiting else min(MAX_WAIT_SECONDS, self.lease_seconds / 3)

    def _find_part(self) -> float:
        """Return this worker's part of the calls that the batch may make, 0 to 1."""
        most = min(self.plan.settings.concurrency, self.pace.pace.limit)
        return min(max(self._lease.share, 1) / most, 1.0)  # The slots may still grow before the next call.

    async def _process(self, item: LeasedItem) -> None:
        try:
            result = await self.generate(item)
        finally:
            if item.runs_alone:
                self.slots.end_alone(self.plan.id)
        if isinstance(result, ItemFailed) and (result.stop_batch_because or self._stops_at_failures):
            self._note_status(BatchStatus.PAUSED)  # Also before the database has it: the next call would fail, too.
        await self._store(result)

    @property
    def _stops_at_failures(self) -> bool:
        return self.plan.settings.error_handling is ErrorHandling.STOP

    def _note_status(self, status: BatchStatus) -> None:
        self._lease = self._lease.model_copy(update={"status": status})

    async def _store(self, result: ItemResult) -> None:
        item_id = result.item.item_id

        def free_slot() -> bool:
            if isinstance(result, ItemFailed):
                return True  # It may pause the batch, so the next call waits for its record.
            self._free_slot(item_id)
            return not (self._calling or self._ready)  # The last ones end the batch.

        outcome = await self.recorder.store(result, self.plan.settings, on_safe=free_slot)
        if outcome.outcome != "recorded":
            log.warning(outcome.outcome, batch_id=str(self.plan.id), item_id=str(item_id))
        if outcome.batch_status is not None and not outcome.batch_status.is_active:
            self._note_status(outcome.batch_status)
        if isinstance(result, ItemReleased):
            self._expect_items(result.delay_seconds)
        elif self._lease.next_available_in_seconds == 0:
            self._expect_items(0)  # It may have ended the canary, or left room in the budget.

    def _expect_items(self, in_seconds: float) -> None:
        self._lease = self._lease.model_copy(update={"next_available_in_seconds": in_seconds})
        self._lease_at = min(self._lease_at, time.monotonic() + in_seconds)

    def _free_slot(self, item_id: ItemId) -> None:
        self._calling.discard(item_id)
        self._wake.set()

    def _forget(self, task: asyncio.Task[None]) -> None:
        item = self._tasks.pop(task)
        self._free_slot(item.item_id)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("item_crashed", batch_id=str(self.plan.id), error=str(error), exc_info=error)

    def _give_back(self) -> None:
        """Give back what was not called: others may take it at once."""
        while self._ready:
            item = self._ready.popleft()
            if item.runs_alone:
                self.slots.end_alone(self.plan.id)
            task = asyncio.create_task(self._store(ItemReleased(item=item)), name=f"release {item.position}")
            self._tasks[task] = item
            task.add_done_callback(self._forget)

    async def _wait(self, wait_seconds: float) -> None:
        """Wait until a slot is free, items have come, the worker is asked to stop, or the time is over."""
        try:
            async with asyncio.timeout(wait_seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
        self._wake.clear()

    @asynccontextmanager
    async def _woken_when_stopped(self) -> AsyncGenerator[None]:
        stop = asyncio.create_task(self.stopping.wait(), name="stop")
        stop.add_done_callback(lambda _task: self._wake.set())
        try:
            yield
        finally:
            stop.cancel()

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
            items = (*self._ready, *self._tasks.values())
            if not items:
                continue
            try:
                await self.store.extend(self.plan.id, items, self.lease_seconds)
            except BrightRunError as error:
                # Recording will tell whether the leases held; a paid call is not aborted.
                log.warning("leases_not_extended", batch_id=str(self.plan.id), items=len(items), error=str(error))
            except Exception:
                # Nothing may end this task: the items would be called again by others.
                log.exception("leases_not_extended", batch_id=str(self.plan.id), items=len(items))

    async def _leave(self) -> None:
        try:
            await self.store.leave(self.plan.id, self.worker)
        except BrightRunError as error:  # Its part expires.
            log.warning("batch_not_left", batch_id=str(self.plan.id), error=str(error))


def _find_wait_seconds(lease: Lease) -> float:
    """Return when to ask for items again."""
    if lease.items:
        return 0.0
    if lease.next_available_in_seconds is None:
        return MAX_WAIT_SECONDS
    return min(max(lease.next_available_in_seconds, LOOK_SECONDS), MAX_WAIT_SECONDS)
