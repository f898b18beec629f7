"""What a batch will take and cost: the document's figures until the database has real ones."""

from math import ceil

from core.domain.record import Record

DEFAULT_SECONDS_PER_CONVERSATION = 60.0
DEFAULT_COST_USD_PER_CONVERSATION = 0.45
MIN_HISTORY_ITEMS = 20
"""Fewer finished items than this say too little."""


class GenerationHistory(Record):
    """What the items of one model have taken so far, retries included."""

    model: str
    simulated: bool
    items: int
    cost_usd: float
    duration_seconds: float


class Estimate(Record):
    """Expected time and spend of a batch; `basis` says what it rests on."""

    conversations: int
    seconds: float
    cost_usd: float
    basis: str

    def scale(self, conversations: int) -> "Estimate":
        """Return the estimate's share for some of its conversations."""
        share = conversations / self.conversations if self.conversations else 0.0
        changes = {"conversations": conversations, "seconds": self.seconds * share, "cost_usd": self.cost_usd * share}
        return self.model_copy(update=changes)

    @property
    def minutes(self) -> int:
        """Whole minutes, rounded up."""
        return ceil(self.seconds / 60)


def estimate_batch(conversations: int, *, concurrency: int, history: GenerationHistory | None = None) -> Estimate:
    """Estimate a batch from the model's history, or from the default figures where there is too little of it."""
    if history is not None and history.items >= MIN_HISTORY_ITEMS:
        seconds_each = history.duration_seconds / history.items
        cost_usd_each = history.cost_usd / history.items
        source = "simulated" if history.simulated else "real"
        basis = f"from {history.items} {source} conversations with {history.model}"
    else:
        seconds_each, cost_usd_each = DEFAULT_SECONDS_PER_CONVERSATION, DEFAULT_COST_USD_PER_CONVERSATION
        basis = f"default figures: {seconds_each:.0f} s and ${cost_usd_each:.2f} a conversation"
    return Estimate(
        conversations=conversations,
        # However many run at once, the last one takes its own time.
        seconds=max(conversations * seconds_each / concurrency, seconds_each if conversations else 0.0),
        cost_usd=conversations * cost_usd_each,
        basis=basis,
    )
