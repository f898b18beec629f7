"""Outcomes, experiments and fingerprints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from pydantic import TypeAdapter
from supabase import Client

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.functions import call_function
from core.adapters.supabase.reading import dump_filters, keep_readable, read_record, read_table
from core.adapters.supabase.session import Analyst
from core.domain.batches.results import FailureFilters
from core.domain.diagnosis.experiments import Experiment, ExperimentPairs, ExperimentPlan
from core.domain.diagnosis.fingerprint import UnmarkedFailure
from core.domain.diagnosis.outcomes import ExampleGroup, FailureExample, Outcomes, ScaffoldingLabel
from core.domain.record import Record
from core.errors import InvalidRequest, NotFound

_SCAFFOLDING_IDS = ("persona_id", "emotional_arc_id", "training_topic_id", "template_id")


@dataclass(frozen=True, kw_only=True)
class SupabaseDiagnosticStore:
    """Reads with the analyst's rights."""

    analyst: Analyst

    def count(self, filters: FailureFilters, most_batches: int) -> Outcomes:
        answer = call_function(
            self.analyst.client, "count_outcomes", filters=dump_filters(filters), most_batches=most_batches
        )
        outcomes = Outcomes.model_validate(
            answer | {"cells": {name: _read_column(text) for name, text in answer["cells"].items()}}
        )
        used = {getattr(each, name) for each in outcomes.combinations for name in _SCAFFOLDING_IDS}
        return outcomes if used <= outcomes.labels.keys() else self._add_imported_names(outcomes)

    def _add_imported_names(self, outcomes: Outcomes) -> Outcomes:
        """Add names that only imported records have; the others have their labels already."""
        rows = read_table(self.analyst.client, "imported_names", "id,name", "id")
        found = TypeAdapter(list[dict[str, str]]).validate_python(rows)
        names = {UUID(row["id"]): ScaffoldingLabel(label=row["name"]) for row in found}
        return outcomes.model_copy(update={"labels": {**outcomes.labels, **names}})

    def list_examples(self, groups: Sequence[ExampleGroup], most: int) -> tuple[tuple[FailureExample, ...], ...]:
        wanted = [dump_filters(group) for group in groups]
        answer = call_function(self.analyst.client, "list_outcome_examples", groups=wanted, most=most)
        return tuple(keep_readable(FailureExample, group, "example", self.analyst.unreadable) for group in answer)


class _CreateOutcome(Record):
    outcome: Literal["created", "rejected", "not_found"]
    experiment: Experiment | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class SupabaseExperimentStore:
    """Calls the experiments' functions with the analyst's rights."""

    analyst: Analyst

    def create(self, plan: ExperimentPlan) -> Experiment:
        request = plan.model_dump(mode="json", exclude={"change"}) | {
            "change": plan.change.model_dump(mode="json", exclude_none=True)
        }
        answer = _CreateOutcome.model_validate(call_function(self.analyst.client, "create_experiment", request=request))
        if answer.outcome == "not_found":
            raise NotFound.of("batch", plan.batch_id)
        if answer.experiment is None:
            raise InvalidRequest(answer.reason or "This cannot be compared.")
        return answer.experiment

    def list_recent(self, limit: int) -> tuple[Experiment, ...]:
        with translate_errors():
            table = self.analyst.client.table("experiments").select("*")
            rows = table.order("created_at", desc=True).limit(limit).execute().data
        return keep_readable(Experiment, rows, "comparison", self.analyst.unreadable)

    def count_pairs(self, experiment_id: UUID) -> ExperimentPairs | None:
        answer = call_function(self.analyst.client, "count_experiment_pairs", target_experiment_id=str(experiment_id))
        return None if answer is None else read_record(ExperimentPairs, answer, "comparison")


def _read_column(text: str) -> tuple[int | None, ...]:
    """Return the numbers of `1,,3`; an empty one is None."""
    if not text:
        return ()
    numbers = text.split(",")
    return tuple(int(number) if number else None for number in numbers) if "" in numbers else tuple(map(int, numbers))


@dataclass(frozen=True, kw_only=True)
class SupabaseFingerprintStore:
    """Marks failures with the service role's rights."""

    client: Client

    def list_unmarked(self, limit: int) -> tuple[UnmarkedFailure, ...]:
        answer = call_function(self.client, "list_unmarked_failures", max_rows=limit)
        return keep_readable(UnmarkedFailure, answer, "failed generation")

    def mark(self, fingerprints: Mapping[UUID, str]) -> None:
        marks = [{"id": str(failure_id), "fingerprint": mark} for failure_id, mark in fingerprints.items()]
        call_function(self.client, "mark_failures", marks=marks)
