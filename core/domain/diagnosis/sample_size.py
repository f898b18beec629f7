"""How many more items would settle whether a suspect is a cause."""

from math import ceil

from core.domain.diagnosis.exact_tests import fisher_p
from core.domain.diagnosis.intervals import Rate

_GROWTH, _MOST_GROWTH = 1.2, 30
_STEP = 10


def estimate_more_items(rate: Rate, rest: Rate, *, comparisons: int, alpha: float) -> int | None:
    """Return about how many more items of a suspect would prove it if it kept failing as often; None where none would.

    `rest` stays as it is; the p-value is multiplied by the number of comparisons, which is never too optimistic.
    """
    if not rate.value or not rest.judged:
        return None
    judged = float(rate.judged)
    while (judged := judged * _GROWTH) <= rate.judged * _MOST_GROWTH:
        total = ceil(judged)
        p_value = fisher_p(round(rate.value * total), total, rest.failed, rest.judged)
        if p_value * max(comparisons, 1) <= alpha:
            return ceil((total - rate.judged) / _STEP) * _STEP
    return None
