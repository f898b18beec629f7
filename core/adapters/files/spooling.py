"""The spool's two users: a worker on its way to the database, and the replay of results that a dead worker left."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, assert_never
from uuid import UUID

import structlog

from core.adapters.files.spool import FileSpool, UnreadableResult
from core.adapters.supabase.work_payload import EncodedResult, encode_result
from core.domain.batches.batch import BatchId
from core.domain.batches.work import BatchPlan, ItemResult, Lease, LeasedItem, RecordOutcome
from core.errors import BrightRunError, DatabaseRejected
from core.ports import WorkStore

log = structlog.get_logger(__name__)

NO_SUCH_ITEM = (
    "The database has no such item: its batch was deleted, or the result was made for another database (SUPABASE_URL)."
)


class EncodedWorkStore(WorkStore, Protocol):
    """A WorkStore that also takes encoded results."""

    async def record_encoded(self, results: Sequence[EncodedResult]) -> tuple[RecordOutcome, ...]: ...


@dataclass(frozen=True, kw_only=True)
class SpoolingWorkStore:
    """A WorkStore that keeps every result on disk until the database has it; both get the same encoded form.

    The disk comes first, not after the database failed: one that hangs may answer only when the worker is long gone. A
    result that the database refuses stays on disk: either the recorder sends it again in a form that is accepted, or the
    reconciler sets it aside.
    """

    inner: EncodedWorkStore
    spool: FileSpool

    async def get_plan(self, batch_id: BatchId) -> BatchPlan | None:
        return await self.inner.get_plan(batch_id)

    async def lease(self, batch_id: BatchId, worker: str, wanted: int, lease_seconds: float) -> Lease:
        return await self.inner.lease(batch_id, worker, wanted, lease_seconds)

    async def extend(self, batch_id: BatchId, items: Sequence[LeasedItem], lease_seconds: float) -> frozenset[UUID]:
        return await self.inner.extend(batch_id, items, lease_seconds)

    async def set_pace(self, batch_id: BatchId, limit: int, reason: str) -> None:
        await self.inner.set_pace(batch_id, limit, reason)

    async def pause(self, batch_id: BatchId, reason: str) -> None:
        await self.inner.pause(batch_id, reason)

    async def record(self, results: Sequence[ItemResult]) -> tuple[RecordOutcome, ...]:
        encoded = await asyncio.to_thread(self._keep, results)
        outcomes = await self.inner.record_encoded(encoded)
        for result, outcome in zip(results, outcomes, strict=True):
            # A result of an item that is gone is left to the reconciler, which sets it aside.
            if result.attempt is not None and outcome.outcome != "no_such_item":
                self._forget(result.attempt.id)
        return outcomes

    def _keep(self, results: Sequence[ItemResult]) -> list[EncodedResult]:
        encoded = [encode_result(result) for result in results]
        try:
            for each in encoded:
                self.spool.keep(each)
        except OSError as error:
            # The disk is the second way; the first may well work.
            log.warning("results_not_spooled", results=len(results), error=str(error))
        return encoded

    def _forget(self, attempt_id: UUID) -> None:
        try:
            self.spool.forget(attempt_id)
        except OSError as error:  # It is in the database; recorded again from disk, it changes nothing.
            log.warning("result_not_removed", attempt_id=str(attempt_id), error=str(error))


class EncodedResultStore(Protocol):
    """Records an encoded result."""

    def record_encoded(self, result: EncodedResult) -> RecordOutcome: ...


@dataclass(frozen=True, kw_only=True)
class SpoolReplay:
    """Records what dead workers left on disk. Recording twice changes nothing, so a living worker's file is harmless."""

    spool: FileSpool
    recorder: EncodedResultStore

    def replay(self) -> int:
        """Record every waiting result that can be recorded, and set the others aside; return how many were recorded.

        Raises DatabaseUnavailable while the database is away, and OSError if the folder cannot be read.
        """
        return sum(self._replay(path) for path in self.spool.list_waiting())

    def count_stuck(self) -> int:
        """Return how many need somebody's attention."""
        return self.spool.count_stuck()

    def _replay(self, path: Path) -> bool:
        try:
            encoded = self.spool.read(path)
            outcome = None if encoded is None else self.recorder.record_encoded(encoded)
        except DatabaseRejected as error:
            self._set_aside(path, str(error))
        except BrightRunError:
            raise  # The database is away, or its keys are not accepted: not this file's fault, and the next would fail, too.
        except OSError as error:
            log.warning("spooled_result_waits", file=path.name, error=str(error))
        except Exception as error:  # noqa: BLE001 - one file must not stop the recovery of all others
            self._set_aside(path, str(error) if isinstance(error, UnreadableResult) else repr(error))
        else:
            return outcome is not None and self._settle(path, outcome)
        return False

    def _settle(self, path: Path, outcome: RecordOutcome) -> bool:
        match outcome.outcome:
            case "recorded" | "lease_lost":
                path.unlink(missing_ok=True)
                log.info("spooled_result_recorded", file=path.name)
                return True
            case "no_such_item":
                self._set_aside(path, NO_SUCH_ITEM)
                return False
            case _:
                assert_never(outcome.outcome)

    def _set_aside(self, path: Path, reason: str) -> None:
        # A database may quote a refused row: the log gets the beginning, the file beside it the whole.
        log.error("spooled_result_set_aside", file=path.name, folder=str(self.spool.set_aside_folder), reason=reason[:100])
        try:
            self.spool.set_aside(path, reason)
        except OSError as error:
            log.error("spooled_result_not_moved", file=path.name, error=str(error))  # noqa: TRY400 - the message says it all
