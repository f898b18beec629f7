"""The stores behind the pages and the command line: everything with the analyst's rights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from pydantic import BaseModel, TypeAdapter

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.functions import call_function, make_refusal
from core.adapters.supabase.reading import keep_readable, read_record, read_table
from core.adapters.supabase.session import Analyst
from core.domain.batches.batch import (
    BatchAction,
    BatchId,
    BatchProgress,
    BatchSettings,
    BatchStatus,
    RetryChanges,
    Selection,
    SkipExisting,
    Submitted,
)
from core.domain.batches.estimate import Estimate, GenerationHistory
from core.domain.datasets.plans import DatasetId
from core.domain.record import Record
from core.domain.scaffolding.records import EmotionalArc, Persona, PromptTemplate, TemplateId, TrainingTopic, VariationAxis
from core.errors import InvalidRequest, NotFound

AnyRecord = TypeVar("AnyRecord", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class SupabaseScaffoldingStore:
    """Reads the scaffolding tables."""

    analyst: Analyst

    def list_personas(self) -> tuple[Persona, ...]:
        return self._read("personas", Persona, "persona")

    def list_arcs(self) -> tuple[EmotionalArc, ...]:
        return self._read("emotional_arcs", EmotionalArc, "arc")

    def list_topics(self) -> tuple[TrainingTopic, ...]:
        return self._read("training_topics", TrainingTopic, "topic")

    def list_templates(self) -> tuple[PromptTemplate, ...]:
        return self._read("prompt_templates", PromptTemplate, "template")

    def list_offered_templates(self) -> tuple[PromptTemplate, ...]:
        rows = call_function(self.analyst.client, "list_offered_templates")
        return keep_readable(PromptTemplate, rows, "offered template", self.analyst.unreadable)

    def list_axes(self) -> tuple[VariationAxis, ...]:
        return self._read("variation_axes", VariationAxis, "axis")

    def list_offered_axes(self) -> tuple[VariationAxis, ...]:
        rows = call_function(self.analyst.client, "list_offered_axes")
        return keep_readable(VariationAxis, rows, "offered axis", self.analyst.unreadable)

    def _read(self, table: str, kind: type[AnyRecord], what: str) -> tuple[AnyRecord, ...]:
        rows = read_table(self.analyst.client, table, "*", "created_at", "id")
        return keep_readable(kind, rows, what, self.analyst.unreadable)


class _ControlOutcome(Record):
    outcome: Literal["done", "rejected", "not_found"]
    status: BatchStatus | None = None
    reason: str | None = None


class _SubmitOutcome(Record):
    outcome: Literal["submitted", "rejected", "not_found"]
    batch_id: BatchId | None = None
    planned: int | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class SupabaseBatchStore:
    """Reads the batch views and calls the analyst's functions."""

    analyst: Analyst

    def submit(
        self,
        name: str,
        selection: Selection,
        settings: BatchSettings,
        estimate: Estimate,
        picks: Sequence[int] | None,
        *,
        without_templates: Sequence[TemplateId] = (),
        dataset_id: DatasetId | None = None,
    ) -> Submitted:
        request = {
            "name": name,
            "conversation_category": selection.category,
            **selection.model_dump(mode="json", exclude={"category"}),
            "picks": None if picks is None else list(picks),
            "without_templates": [str(template_id) for template_id in without_templates],
            **settings.model_dump(mode="json"),
            "estimated_seconds": estimate.seconds,
            "estimated_cost_usd": estimate.cost_usd,
            "dataset_id": None if dataset_id is None else str(dataset_id),
        }
        answer = call_function(self.analyst.client, "submit_batch", request=request)
        return _require_submitted(_SubmitOutcome.model_validate(answer))

    def count_existing(self, selection: Selection, skip: SkipExisting) -> int:
        ids = selection.model_dump(mode="json", include={"persona_ids", "arc_ids", "topic_ids"})
        request = ids | {"skip_existing": skip}
        answer = call_function(self.analyst.client, "count_existing_combinations", request=request)
        return TypeAdapter(dict[str, int]).validate_python(answer)["existing"]

    def retry_failed(self, batch_id: BatchId, changes: RetryChanges) -> Submitted:
        parameters = {"target_batch_id": str(batch_id), "changes": changes.model_dump(mode="json", exclude_none=True)}
        outcome = _SubmitOutcome.model_validate(call_function(self.analyst.client, "retry_failed_items", **parameters))
        if outcome.outcome == "not_found":
            raise NotFound.of("batch", batch_id)
        return _require_submitted(outcome)

    def get(self, batch_id: BatchId) -> BatchProgress | None:
        with translate_errors():
            rows = self.analyst.client.table("batch_progress").select("*").eq("id", str(batch_id)).execute().data
        return read_record(BatchProgress, rows[0], "batch") if rows else None

    def control(self, batch_id: BatchId, action: BatchAction, budget_usd: float | None = None) -> BatchStatus:
        parameters = {"target_batch_id": str(batch_id), "action": action, "new_budget_usd": budget_usd}
        answer = call_function(self.analyst.client, "control_batch", **parameters)
        outcome = _ControlOutcome.model_validate(answer)
        if outcome.outcome == "not_found" or outcome.status is None:
            raise NotFound.of("batch", batch_id)
        if outcome.outcome == "rejected":
            raise InvalidRequest(outcome.reason or f"The batch cannot {action} now.")
        return outcome.status

    def list_history(self) -> tuple[GenerationHistory, ...]:
        with translate_errors():
            rows = self.analyst.client.table("generation_history").select("*").execute().data
        return keep_readable(GenerationHistory, rows, "history", self.analyst.unreadable)


def _require_submitted(outcome: _SubmitOutcome) -> Submitted:
    if outcome.batch_id is None or outcome.planned is None:
        raise make_refusal(outcome.reason, "the batch")
    return Submitted(batch_id=outcome.batch_id, planned=outcome.planned)
