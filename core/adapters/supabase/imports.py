"""Imports of existing data sets."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from core.adapters.supabase.functions import call_function, make_refusal
from core.adapters.supabase.session import Analyst
from core.domain.batches.batch import BatchId
from core.domain.datasets.importing import FileDigest, ImportFinish, ImportId, ImportItem, ImportStart, KnownFile
from core.domain.record import Record
from core.errors import DatabaseUnavailable, InvalidRequest

_GONE = "This import is gone: it began more than a day ago, or was finished before. Import the files again."

_PATIENCE = 5
"""How often finish_import may run out of time."""


class _ImportOutcome(Record):
    outcome: Literal["begun", "known", "staged", "finished", "rejected", "not_found"]
    import_id: ImportId | None = None
    batch_id: BatchId | None = None
    known: tuple[KnownFile, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class SupabaseImportStore:
    """Calls the import's functions with the analyst's rights."""

    analyst: Analyst

    def begin(self, name: str, files: Sequence[FileDigest]) -> ImportStart:
        request = {"name": name, "files": [file.model_dump() for file in files]}
        outcome = self._call("begin_import", request=request)
        return ImportStart(import_id=outcome.import_id, known=outcome.known)

    def stage(self, import_id: ImportId, items: Sequence[ImportItem]) -> None:
        self._call("stage_import", target_import_id=str(import_id), items=[item.model_dump(mode="json") for item in items])

    def finish(self, import_id: ImportId) -> ImportFinish:
        for _ in range(_PATIENCE):
            # Many conversations take longer than one call may; the next call waits for what this one began.
            with suppress(DatabaseUnavailable):
                return self._finish(import_id)
        return self._finish(import_id)

    def _finish(self, import_id: ImportId) -> ImportFinish:
        outcome = self._call("finish_import", target_import_id=str(import_id))
        return ImportFinish(batch_id=outcome.batch_id, known=outcome.known)

    def _call(self, function: str, **parameters: object) -> _ImportOutcome:
        outcome = _ImportOutcome.model_validate(call_function(self.analyst.client, function, **parameters))
        if outcome.outcome == "not_found":
            raise InvalidRequest(_GONE)
        if outcome.outcome == "rejected":
            raise make_refusal(outcome.reason, "the import")
        return outcome
