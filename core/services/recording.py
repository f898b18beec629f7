"""Results on their way into the database: first on disk, where they are safe, then recorded in groups."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Self

import structlog

from core.domain.batches.batch import BatchSettings
from core.domain.batches.work import ItemResult, KeptResult, RecordOutcome
from core.errors import BrightRunError, DatabaseRejected
from core.ports.work import WorkStore
from core.services.group_commit import GroupCommit
from core.services.item_failures import describe_rejected, describe_unstorable

log = structlog.get_logger(__name__)

MOST_UNRECORDED = 500
"""Of one worker: while the database is away it makes no more calls than it can hold the replies of in memory."""
LINGER_SECONDS = 0.2
"""Where nobody waits for the record. The more results a group has, the less each of them costs."""
FIRST_RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 5.0


@dataclass(kw_only=True)
class ResultRecorder:
    """Keeps and records results, for all batches of a worker."""

    keeping: GroupCommit[ItemResult, KeptResult]
    recording: GroupCommit[KeptResult, RecordOutcome]
    room: asyncio.Semaphore

    @classmethod
    @asynccontextmanager
    async def open(cls, store: WorkStore) -> AsyncGenerator[Self]:
        """Run a recorder; leave only when every `store` has returned."""
        keeping = GroupCommit(name="keep", write=store.keep)
        recording = GroupCommit(name="record", write=partial(_record_patiently, store), linger_seconds=LINGER_SECONDS)
        async with keeping.open(), recording.open():
            yield cls(keeping=keeping, recording=recording, room=asyncio.Semaphore(MOST_UNRECORDED))

    async def store(
        self, result: ItemResult, settings: BatchSettings, on_safe: Callable[[], bool] = lambda: True
    ) -> RecordOutcome:
        """Return when a result is in the database.

        `on_safe` is called as soon as it survives this process, and says whether somebody waits for the record.

        Waits while too many others are unrecorded, and through an outage, also of keys or rights. What the database refuses
        is recorded as a failure: trying again would be refused again, and another attempt would be paid for again.
        """
        try:
            return await self._store(result, on_safe)
        except Exception as error:  # noqa: BLE001 - whatever it is, the reply is paid for
            rejected = describe_rejected(result, error, settings)
        try:
            return await self._store(rejected, on_safe)
        except Exception as again:
            log.exception("failure_rejected", item_id=str(result.item.item_id))
            return await self._store(describe_unstorable(rejected, again), on_safe)

    async def _store(self, result: ItemResult, on_safe: Callable[[], bool]) -> RecordOutcome:
        kept = await self.keeping.commit(result)  # Before there is room: until then it is lost with its worker.
        async with self.room:
            is_urgent = on_safe() if kept.is_safe else True
            return await self.recording.commit(kept, is_urgent=is_urgent)


async def _record_patiently(store: WorkStore, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
    """Try until all are recorded, fewer at a time after each failure: so many at once may take longer than they may."""
    outcomes: list[RecordOutcome] = []
    size, delay_seconds = len(results), FIRST_RETRY_SECONDS
    while len(outcomes) < len(results):
        try:
            outcomes += await store.record(results[len(outcomes) : len(outcomes) + size])
        except DatabaseRejected:
            raise
        except BrightRunError as error:
            # An outage, or keys that are no longer accepted: the replies wait here until it is over.
            log.warning("results_wait", results=size, retry_in_seconds=delay_seconds, error=str(error))
            await asyncio.sleep(delay_seconds)
            size, delay_seconds = max(1, size // 2), min(delay_seconds * 2, MAX_RETRY_SECONDS)
    return tuple(outcomes)
