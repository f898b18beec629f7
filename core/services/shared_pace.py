"""How many calls to Claude may be in flight and how close they may follow each other, shared by all workers."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from core.domain.batches.call_rate import CallRate, MeanUse, find_call_rate, update_mean_use
from core.domain.batches.pacing import (
    Pace,
    begin_pace,
    find_storm,
    fit_pace,
    pace_after_failure,
    pace_after_reply,
    read_headroom,
)
from core.domain.batches.work import BatchPlan, CallFailure
from core.domain.verdict.reply import Reply
from core.errors import BrightRunError
from core.ports.work import PaceBoard, WorkStore

log = structlog.get_logger(__name__)

SYNC_SECONDS = 1.0
"""How old another worker's pace may be. Refusals are shared at once."""
BURST_SECONDS = 0.5
"""Calls may be ahead of their even distances by this much, so that fast limits hold up nothing."""
NOTE_SECONDS = 10.0
"""The mean tokens of a call change with each reply; the monitor need not follow that closely."""


@dataclass(kw_only=True)
class ModelPace:
    """The pace of one model in this process, for all batches that use it, kept in step with other workers' by the board."""

    board: PaceBoard
    model: str
    known: Pace | None = None
    mean_use: MeanUse | None = None
    rate: CallRate | None = None
    next_call_at: float = 0.0
    _synced_at: float = 0.0
    _is_ahead: bool = False
    """Whether the board does not know yet what was learnt here."""

    async def sync(self) -> None:
        """Share what was learnt here, and learn what others have shared."""
        if time.monotonic() - self._synced_at < SYNC_SECONDS:
            return
        self._synced_at = time.monotonic()
        shared = await self.board.read(self.model)
        learnt = self.known if self._is_ahead else None
        if shared is not None and (learnt is None or shared.changed_at > learnt.changed_at):
            self.known, self._is_ahead = shared, False
        elif learnt is not None:
            await self.share(learnt)

    async def share(self, pace: Pace) -> None:
        """Write a pace to the board."""
        self._is_ahead = False
        await self.board.write(self.model, pace)

    async def learn(self, before: Pace, after: Pace) -> None:
        """Adopt a pace; a changed limit or wait is shared at once, the rest within a second."""
        if after == before:
            return
        self.known, self._is_ahead = after, True
        if (after.limit, after.not_before) != (before.limit, before.not_before):
            await self.share(after)

    def learn_rate(self, reply: Reply) -> None:
        """Learn from a reply how many calls a minute the limits allow."""
        self.mean_use = update_mean_use(self.mean_use, reply.usage)
        self.rate = find_call_rate(reply.raw.headers, self.mean_use) or self.rate

    def note_call(self, part: float) -> None:
        """Note that a call starts; the next one of this process follows after a while, for its part of all calls."""
        if self.rate is not None and part > 0:
            self.next_call_at = max(self.next_call_at, time.monotonic()) + self.rate.spacing_seconds / part


@dataclass(kw_only=True)
class SharedPace:
    """The pace of one batch: that of its model, noted in the batch for the monitor.

    Errors in it cost speed at most: the replies that it learns from may be paid for.
    """

    model: ModelPace
    store: WorkStore
    plan: BatchPlan
    _noted: tuple[int, str] | None = None
    _noted_at: float = -NOTE_SECONDS
    _is_rate_noted: bool = False

    async def sync(self) -> None:
        """Keep in step with other workers, and note in the batch what holds now."""
        try:
            await self.model.sync()
        except Exception:
            log.exception("pace_not_read", batch_id=str(self.plan.id))
        await self._note(self.pace)

    @property
    def pace(self) -> Pace:
        """How many calls may be in flight."""
        ceiling = self.plan.settings.concurrency
        return fit_pace(self.model.known or begin_pace(ceiling, datetime.now(UTC)), ceiling)

    @property
    def spacing_wait_seconds(self) -> float:
        """How long to wait before the next call, so that calls are spread evenly over a minute's limits."""
        return max(self.model.next_call_at - BURST_SECONDS - time.monotonic(), 0.0)

    def note_call(self, part: float) -> None:
        """Note that a call starts; this worker has that part of the calls that the batch may make, 0 to 1."""
        self.model.note_call(part)

    async def learn(self, answer: Reply | CallFailure) -> None:
        """Adapt the pace to an answer, and pause the batch in a lasting storm."""
        try:
            await self._adapt(answer)
        except Exception:
            log.exception("pace_not_learnt", batch_id=str(self.plan.id))

    async def _adapt(self, answer: Reply | CallFailure) -> None:
        now, before, ceiling = datetime.now(UTC), self.pace, self.plan.settings.concurrency
        if isinstance(answer, Reply):
            self.model.learn_rate(answer)
            after = pace_after_reply(before, read_headroom(answer.raw.headers), ceiling=ceiling, now=now)
        else:
            after = pace_after_failure(before, answer, ceiling=ceiling, now=now)
        await self.model.learn(before, after)
        if (after.limit, after.reason) != (before.limit, before.reason):
            log.info("pace_changed", batch_id=str(self.plan.id), limit=after.limit, reason=after.reason)
            await self._note(after, at_once=True)
        try:
            if (because := find_storm(after, now)) is not None:
                await self.store.pause(self.plan.id, because)
        except BrightRunError as error:
            log.warning("batch_not_paused", batch_id=str(self.plan.id), error=str(error))

    async def _note(self, pace: Pace, *, at_once: bool = False) -> None:
        """Write the pace to the batch, where the database leases by it and the monitor shows what limits it."""
        rate = self.model.rate if self.spacing_wait_seconds > 0 else None
        is_news = at_once or (rate is not None and not self._is_rate_noted)
        if not is_news and time.monotonic() - self._noted_at < NOTE_SECONDS:
            return
        limit, reason = min(pace.limit, self.plan.settings.concurrency), pace.reason if rate is None else rate.bound_by
        if (limit, reason) == self._noted:
            return
        try:
            await self.store.set_pace(self.plan.id, limit, reason)
        except BrightRunError as error:
            log.warning("pace_not_noted", batch_id=str(self.plan.id), error=str(error))
        else:
            self._noted, self._noted_at, self._is_rate_noted = (limit, reason), time.monotonic(), rate is not None
