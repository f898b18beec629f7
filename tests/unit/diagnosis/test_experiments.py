"""What pairs of items prove, and which changes can be compared."""

from typing import Any
from uuid import uuid4

import pytest

from core.domain.batches.batch import BatchId, Effort
from core.domain.diagnosis.experiments import (
    Experiment,
    ExperimentChange,
    ExperimentPairs,
    ExperimentPlan,
    ItemScope,
    compare_arms,
)
from core.domain.diagnosis.findings import StepKind
from core.errors import InvalidRequest
from core.services.experiments import ExperimentService, propose_change
from tests.factories import make_settings
from tests.fakes.away import Away
from tests.fakes.queue import ScriptedQueue


def test_change_that_mends_is_proven_by_the_pairs_that_came_out_differently() -> None:
    comparison = compare_arms(make_pairs(only_base_failed=10, neither_failed=8))

    assert comparison.is_proven
    assert (comparison.base.judged, comparison.base.failed, comparison.changed.failed) == (18, 10, 0)
    assert comparison.difference_high < 0
    assert comparison.verdict.startswith(
        "Conversations fail less often with max_tokens 9,000: 0 % fail, 56 % before (18 pairs; 10 fixed"
    )


def test_before_a_pair_is_judged_nothing_is_said() -> None:
    assert compare_arms(make_pairs(open=18)).verdict == "No pair is judged yet (18 open)."


@pytest.mark.parametrize("change", [{}, {"model": "claude-haiku-5", "max_tokens": 1000}])
def test_comparison_needs_exactly_one_change(change: dict[str, Any]) -> None:
    service = ExperimentService(store=Away(AssertionError("nothing is written")), queue=ScriptedQueue())
    plan = ExperimentPlan(batch_id=BatchId(uuid4()), change=ExperimentChange.model_validate(change))

    with pytest.raises(InvalidRequest, match="exactly one setting"):
        service.compare(plan)


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
    assert comparison.verdict.endswith("6 pairs still open.")


def test_items_chosen_for_having_failed_prove_nothing_however_many_pass() -> None:
    comparison = compare_arms(make_pairs(ItemScope.FAILED, only_base_failed=18, both_failed=2))

    assert not comparison.is_proven
    assert "Some would have been without the change" in comparison.verdict


def test_next_steps_become_changes() -> None:
    settings = make_settings(max_tokens=100_000, effort="high")

    assert propose_change(StepKind.COMPARE_STRUCTURED_OUTPUT, settings) == ExperimentChange(structured_outputs=False)
    assert propose_change(StepKind.RAISE_MAX_TOKENS, settings) == ExperimentChange(max_tokens=128_000)
    assert propose_change(StepKind.CHANGE_EFFORT, settings) == ExperimentChange(effort=Effort.LOW)
    assert propose_change(StepKind.CHECK_ESCAPING, settings) is None
