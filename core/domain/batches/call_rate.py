"""How many calls a minute Claude's rate limits allow, from the headers of a reply and the tokens that calls use. Pure."""

from collections.abc import Mapping

from core.domain.batches.rate_limits import read_rate_limits
from core.domain.record import Record
from core.domain.verdict.reply import TokenUsage

WEIGHT_OF_LATEST = 0.1
"""Of a reply in the mean of tokens: about the last twenty replies count."""
_NAMES = {"requests": "requests", "tokens": "tokens", "input-tokens": "input tokens", "output-tokens": "output tokens"}


class MeanUse(Record):
    """The tokens of a call, on average over the latest replies."""

    input_tokens: float
    output_tokens: float


class CallRate(Record):
    """The calls that the tightest limit allows; limits are filled evenly over a minute."""

    calls_per_minute: float
    bound_by: str

    @property
    def spacing_seconds(self) -> float:
        """The time from the start of one call to the start of the next."""
        return 60 / self.calls_per_minute


def update_mean_use(mean: MeanUse | None, usage: TokenUsage) -> MeanUse | None:
    """Return the mean with one more reply; a reply that does not say what it used changes nothing."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return mean
    # Tokens that are read from a cache count towards no limit.
    sent = usage.input_tokens + (usage.cache_creation_input_tokens or 0)
    if mean is None:
        return MeanUse(input_tokens=sent, output_tokens=usage.output_tokens)
    return MeanUse(
        input_tokens=mean.input_tokens + WEIGHT_OF_LATEST * (sent - mean.input_tokens),
        output_tokens=mean.output_tokens + WEIGHT_OF_LATEST * (usage.output_tokens - mean.output_tokens),
    )


def find_call_rate(headers: Mapping[str, str], mean: MeanUse | None) -> CallRate | None:
    """Return the rate of the tightest limit; None where the headers name none that calls of this size come near."""
    use = {"requests": 1.0}
    if mean is not None:
        use |= {
            "tokens": mean.input_tokens + mean.output_tokens,
            "input-tokens": mean.input_tokens,
            "output-tokens": mean.output_tokens,
        }
    rates = [
        CallRate(
            calls_per_minute=limit.limit / use[limit.kind],
            bound_by=f"{limit.limit:,.0f} {_NAMES[limit.kind]} a minute allow {limit.limit / use[limit.kind]:,.0f} calls",
        )
        for limit in read_rate_limits(headers)
        if limit.limit > 0 and use.get(limit.kind, 0) > 0
    ]
    return min(rates, key=lambda rate: rate.calls_per_minute, default=None)
