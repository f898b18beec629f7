"""Exact tests for counts, and the correction for multiple comparisons.

Failures are few (four of ninety is an ordinary batch), so no test assumes large samples: the probabilities are those of the
hypergeometric and binomial distributions. The correction is Holm's. It keeps the chance of even one false suspect at the
given level, whatever the dependencies between tests (arc, template and prompt length depend on each other). Benjamini-
Hochberg would accept a share of false suspects, but each suspect here costs a person work. Tests that no outcome could make
significant (Tarone: three items of a topic among four failures) are left out before the correction, since they can raise no
false alarm; with few failures that is what keeps Holm able to find anything.
"""

from collections.abc import Sequence
from functools import cache
from math import ceil, erfc, lgamma, log, sqrt
from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_TIE = 1e-7
"""Two tables count as equally probable within this relative difference (as in scipy and R)."""
_WINDOW_SDS = 12
_EXACT_SUPPORT = 4_000
_FEWEST_TO_APPROXIMATE = 100.0


def fisher_p(count: int, total: int, other_count: int, other_total: int) -> float:
    """Return Fisher's exact two-sided p-value for two rates: `count` of `total` against `other_count` of `other_total`."""
    drawn, everything = count + other_count, total + other_total
    low, high = max(0, drawn - other_total), min(drawn, total)
    if low == high:
        return 1.0
    mode = (drawn + 1) * (total + 1) // (everything + 2)
    spread = sqrt(drawn * total / everything * other_total / everything * (everything - drawn) / max(everything - 1, 1))
    reach = ceil(_WINDOW_SDS * (spread + 1))
    limit = _log_probability(count, total, other_total, drawn) + _TIE

    def sum_tail(first: int, last: int) -> float:
        if first > last:
            return 0.0
        return float(np.exp(_log_probabilities(first, last, total, other_total, drawn)).sum())

    if count >= mode:
        other = _find_edge(low, min(mode, count), limit, (total, other_total, drawn), rising=True)
        return min(1.0, sum_tail(count, min(high, count + reach)) + sum_tail(max(low, other - reach), min(other, count - 1)))
    other = _find_edge(mode, high, limit, (total, other_total, drawn), rising=False)
    return min(1.0, sum_tail(max(low, count - reach), count) + sum_tail(max(other, count + 1), min(high, other + reach)))


def least_fisher_p(failed: int, totals: Ints, everything: int) -> Floats:
    """Return the smallest p-value that any outcome could have, for values with these totals among so many failed items."""
    most = np.minimum(totals, failed)
    least = np.maximum(totals + failed - everything, 0)
    table = _log_factorials(everything)
    ends = [_log_choose(table, totals, x) + _log_choose(table, everything - totals, failed - x) for x in (most, least)]
    whole = _log_choose(table, everything, failed)
    return cast("Floats", np.exp(np.minimum(np.minimum(ends[0], ends[1]) - whole, 0.0)))


def stratified_p(counts: Sequence[int], totals: Sequence[int], failed: Sequence[int], judged: Sequence[int]) -> float:
    """Return the two-sided p-value for "fails as often as the others of the same stratum", over all strata at once.

    Stratum by stratum: `counts` of `totals` failed inside, `failed` of `judged` overall. Exact (the distribution of the sum
    of hypergeometric counts) unless the tables are so large that the Mantel-Haenszel approximation is as good.
    """
    rows = [row for row in zip(counts, totals, failed, judged, strict=True) if _can_vary(row)]
    if not rows:
        return 1.0
    variance = sum(_variance(row) for row in rows)
    support = sum(min(f, t) - max(0, f - (j - t)) for _, t, f, j in rows) + 1
    if support > _EXACT_SUPPORT and variance > _FEWEST_TO_APPROXIMATE:
        excess = abs(sum(c - f * t / j for c, t, f, j in rows))
        return erfc(max(excess - 0.5, 0.0) / sqrt(2 * variance))
    return _convolve_p(rows)


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Return McNemar's exact two-sided p-value for pairs that came out differently."""
    pairs = only_first + only_second
    if pairs == 0:
        return 1.0
    tail = np.arange(min(only_first, only_second) + 1)
    return min(1.0, 2 * float(np.exp(_log_choose(_log_factorials(pairs), pairs, tail) - pairs * log(2)).sum()))


