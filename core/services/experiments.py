"""Does a change of one setting help? A batch of the same items with that setting changed, and the comparison of both."""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from core.domain.batches.batch import MAX_OUTPUT_TOKENS, BatchSettings, Effort
from core.domain.diagnosis.experiments import (
    Comparison,
    Experiment,
    ExperimentChange,
    ExperimentPairs,
    ExperimentPlan,
    compare_arms,
)
from core.domain.diagnosis.findings import StepKind
from core.domain.record import Record
from core.errors import InvalidRequest, NotFound, QueueUnavailable
from core.ports.diagnosis import ExperimentStore
from core.ports.work import JobQueue


class ExperimentReport(Record):
    """An experiment with its pairs so far, and their comparison."""

    pairs: ExperimentPairs
    comparison: Comparison


@dataclass(frozen=True, kw_only=True)
class ExperimentService:
    """Starts experiments and reads their results."""

    store: ExperimentStore
    queue: JobQueue

    def compare(self, plan: ExperimentPlan) -> Experiment:
        """Write the batch of the changed arm and enqueue it.

        Raises NotFound, or InvalidRequest unless exactly one setting changes and a judged item fits.
        """
        if len(plan.change.model_dump(exclude_none=True)) != 1:
            raise InvalidRequest("Change exactly one setting: with two, nobody could tell which one made the difference.")
        experiment = self.store.create(plan)
        with suppress(QueueUnavailable):  # The batch is safe in the database; the reconciler enqueues it later.
            self.queue.enqueue(experiment.changed_batch_id)
        return experiment

    def get(self, experiment_id: UUID) -> ExperimentReport:
        """Return an experiment with its comparison so far; raise NotFound."""
        pairs = self.store.count_pairs(experiment_id)
        if pairs is None:
            raise NotFound.of("experiment", experiment_id)
        return ExperimentReport(pairs=pairs, comparison=compare_arms(pairs))

    def list_recent(self, limit: int = 20) -> tuple[Experiment, ...]:
        """Return the analyst's newest experiments first."""
        return self.store.list_recent(limit)


def propose_change(step: StepKind, settings: BatchSettings) -> ExperimentChange | None:
    """Return the change that a next step proposes; None where a person has to choose."""
    match step:
        case StepKind.COMPARE_STRUCTURED_OUTPUT:
            return ExperimentChange(structured_outputs=not settings.structured_outputs)
        case StepKind.RAISE_MAX_TOKENS if settings.max_tokens < MAX_OUTPUT_TOKENS:
            return ExperimentChange(max_tokens=min(settings.max_tokens * 2, MAX_OUTPUT_TOKENS))
        case StepKind.CHANGE_EFFORT if settings.effort is not Effort.LOW:
            return ExperimentChange(effort=Effort.LOW)
        case _:
            return None
