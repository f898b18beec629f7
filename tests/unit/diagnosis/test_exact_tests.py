"""Known answers: scipy's and statsmodels' for random tables, enumeration for small ones."""

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from core.domain.diagnosis.exact_tests import (
    adjust_holm,
    choose_testable,
    fisher_p,
    least_fisher_p,
    mcnemar_p,
    stratified_p,
)

RANDOM = random.Random(20261122)
TABLES = [
    (RANDOM.randint(0, first), first, RANDOM.randint(0, second), second)
    for first, second in ((RANDOM.choice((1, 3, 18, 90, 700)), RANDOM.choice((1, 5, 72, 900))) for _ in range(300))
]


@pytest.mark.parametrize("table", [*TABLES, (4, 18, 0, 72), (60_000, 100_000, 40_000, 400_000), (3, 100_000, 2, 400_000)])
def test_fisher_agrees_with_scipy(table: tuple[int, int, int, int]) -> None:
    count, total, other, other_total = table

    expected = stats.fisher_exact([[count, total - count], [other, other_total - other]]).pvalue

    assert fisher_p(*table) == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_least_p_is_that_of_the_most_lopsided_outcome() -> None:
    totals = np.array([3, 15, 18, 30, 60])

    least = least_fisher_p(4, totals, 90)

    for index, total in enumerate(totals.tolist()):
        outcomes = [stats.hypergeom.pmf(count, 90, total, 4) for count in range(min(4, total) + 1)]
        assert least[index] == pytest.approx(min(outcomes[0], outcomes[-1]), rel=1e-9)


def enumerate_strata(rows: list[tuple[int, int, int, int]]) -> float:
    """Sum the probability of every outcome of all strata that is no more likely than the observed total."""
    totals: dict[int, float] = {}
    ranges = [range(max(0, f - (j - t)), min(f, t) + 1) for _, t, f, j in rows]
    for outcome in itertools.product(*ranges):
        probability = math.prod(
            float(stats.hypergeom.pmf(c, j, t, f)) for c, (_, t, f, j) in zip(outcome, rows, strict=True)
        )
        totals[sum(outcome)] = totals.get(sum(outcome), 0.0) + probability
    observed = totals[sum(row[0] for row in rows)]
    return sum(p for p in totals.values() if p <= observed * (1 + 1e-7))


@given(
    st.lists(
        st.tuples(st.integers(1, 8), st.integers(1, 8), st.floats(0, 1), st.floats(0, 1)),
        min_size=1,
        max_size=3,
    )
)
def test_stratified_test_agrees_with_enumeration(shapes: list[tuple[int, int, float, float]]) -> None:
    rows = []
    for total, rest, share, inside in shapes:
        failed = round((total + rest) * share)
        low, high = max(0, failed - rest), min(failed, total)
        rows.append((low + round((high - low) * inside), total, failed, total + rest))

    found = stratified_p(*(list(column) for column in zip(*rows, strict=True)))

    assert found == pytest.approx(min(1.0, enumerate_strata(rows)), rel=1e-6)


def test_one_stratum_is_fishers_test() -> None:
    assert stratified_p([4], [18], [4], [90]) == pytest.approx(fisher_p(4, 18, 0, 72))


def test_large_strata_agree_with_mantel_and_haenszel() -> None:
    tables = [[[900, 9_100], [700, 9_300]], [[2_000, 18_000], [1_800, 18_200]]]
    expected = StratifiedTable([np.array(table) for table in tables]).test_null_odds(correction=True).pvalue

    found = stratified_p([900, 2_000], [10_000, 20_000], [1_600, 3_800], [20_000, 40_000])

    assert found == pytest.approx(expected, rel=0.01)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_agrees_with_the_binomial_test(mended: int, broken: int) -> None:
    expected = stats.binomtest(mended, mended + broken).pvalue if mended + broken else 1.0

    assert mcnemar_p(mended, broken) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=20)  # statsmodels takes a tenth of a second for each
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    assert adjust_holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


def test_hopeless_tests_do_not_count_against_the_others() -> None:
    least = [0.0012] * 5 + [0.0005] * 6 + [0.01] * 20

    assert [True] * 11 + [False] * 20 == list(choose_testable(least, 0.04))
