"""The batches that one job works on at the same time, so that a small one need not wait for a large one to end."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from core.domain.batches.batch import BatchId
from core.errors import BrightRunError
from core.ports.work import WorkStore
from core.services.recording import ResultRecorder

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often a worker at work looks for other batches that it could help."""


@dataclass(kw_only=True)
class OpenBatches:
    """Runs batches beside each other; `run_batch` works on one until it has nothing left for this worker."""

    store: WorkStore
    worker: str
    run_batch: Callable[[BatchId, ResultRecorder], Awaitable[None]]
    stopping: asyncio.Event
    _runs: dict[BatchId, asyncio.Task[None]] = field(default_factory=dict[BatchId, asyncio.Task[None]])
    _errors: dict[BatchId, BaseException] = field(default_factory=dict[BatchId, BaseException])
    """What ended a run. The next job may do better, this one does not try again."""

    async def run(self, first: BatchId) -> None:
        """Work on a batch, and beside it on every other that this worker could help, until none is left.

        Raises what ended the first one's run, after the others have ended.
        """
        async with ResultRecorder.open(self.store) as recorder:
            self._begin(first, recorder)
            while self._runs:
                await asyncio.wait(self._runs.values(), timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                self._note_ends()
                for batch_id in await self._find_others():
                    self._begin(batch_id, recorder)
        if (error := self._errors.get(first)) is not None:
            raise error

    def _begin(self, batch_id: BatchId, recorder: ResultRecorder) -> None:
        if batch_id not in self._runs and batch_id not in self._errors:
            work = asyncio.ensure_future(self.run_batch(batch_id, recorder))
            self._runs[batch_id] = work

    def _note_ends(self) -> None:
        for batch_id, run in [(batch_id, run) for batch_id, run in self._runs.items() if run.done()]:
            del self._runs[batch_id]
            if (error := run.exception()) is not None:
                log.error("run_ended", batch_id=str(batch_id), error=str(error), exc_info=error)
                self._errors[batch_id] = error

    async def _find_others(self) -> tuple[BatchId, ...]:
        if self.stopping.is_set():
            return ()
        try:
            return await self.store.list_batches_to_help(self.worker)
        except BrightRunError as error:
            log.warning("batches_not_listed", error=str(error))
            return ()