def choose_testable(least_p: Sequence[float], alpha: float) -> tuple[bool, ...]:
    """Say which tests can become significant at all (Tarone's rule, from the margins alone)."""
    ordered = np.sort(np.array(least_p, dtype=np.float64))
    ranks = np.arange(1, len(ordered) + 1)
    enough = np.flatnonzero(np.searchsorted(ordered, alpha / ranks, side="right") <= ranks)
    count = int(ranks[enough[0]]) if len(enough) else 1
    return tuple(p <= alpha / count for p in least_p)


def adjust_holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return the p-values after Holm's correction, in the order given."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = highest
    return tuple(adjusted)


def _log_choose(log_factorials: Floats, top: Ints | int, below: Ints | int) -> Floats:
    return log_factorials[top] - log_factorials[below] - log_factorials[top - below]


def _log_factorials(highest: int) -> Floats:
    """Return the logarithms of the factorials of all numbers up to this one, and of some more."""
    return _tabulate_log_factorials(highest.bit_length())


@cache
def _tabulate_log_factorials(bits: int) -> Floats:
    """For repeated whole numbers scipy is no faster, and takes most of a second to import."""
    return np.fromiter(map(lgamma, range(1, 2**bits + 1)), dtype=np.float64, count=2**bits)


def _log_probabilities(first: int, last: int, total: int, other_total: int, drawn: int) -> Floats:
    counts, table = np.arange(first, last + 1), _log_factorials(total + other_total)
    inside = _log_choose(table, total, counts)
    outside = _log_choose(table, other_total, drawn - counts)
    return inside + outside - _log_choose(table, total + other_total, drawn)


def _log_probability(count: int, total: int, other_total: int, drawn: int) -> float:
    """A single value of `_log_probabilities`."""

    def log_choose(top: int, below: int) -> float:
        return lgamma(top + 1) - lgamma(below + 1) - lgamma(top - below + 1)

    return log_choose(total, count) + log_choose(other_total, drawn - count) - log_choose(total + other_total, drawn)


def _find_edge(first: int, last: int, limit: float, table: tuple[int, int, int], *, rising: bool) -> int:
    """Where a monotone flank is still no more probable than the limit: the last such count if rising, else the first.

    One step outside of the range where there is none.
    """
    low, high = first, last
    while low <= high:
        middle = (low + high) // 2
        if (_log_probability(middle, *table) <= limit) == rising:
            low = middle + 1
        else:
            high = middle - 1
    return high if rising else low


def _can_vary(row: tuple[int, int, int, int]) -> bool:
    _, total, failed, judged = row
    return 0 < total < judged and 0 < failed < judged


def _variance(row: tuple[int, int, int, int]) -> float:
    _, total, failed, judged = row
    return failed * total * (judged - total) * (judged - failed) / (judged**2 * max(judged - 1, 1))


def _convolve_p(rows: Sequence[tuple[int, int, int, int]]) -> float:
    """Sum over the exact distribution of the total count."""
    start, distribution = 0, np.ones(1)
    for _, total, failed, judged in rows:
        low, high = max(0, failed - (judged - total)), min(failed, total)
        start += low
        distribution = np.convolve(distribution, np.exp(_log_probabilities(low, high, total, judged - total, failed)))
    observed = distribution[sum(row[0] for row in rows) - start]
    if observed <= 0:
        return 0.0
    return min(1.0, float(distribution[distribution <= observed * (1 + _TIE)].sum()))
