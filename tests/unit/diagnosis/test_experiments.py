import pytest

from core.adapters.memory import MemoryQueue
from core.adapters.memory_diagnostics import MemoryExperimentStore
from core.domain.batch import Effort
from core.domain.experiments import Experiment, ExperimentChange, ExperimentPairs, ExperimentPlan, ItemScope, compare_arms
from core.domain.findings import StepKind
from core.domain.results import FailureFilters
from core.errors import InvalidRequest
from core.services.experiments import ExperimentService, propose_change
from tests.factories import make_settings
from tests.unit.diagnosis.simulated_runs import run_batch, run_grid

FAULTS = "cut_string@shame_to_acceptance+structured=0.7"


def test_change_that_mends_is_proven_by_the_pairs_that_came_out_differently() -> None:
    database = run_grid(FAULTS)
    (batch_id,) = database.batches
    queue = MemoryQueue()
    service = ExperimentService(store=MemoryExperimentStore(database=database), queue=queue)
    shame = next(arc.id for arc in database.arcs if arc.arc_key == "shame_to_acceptance")
    plan = ExperimentPlan(
        batch_id=batch_id,
        items=FailureFilters(emotional_arc_id=shame),
        change=ExperimentChange(structured_outputs=False),
        name="Off",
    )

    experiment = service.compare(plan)

    assert (experiment.pairs, queue.rung) == (18, [experiment.changed_batch_id])
    assert service.get(experiment.id).comparison.verdict == "No pair is judged yet (18 are open)."
    run_batch(database, experiment.changed_batch_id, FAULTS, seed=0)
    report = service.get(experiment.id)
    assert report.comparison.is_proven
    assert (report.comparison.base.judged, report.comparison.changed.failed) == (18, 0)
    assert report.comparison.difference_high < 0
    assert report.comparison.verdict.startswith("Conversations fail less often with structured output off: 0 % (0-18 %)")
    assert service.list_recent() == (experiment,)


@pytest.mark.parametrize(
    "change",
    [
        ExperimentChange(),
        ExperimentChange(model="claude-haiku-5", max_tokens=1000),
        ExperimentChange(structured_outputs=True),
    ],
)
def test_comparison_needs_exactly_one_real_change(change: ExperimentChange) -> None:
    database = run_grid("")
    (batch_id,) = database.batches
    service = ExperimentService(store=MemoryExperimentStore(database=database), queue=MemoryQueue())

    with pytest.raises(InvalidRequest):
        service.compare(ExperimentPlan(batch_id=batch_id, change=change))
    with pytest.raises(InvalidRequest, match="No judged item"):
        service.compare(ExperimentPlan(batch_id=batch_id, change=ExperimentChange(max_tokens=9_000), scope=ItemScope.FAILED))


def make_pairs(scope: ItemScope = ItemScope.JUDGED, **counts: int) -> ExperimentPairs:
    experiment = Experiment.model_validate(
        {
            "id": "00000000-0000-4000-8000-000000000001",
            "name": "E",
            "scope": scope,
            "change": {"max_tokens": 9000},
            "base_batch_id": "00000000-0000-4000-8000-000000000002",
            "changed_batch_id": "00000000-0000-4000-8000-000000000003",
            "pairs": 20,
            "created_at": "2026-11-22T00:00:00Z",
        }
    )
    zero = dict.fromkeys(("both_failed", "only_base_failed", "only_changed_failed", "neither_failed", "open"), 0)
    return ExperimentPairs.model_validate({"experiment": experiment, **zero, **counts})


def test_few_pairs_prove_nothing() -> None:
    comparison = compare_arms(make_pairs(only_base_failed=4, neither_failed=10, open=6))

    assert not comparison.is_proven
    assert comparison.p_value == pytest.approx(0.125)
    assert comparison.verdict.startswith("No difference is proven")
    assert comparison.verdict.endswith("6 pairs are still open.")


def test_items_chosen_for_having_failed_prove_nothing_however_many_pass() -> None:
    comparison = compare_arms(make_pairs(ItemScope.FAILED, only_base_failed=18, both_failed=2))

    assert not comparison.is_proven
    assert "Some would have passed without the change" in comparison.verdict


def test_next_steps_become_changes() -> None:
    settings = make_settings(max_tokens=100_000, effort="high")

    assert propose_change(StepKind.COMPARE_STRUCTURED_OUTPUT, settings) == ExperimentChange(structured_outputs=False)
    assert propose_change(StepKind.RAISE_MAX_TOKENS, settings) == ExperimentChange(max_tokens=128_000)
    assert propose_change(StepKind.CHANGE_EFFORT, settings) == ExperimentChange(effort=Effort.LOW)
    assert propose_change(StepKind.CHECK_ESCAPING, settings) is None
