"""Results on disk until the database has them, so that a paid reply outlives its worker."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

import structlog

from core.adapters.supabase.work_payload import encode_result
from core.domain.batch import BatchId
from core.domain.work import BatchPlan, ItemResult, Lease, LeasedItem, RecordOutcome
from core.errors import DatabaseRejected
from core.ports import WorkStore

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class FileSpool:
    """One file for each result that waits, named by its attempt."""

    folder: Path
    min_age_seconds: float = 10.0
    """Younger files are left to the worker that writes the same result to the database right now."""

    def keep(self, result: ItemResult) -> None:
        """Write a result with an attempt, whole or not at all; one without an attempt costs nothing to lose.

        Raises OSError where the disk takes nothing.
        """
        if result.attempt is None:
            return
        path = self._path(result.attempt.id)
        if path.exists():
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(encode_result(result), file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)

    def forget(self, attempt_id: UUID) -> None:
        """Remove a result that is in the database."""
        self._path(attempt_id).unlink(missing_ok=True)

    def list_waiting(self) -> list[tuple[Path, dict[str, Any]]]:
        """Return what waits, oldest first, as `record_results` takes it."""
        newest = time.time() - self.min_age_seconds
        waiting: list[tuple[float, Path, dict[str, Any]]] = []
        for path in self.folder.glob("*.json"):
            with suppress(FileNotFoundError):  # Its worker has recorded it meanwhile.
                written_at = path.stat().st_mtime
                if written_at <= newest:
                    waiting.append((written_at, path, json.loads(path.read_text(encoding="utf-8"))))
        return [(path, encoded) for _, path, encoded in sorted(waiting, key=lambda entry: entry[0])]

    def _path(self, attempt_id: UUID) -> Path:
        return self.folder / f"{attempt_id}.json"


@dataclass(frozen=True, kw_only=True)
class SpoolingWorkStore:
    """A WorkStore that keeps every result on disk until the database has taken it.

    Before, not after the database failed: one that hangs says nothing until the worker may long be gone.
    """

    inner: WorkStore
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
        await asyncio.to_thread(self._keep, results)
        try:
            outcomes = await self.inner.record(results)
        except DatabaseRejected:
            self._forget(results)  # The same again would be refused again; what the recorder makes of it is kept anew.
            raise
        self._forget(results)
        return outcomes

    def _keep(self, results: Sequence[ItemResult]) -> None:
        try:
            for result in results:
                self.spool.keep(result)
        except OSError as error:
            # The disk is the second road; the first may well be open.
            log.warning("results_not_spooled", results=len(results), error=str(error))

    def _forget(self, results: Sequence[ItemResult]) -> None:
        for result in results:
            if result.attempt is None:
                continue
            try:
                self.spool.forget(result.attempt.id)
            except OSError as error:  # It is in the database; recorded from disk once more, it changes nothing.
                log.warning("result_not_removed", attempt_id=str(result.attempt.id), error=str(error))


class EncodedResultStore(Protocol):
    """Records encoded results, in order."""

    def record_encoded(self, results: list[dict[str, Any]]) -> None: ...


@dataclass(frozen=True, kw_only=True)
class SpoolReplay:
    """Records what dead workers left on disk. Recording twice changes nothing, so a living worker's file is harmless."""

    spool: FileSpool
    recorder: EncodedResultStore

    def replay(self) -> int:
        """Record every waiting result; return how many. Raises DatabaseUnavailable while the database is away."""
        waiting = self.spool.list_waiting()
        for path, encoded in waiting:
            try:
                self.recorder.record_encoded([encoded])
            except DatabaseRejected:
                # Kept for a person to look at, out of the way of the others.
                log.exception("spooled_result_rejected", file=path.name)
                path.rename(path.with_suffix(".rejected"))
                continue
            path.unlink(missing_ok=True)
            log.info("spooled_result_recorded", item_id=encoded["item_id"])
        return len(waiting)
