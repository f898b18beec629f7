"""Data sets, with the analyst's rights."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.functions import call_function, make_refusal
from core.adapters.supabase.reading import keep_readable, read_record
from core.adapters.supabase.session import Analyst
from core.domain.datasets.freezing import Candidate
from core.domain.datasets.plans import Dataset, DatasetDetail, DatasetId, ExportTarget, PlanPart, VersionId
from core.domain.datasets.versions import CountedStatus, ExclusionReason, FrozenConversation
from core.domain.paging import RowCursor
from core.domain.record import Record
from core.errors import NotFound


class _Outcome(Record):
    outcome: Literal["created", "begun", "done", "changed", "frozen", "rejected", "not_found"]
    dataset_id: DatasetId | None = None
    version_id: VersionId | None = None
    number: int | None = None
    reason: str | None = None


class _Exclusions(Record):
    excluded: dict[UUID, ExclusionReason] | None


@dataclass(frozen=True, kw_only=True)
class SupabaseDatasetStore:
    """Implements DatasetStore over the database's functions."""

    analyst: Analyst

    def create(self, name: str, counted: CountedStatus, plan: Sequence[PlanPart]) -> DatasetId:
        request = {"name": name, "counted": counted, "plan": [part.model_dump(mode="json") for part in plan]}
        outcome = self._call("create_dataset", request=request)
        if outcome.dataset_id is None:
            raise make_refusal(outcome.reason)
        return outcome.dataset_id

    def delete(self, dataset_id: DatasetId) -> bool:
        return self._call("delete_dataset", target_dataset_id=str(dataset_id)).outcome == "done"

    def list_all(
        self, *, counts_simulated: bool, name: str | None = None, dataset_id: UUID | None = None, most: int | None = None
    ) -> tuple[Dataset, ...]:
        wanted_id = None if dataset_id is None else str(dataset_id)
        parameters = {"counts_simulated": counts_simulated, "wanted_name": name, "wanted_id": wanted_id, "most": most}
        rows = call_function(self.analyst.client, "list_datasets", **parameters)
        return keep_readable(Dataset, rows, "data set", self.analyst.unreadable)

    def describe(self, dataset_id: DatasetId, *, counts_simulated: bool) -> DatasetDetail:
        parameters = {"target_dataset_id": str(dataset_id), "counts_simulated": counts_simulated}
        answer = call_function(self.analyst.client, "describe_dataset", **parameters)
        if answer is None:
            raise NotFound.of("data set", dataset_id)
        return read_record(DatasetDetail, answer, "data set")

    def note_export(
        self, version_id: VersionId, target: ExportTarget, formats: Sequence[str], repository: str | None
    ) -> None:
        exported = {"new_target": target, "new_formats": list(formats), "new_repository": repository}
        outcome = self._call("note_dataset_export", target_version_id=str(version_id), **exported)
        if outcome.outcome == "rejected":
            raise make_refusal(outcome.reason)
        if outcome.outcome != "done":
            raise NotFound.of("version", version_id)

    def list_candidates(self, dataset_id: DatasetId, page_size: int, cursor: RowCursor | None) -> tuple[Candidate, ...]:
        rows = call_function(
            self.analyst.client,
            "list_dataset_conversations",
            target_dataset_id=str(dataset_id),
            page_size=page_size,
            cursor_created_at=None if cursor is None else cursor.created_at.isoformat(),
            cursor_id=None if cursor is None else str(cursor.id),
        )
        return tuple(read_record(Candidate, row, "conversation") for row in rows)

    def begin_version(self, dataset_id: DatasetId) -> VersionId:
        outcome = self._call("begin_dataset_version", target_dataset_id=str(dataset_id))
        if outcome.version_id is None:
            raise NotFound.of("data set", dataset_id)
        return outcome.version_id

    def stage(self, version_id: VersionId, members: Sequence[tuple[int, Candidate]]) -> bool:
        if not members:
            return True
        rows = [{"position": place, "id": str(each.id), "revision": each.revision} for place, each in members]
        outcome = self._call("stage_dataset_rows", target_version_id=str(version_id), members=rows)
        if outcome.outcome == "rejected":
            raise make_refusal(outcome.reason)
        return outcome.outcome == "done"

    def freeze(self, version_id: VersionId, fingerprint: str, summary: Mapping[str, object]) -> int:
        parameters = {"target_version_id": str(version_id), "fingerprint": fingerprint, "summary": dict(summary)}
        outcome = self._call("freeze_dataset_version", **parameters)
        if outcome.number is None:
            raise make_refusal(outcome.reason)
        return outcome.number

    def read_version(self, version_id: VersionId, position: int, page_size: int) -> tuple[FrozenConversation, ...]:
        parameters = {"target_version_id": str(version_id), "from_position": position, "page_size": page_size}
        rows = call_function(self.analyst.client, "read_version_rows", **parameters)
        return tuple(read_record(FrozenConversation, row, "conversation") for row in rows)

    def read_exclusions(self, version_id: VersionId) -> dict[UUID, ExclusionReason]:
        # describe_dataset leaves them out, since they are long.
        table = self.analyst.client.table("dataset_versions").select("excluded:summary->excluded")
        with translate_errors():
            rows = table.eq("id", str(version_id)).execute().data
        if not rows:
            raise NotFound.of("version", version_id)
        return read_record(_Exclusions, rows[0], "version").excluded or {}

    def _call(self, function: str, **parameters: object) -> _Outcome:
        return _Outcome.model_validate(call_function(self.analyst.client, function, **parameters))
