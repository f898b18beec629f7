import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from core.domain.diagnosis.intervals import difference_interval, measure_rate, paired_difference_interval, wilson_interval

SAMPLES = st.integers(1, 5_000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(SAMPLES)
def test_wilson_agrees_with_statsmodels(sample: tuple[int, int]) -> None:
    found = wilson_interval(*sample)

    assert (found.low, found.high) == pytest.approx(proportion_confint(*sample, method="wilson"), abs=1e-9)


@given(SAMPLES, SAMPLES)
def test_difference_agrees_with_statsmodels(first: tuple[int, int], second: tuple[int, int]) -> None:
    found = difference_interval(*first, *second)

    expected = confint_proportions_2indep(*first, *second, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-9)


def test_paired_difference_agrees_with_newcombes_examples() -> None:
    # Newcombe 1998, Statistics in Medicine 17:2635, table III, method 10.
    found = paired_difference_interval(36, 12, 2, 0)

    assert (found.low, found.high) == pytest.approx((0.0569, 0.3404), abs=5e-5)


def test_nothing_seen_is_not_nothing_known() -> None:
    rate = measure_rate(0, 72)

    assert (rate.value, rate.low) == (0.0, 0.0)
    assert rate.high == pytest.approx(0.0506, abs=1e-4)
    assert measure_rate(0, 0).value is None
