"""Group commit: results that wait at the same time are written in one call, and each waits for its own acknowledgement."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import structlog

from core.domain.batches.work import ItemResult, RecordOutcome
from core.errors import BrightRunError, DatabaseRejected
from core.ports import WorkStore

log = structlog.get_logger(__name__)

MAX_GROUP = 50
FIRST_RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 5.0


@dataclass(kw_only=True)
class ResultRecorder:
    """Writes results to the store in the order in which they come."""

    store: WorkStore
    _waiting: asyncio.Queue[tuple[ItemResult, asyncio.Future[RecordOutcome]]] = field(default_factory=asyncio.Queue)

    @classmethod
    @asynccontextmanager
    async def open(cls, store: WorkStore) -> AsyncGenerator[Self]:
        """Run a recorder; leaving it cancels what still waits, so leave only when every `record` has returned."""
        recorder = cls(store=store)
        writer = asyncio.create_task(recorder._write_groups(), name="recorder")
        try:
            yield recorder
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def record(self, result: ItemResult) -> RecordOutcome:
        """Return when the result is in the database; waits through an outage, also of keys or rights.

        Raises DatabaseRejected for a result that the database refuses even alone, and any unexpected exception.
        """
        acknowledged: asyncio.Future[RecordOutcome] = asyncio.get_running_loop().create_future()
        await self._waiting.put((result, acknowledged))
        return await acknowledged

    async def _write_groups(self) -> None:
        while True:
            group = [await self._waiting.get()]
            while len(group) < MAX_GROUP and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            try:
                outcomes = await self._write([result for result, _ in group])
            except Exception as error:  # noqa: BLE001 - nothing may end this task: every result would wait for ever
                # One result fails its group, so each is written alone and only that one fails.
                log.warning("group_not_written", results=len(group), error=repr(error))
                await self._write_singly(group)
                continue
            for (_, acknowledged), outcome in zip(group, outcomes, strict=True):
                _resolve(acknowledged, outcome)

    async def _write_singly(self, group: list[tuple[ItemResult, asyncio.Future[RecordOutcome]]]) -> None:
        for result, acknowledged in group:
            try:
                _resolve(acknowledged, (await self._write([result]))[0])
            except Exception as error:
                log.exception("result_rejected", item_id=str(result.item.item_id))
                if not acknowledged.done():
                    acknowledged.set_exception(error)

    async def _write(self, results: list[ItemResult]) -> tuple[RecordOutcome, ...]:
        delay_seconds = FIRST_RETRY_SECONDS
        while True:
            try:
                return await self.store.record(results)
            except DatabaseRejected:
                raise
            except BrightRunError as error:
                # An outage, or keys that are no longer accepted: the replies wait here until it is over.
                log.warning("results_wait", results=len(results), retry_in_seconds=delay_seconds, error=str(error))
                await asyncio.sleep(delay_seconds)
                delay_seconds = min(delay_seconds * 2, MAX_RETRY_SECONDS)


def _resolve(acknowledged: asyncio.Future[RecordOutcome], outcome: RecordOutcome) -> None:
    if not acknowledged.done():
        acknowledged.set_result(outcome)
