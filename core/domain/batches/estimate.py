"""Estimated time and cost of a batch: planning figures and the price list until the database has a history."""

from math import ceil, sqrt

from core.domain.record import Record

DEFAULT_SECONDS_PER_CONVERSATION = 60.0
DEFAULT_COST_USD_PER_CONVERSATION = 0.45
MIN_HISTORY_ITEMS = 20
"""With fewer items with a reply the history is ignored."""
DEVIATIONS_OF_RANGE = 1.2816
"""Standard deviations around the mean that hold 8 of 10 values of a normal variable."""
DEFAULT_CHARACTERS_PER_TOKEN = 4.0


class GenerationHistory(Record):
    """Time and cost of the latest items of one model that have a reply, accepted or failed, with all their calls.

    Items without a reply do not predict the cost of the next. Deviations are those of one item.
    """

    model: str
    simulated: bool
    items: int
    cost_usd: float
    duration_seconds: float
    cost_deviation_usd: float | None = None
    duration_deviation_seconds: float | None = None
    characters_per_token: float | None = None


class Range(Record):
    """The range of a value in 8 of 10 cases, or as the price list allows it."""

    low: float
    high: float


class Estimate(Record):
    """Expected time and spend of a batch; `basis` names the data behind them and their ranges."""

    conversations: int
    seconds: float
    cost_usd: float
    basis: str
    seconds_range: Range | None = None
    cost_usd_range: Range | None = None

    def scale(self, conversations: int) -> "Estimate":
        """Return the estimate's share for some of its conversations."""
        share = conversations / self.conversations if self.conversations else 0.0
        changes = {"conversations": conversations, "seconds": self.seconds * share, "cost_usd": self.cost_usd * share}
        return self.model_copy(update=changes)


def estimate_batch(
    conversations: int, *, concurrency: int, history: GenerationHistory | None = None, call_cost_usd: Range | None = None
) -> Estimate:
    """Estimate a batch from the model's history.

    Where there is too little of it the planning figures count, with what a call may cost by the price list as the range.
    """
    if history is None or history.items < MIN_HISTORY_ITEMS:
        return _plan_batch(conversations, concurrency, call_cost_usd)
    seconds_each = history.duration_seconds / history.items
    shortest = seconds_each if conversations else 0.0
    cost_usd = conversations * history.cost_usd / history.items
    work_seconds = conversations * seconds_each
    work_range = _find_range(conversations, work_seconds, history.duration_deviation_seconds, history.items)
    source = "simulated" if history.simulated else "real"
    return Estimate(
        conversations=conversations,
        seconds=_share_seconds(work_seconds, concurrency, shortest),
        cost_usd=cost_usd,
        basis=f"from {history.items:,} {source} conversations with {history.model}",
        seconds_range=None
        if work_range is None
        else Range(
            low=_share_seconds(work_range.low, concurrency, min(shortest, work_range.low)),
            high=_share_seconds(work_range.high, concurrency, shortest),
        ),
        cost_usd_range=_find_range(conversations, cost_usd, history.cost_deviation_usd, history.items),
    )


def _plan_batch(conversations: int, concurrency: int, call_cost_usd: Range | None) -> Estimate:
    seconds_each, cost_usd_each = DEFAULT_SECONDS_PER_CONVERSATION, DEFAULT_COST_USD_PER_CONVERSATION
    basis = f"planning figures: {seconds_each:.0f} s and ${cost_usd_each:.2f} a conversation"
    costs = None
    if call_cost_usd is not None:
        costs = Range(low=conversations * call_cost_usd.low, high=conversations * call_cost_usd.high)
        basis += f"; by the price list ${call_cost_usd.low:.3f} (short) to ${call_cost_usd.high:.3f} (all of max_tokens)"
    return Estimate(
        conversations=conversations,
        seconds=_share_seconds(conversations * seconds_each, concurrency, seconds_each if conversations else 0.0),
        cost_usd=conversations * cost_usd_each,
        basis=basis,
        cost_usd_range=costs if conversations else None,
    )


def estimate_tokens(characters: int, history: GenerationHistory | None) -> int:
    """Return about how many tokens a prompt has, by the model's measured ratio where there is one."""
    ratio = None if history is None else history.characters_per_token
    return ceil(characters / (ratio or DEFAULT_CHARACTERS_PER_TOKEN))


def _share_seconds(work_seconds: float, concurrency: int, shortest: float) -> float:
    """Return the duration with `concurrency` parallel calls; the last item always takes its whole time."""
    return max(work_seconds / concurrency, shortest)


def _find_range(conversations: int, total: float, deviation: float | None, items: int) -> Range | None:
    """Return the range of a sum of independent items whose mean is estimated from `items` of them."""
    if deviation is None or not conversations:
        return None
    spread = DEVIATIONS_OF_RANGE * deviation * sqrt(conversations + conversations**2 / items)
    return Range(low=max(total - spread, 0.0), high=total + spread)
