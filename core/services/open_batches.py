"""The batches that one job works on at the same time, so that a small one need not wait for a large one to end."""

import asyncio
import time
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
AGAIN_AFTER_SECONDS = 30.0
"""After a run that failed: what was in its way may be over, and a worker may not be out of work for days."""


@dataclass(kw_only=True)
class OpenBatches:
    """Runs batches beside each other; `run_batch` works on one until it has nothing left for this worker."""

    store: WorkStore
    worker: str
    run_batch: Callable[[BatchId, ResultRecorder], Awaitable[None]]
    stopping: asyncio.Event
    again_after_seconds: float = AGAIN_AFTER_SECONDS
    _runs: dict[BatchId, asyncio.Task[None]] = field(default_factory=dict[BatchId, asyncio.Task[None]])
    _failed: dict[BatchId, tuple[BaseException, float]] = field(default_factory=dict[BatchId, tuple[BaseException, float]])
    """What ended a batch's latest run, and when, by `time.monotonic`."""

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
        if first in self._failed:
            raise self._failed[first][0]

    def _begin(self, batch_id: BatchId, recorder: ResultRecorder) -> None:
        if batch_id in self._runs:
            return
        if batch_id in self._failed:
            if time.monotonic() - self._failed[batch_id][1] < self.again_after_seconds:
                return
            del self._failed[batch_id]
        self._runs[batch_id] = asyncio.ensure_future(self.run_batch(batch_id, recorder))

    def _note_ends(self) -> None:
        for batch_id, run in [(batch_id, run) for batch_id, run in self._runs.items() if run.done()]:
            del self._runs[batch_id]
            if (error := run.exception()) is not None:
                log.error("run_ended", batch_id=str(batch_id), error=str(error), exc_info=error)
                self._failed[batch_id] = error, time.monotonic()

    async def _find_others(self) -> tuple[BatchId, ...]:
        if self.stopping.is_set():
            return ()
        try:
            return await self.store.list_batches_to_help(self.worker)
        except BrightRunError as error:
            log.warning("batches_not_listed", error=str(error))
        except Exception:
            # Nothing may end this loop while runs need the recorder: their paid replies would wait for it in vain.
            log.exception("batches_not_listed")
        return ()
