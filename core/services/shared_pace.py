"""How many calls to Claude may be in flight, shared by all workers."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from core.domain.batches.pacing import Pace, begin_pace, find_storm, pace_after_failure, pace_after_reply, read_headroom
from core.domain.batches.work import BatchPlan, CallFailure
from core.domain.verdict.reply import Reply
from core.errors import BrightRunError
from core.ports import PaceBoard, WorkStore

log = structlog.get_logger(__name__)


@dataclass(kw_only=True)
class SharedPace:
    """The pace of one batch: shared by its model through the board, noted in the batch for the monitor.

    Errors in it cost speed at most: the replies that it learns from may be paid for.
    """

    board: PaceBoard
    store: WorkStore
    plan: BatchPlan
    _learning: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin(self) -> None:
        """Note the current pace: an earlier worker's may be out of date, and the database leases by it."""
        await self._note(await self.read())

    async def read(self) -> Pace:
        """Return how many calls may be in flight."""
        try:
            known = await self.board.read(self.plan.settings.model)
        except Exception:
            log.exception("pace_not_read", batch_id=str(self.plan.id))
            known = None
        return known or begin_pace(self.plan.settings.concurrency, datetime.now(UTC))

    async def learn(self, answer: Reply | CallFailure) -> None:
        """Adapt the pace to an answer, and pause the batch in a lasting storm."""
        try:
            await self._adapt(answer)
        except Exception:
            log.exception("pace_not_learnt", batch_id=str(self.plan.id))

    async def _adapt(self, answer: Reply | CallFailure) -> None:
        now = datetime.now(UTC)
        async with self._learning:
            before = await self.read()
            if isinstance(answer, Reply):
                headroom = read_headroom(answer.raw.headers)
                after = pace_after_reply(before, headroom, ceiling=self.plan.settings.concurrency, now=now)
            else:
                after = pace_after_failure(before, answer, now=now)
            if after != before:
                await self.board.write(self.plan.settings.model, after)
        if (after.limit, after.reason) != (before.limit, before.reason):
            log.info("pace_changed", batch_id=str(self.plan.id), limit=after.limit, reason=after.reason)
            await self._note(after)
        try:
            if (because := find_storm(after, now)) is not None:
                await self.store.pause(self.plan.id, because)
        except BrightRunError as error:
            log.warning("batch_not_paused", batch_id=str(self.plan.id), error=str(error))

    async def _note(self, pace: Pace) -> None:
        """Write the pace to the batch, where the database leases by it and the monitor shows it."""
        try:
            await self.store.set_pace(self.plan.id, pace.limit, pace.reason)
        except BrightRunError as error:
            log.warning("pace_not_noted", batch_id=str(self.plan.id), error=str(error))
