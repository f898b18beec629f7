"""Rates with 95 % intervals that hold for small samples and for rates near 0.

Wilson's interval stays inside 0 to 1 and does not shrink to nothing at 0 of 72, where the usual "plus or minus" does; its
sister for the difference of two rates is Newcombe's (his method 10), made of two Wilson intervals. For rates of the same
items measured twice, Newcombe's paired interval takes their correlation into account.
"""

from math import sqrt

from core.domain.record import Record

Z_95 = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


class Interval(Record):
    """A 95 % interval."""

    low: float
    high: float


class Rate(Record):
    """How many of how many failed; `value`, `low` and `high` are shares from 0 to 1, all None where nothing was judged."""

    failed: int
    judged: int
    value: float | None
    low: float | None
    high: float | None


def measure_rate(failed: int, judged: int) -> Rate:
    """Return the share with its 95 % Wilson interval."""
    if judged == 0:
        return Rate(failed=0, judged=0, value=None, low=None, high=None)
    interval = wilson_interval(failed, judged)
    return Rate(failed=failed, judged=judged, value=failed / judged, low=interval.low, high=interval.high)


def wilson_interval(count: int, total: int) -> Interval:
    """Return Wilson's score interval for `count` of `total`; 0 to 1 where there is no sample."""
    if not 0 <= count <= total:
        raise ValueError(f"{count} of {total} is no share.")
    if total == 0:
        return Interval(low=0.0, high=1.0)
    share, squared = count / total, Z_95**2
    middle = (share + squared / (2 * total)) / (1 + squared / total)
    half = Z_95 * sqrt(share * (1 - share) / total + squared / (4 * total**2)) / (1 + squared / total)
    # At the ends the bound is exact; rounding would leave it a hair away.
    return Interval(low=0.0 if count == 0 else middle - half, high=1.0 if count == total else middle + half)


def difference_interval(count: int, total: int, other_count: int, other_total: int) -> Interval:
    """Return Newcombe's interval for the difference of two rates of different items, the first minus the second."""
    if total == 0 or other_total == 0:
        return Interval(low=-1.0, high=1.0)
    first, second = wilson_interval(count, total), wilson_interval(other_count, other_total)
    share, other = count / total, other_count / other_total
    difference = share - other
    return Interval(
        low=difference - sqrt((share - first.low) ** 2 + (second.high - other) ** 2),
        high=difference + sqrt((first.high - share) ** 2 + (other - second.low) ** 2),
    )


def paired_difference_interval(both: int, only_first: int, only_second: int, neither: int) -> Interval:
    """Return Newcombe's interval for the difference of two rates of the same items, the first minus the second."""
    total = both + only_first + only_second + neither
    if total == 0:
        return Interval(low=-1.0, high=1.0)
    count, other_count = both + only_first, both + only_second
    first, second = wilson_interval(count, total), wilson_interval(other_count, total)
    share, other = count / total, other_count / total
    correlation = _correlate_pairs(both, only_first, only_second, neither)
    down, up = share - first.low, first.high - share
    other_down, other_up = other - second.low, second.high - other
    difference = share - other
    return Interval(
        low=difference - sqrt(max(down**2 - 2 * correlation * down * other_up + other_up**2, 0.0)),
        high=difference + sqrt(max(up**2 - 2 * correlation * up * other_down + other_down**2, 0.0)),
    )


def _correlate_pairs(both: int, only_first: int, only_second: int, neither: int) -> float:
    """The phi coefficient with Newcombe's correction towards 0 where it is positive."""
    margins = (both + only_first) * (only_second + neither) * (both + only_second) * (only_first + neither)
    if margins == 0:
        return 0.0
    total = both + only_first + only_second + neither
    product = both * neither - only_first * only_second
    corrected = max(product - total / 2, 0.0) if product > 0 else float(product)
    return corrected / sqrt(margins)
