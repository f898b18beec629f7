import pytest

from core.domain.batches.estimate import GenerationHistory, estimate_batch
from core.domain.batches.pricing import find_call_cost_range


def test_ninety_conversations_take_30_minutes_and_40_50_usd_by_default() -> None:
    estimate = estimate_batch(90, concurrency=3)

    assert (30 * 60, 40.5) == (estimate.seconds, pytest.approx(estimate.cost_usd))


def test_history_replaces_the_default_figures_once_there_is_enough() -> None:
    history = GenerationHistory(model="m", simulated=False, items=20, cost_usd=1.0, duration_seconds=400)

    estimate = estimate_batch(10, concurrency=2, history=history)

    assert (100.0, 0.5) == (estimate.seconds, estimate.cost_usd)
    assert "20 real conversations" in estimate.basis


def test_little_history_says_nothing() -> None:
    history = GenerationHistory(model="m", simulated=False, items=19, cost_usd=0.0, duration_seconds=0)

    assert "planning figures" in estimate_batch(10, concurrency=2, history=history).basis


def test_fewer_conversations_than_slots_take_as_long_as_one() -> None:
    assert estimate_batch(2, concurrency=3).seconds == 60.0
    assert estimate_batch(100, concurrency=3).seconds == pytest.approx(100 / 3 * 60)
    assert estimate_batch(0, concurrency=3).seconds == 0.0


def test_before_any_history_the_price_list_gives_a_range_beside_the_planning_figure() -> None:
    call_cost_usd = find_call_cost_range("claude-sonnet-5-5", 24_576)
    assert call_cost_usd is not None

    estimate = estimate_batch(40, concurrency=3, call_cost_usd=call_cost_usd)

    assert estimate.cost_usd == pytest.approx(18.0)
    assert estimate.cost_usd_range is not None
    assert (pytest.approx(0.68), pytest.approx(10.1504)) == (estimate.cost_usd_range.low, estimate.cost_usd_range.high)
    assert "by the price list $0.017 (short) to $0.254 (all of max_tokens)" in estimate.basis
    assert find_call_cost_range("claude-next-9", 24_576) is None
