"""The spool's two users: a worker on its way to the database, and the replay of results that a dead worker left."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, assert_never
from uuid import UUID

import structlog

from core.adapters.files.spool import GROUP_SUFFIX, FileSpool, UnreadableResult
from core.adapters.supabase.work_payload import EncodedResult
from core.domain.batches.batch import BatchId
from core.domain.batches.work import (
    BatchPlan,
    ItemResult,
    KeptResult,
    Lease,
    LeasedItem,
    LeaseRequest,
    RecordOutcome,
)
from core.errors import BrightRunError, DatabaseRejected
from core.ports.work import WorkStore

log = structlog.get_logger(__name__)

NO_SUCH_ITEM = (
    "The database has no such item: its batch was deleted, or the result was made for another database (SUPABASE_URL)."
)


@dataclass(frozen=True, kw_only=True)
class SpoolingWorkStore:
    """A WorkStore that keeps every result on disk until the database has it; both get the same bytes.

    The disk comes first, not after the database failed: one that hangs may answer only when the worker is long gone. A
    result that the database refuses stays on disk: either the recorder sends it again in a form that is accepted, or the
    reconciler sets it aside.
    """

    inner: WorkStore
    spool: FileSpool
    _groups: dict[UUID, "_Group"] = field(default_factory=dict["UUID", "_Group"])
    """The files that hold several results, by attempt."""

    async def get_plan(self, batch_id: BatchId) -> BatchPlan | None:
        return await self.inner.get_plan(batch_id)

    async def list_batches_to_help(self, worker: str) -> tuple[BatchId, ...]:
        return await self.inner.list_batches_to_help(worker)

    async def lease(self, batch_id: BatchId, request: LeaseRequest) -> Lease:
        return await self.inner.lease(batch_id, request)

    async def extend(self, batch_id: BatchId, items: Sequence[LeasedItem], lease_seconds: float) -> frozenset[UUID]:
        return await self.inner.extend(batch_id, items, lease_seconds)

    async def leave(self, batch_id: BatchId, worker: str) -> None:
        await self.inner.leave(batch_id, worker)

    async def set_pace(self, batch_id: BatchId, limit: int, reason: str) -> None:
        await self.inner.set_pace(batch_id, limit, reason)

    async def pause(self, batch_id: BatchId, reason: str) -> None:
        await self.inner.pause(batch_id, reason)

    async def keep(self, results: Sequence[ItemResult]) -> tuple[KeptResult, ...]:
        """Encode results and write them into one file. Losing one without an attempt would cost nothing."""
        kept = await self.inner.keep(results)
        paid = {each.result.attempt.id: each.content for each in kept if each.result.attempt is not None}
        try:
            if paid:
                self._note_group(await asyncio.to_thread(self.spool.keep, paid), paid)
        except OSError as error:
            # The disk is the second way; the first may well work.
            log.warning("results_not_spooled", results=len(results), error=str(error))
            return kept
        return tuple(replace(each, is_safe=True) for each in kept)

    async def record(self, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
        outcomes = await self.inner.record(results)
        for kept, outcome in zip(results, outcomes, strict=True):
            # A result of an item that is gone is left to the reconciler, which sets it aside.
            if kept.result.attempt is not None and outcome.outcome != "no_such_item":
                self._forget(kept.result.attempt.id)
        return outcomes

    def _note_group(self, path: Path, attempts: Mapping[UUID, bytes]) -> None:
        if len(attempts) == 1:
            return
        group = _Group(path=path, unrecorded=set(attempts))
        for attempt_id in attempts:
            self._groups[attempt_id] = group

    def _forget(self, attempt_id: UUID) -> None:
        group = self._groups.pop(attempt_id, None)
        try:
            self.spool.forget(attempt_id)
            if group is not None:
                group.unrecorded.discard(attempt_id)
                if not group.unrecorded:
                    group.path.unlink(missing_ok=True)
        except OSError as error:  # It is in the database; recorded again from disk, it changes nothing.
            log.warning("result_not_removed", attempt_id=str(attempt_id), error=str(error))


@dataclass(kw_only=True)
class _Group:
    """A file of several results, and the attempts in it that the database does not have yet."""

    path: Path
    unrecorded: set[UUID]


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
        return sum(self._replay(path) for waiting in self.spool.list_waiting() for path in self._separate(waiting))

    def count_stuck(self) -> int:
        """Return how many need somebody's attention."""
        return self.spool.count_stuck()

    def identify(self) -> UUID:
        """Return the id of the folder."""
        return self.spool.identify()

    def measure_waiting(self) -> tuple[int, float]:
        """Return how many files wait, and the age of the oldest."""
        return self.spool.measure_waiting()

    def _separate(self, path: Path) -> tuple[Path, ...]:
        """Return the files of single results: one that is refused must not keep the others of its group."""
        if path.suffix != GROUP_SUFFIX:
            return (path,)
        try:
            return self.spool.split(path)
        except OSError as error:
            log.warning("spooled_results_wait", file=path.name, error=str(error))
        except Exception as error:  # noqa: BLE001 - as below
            self._set_aside(path, _explain(error))
        return ()

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
            self._set_aside(path, _explain(error))
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


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, UnreadableResult) else repr(error)
