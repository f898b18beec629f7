"""What a call costs. Prices change: the table is dated, and an unknown model has no price rather than a wrong one."""

from decimal import Decimal

from core.domain.batches.estimate import Range
from core.domain.record import Record
from core.domain.verdict.reply import TokenUsage

PRICES_AS_OF = "2026-11-22"
PRICES_SOURCE = "https://platform.claude.com/docs/en/about-claude/pricing"
MILLION = Decimal(1_000_000)


class Price(Record):
    """USD for a million tokens. Above `long_prompt_tokens` of input, `long_factor` multiplies every rate."""

    input_usd: Decimal
    output_usd: Decimal
    cache_write_usd: Decimal
    cache_read_usd: Decimal
    long_prompt_tokens: int | None = None
    long_factor: Decimal = Decimal(1)


def _price(rates: str, long_prompt_tokens: int | None = None, long_factor: str = "1") -> Price:
    input_usd, output_usd, cache_write_usd, cache_read_usd = (Decimal(rate) for rate in rates.split())
    return Price(
        input_usd=input_usd,
        output_usd=output_usd,
        cache_write_usd=cache_write_usd,
        cache_read_usd=cache_read_usd,
        long_prompt_tokens=long_prompt_tokens,
        long_factor=Decimal(long_factor),
    )


# Keys are prefixes of model ids; the longest that fits counts. Rates: input, output, 5-minute cache write, cache read.
PRICES = {
    "claude-haiku-5-5": _price("0.10 0.50 0.125 0.01", 100_000, "5"),
    "claude-sonnet-5-5": _price("2 10 2.50 0.10"),
    "claude-opus-5-5": _price("4 20 5 0.20"),
    "claude-fable-5-2": _price("8 40 10 0.20"),
    "claude-opus-5": _price("5 25 6.25 0.50"),
    "claude-opus-4": _price("5 25 6.25 0.50"),
    "claude-haiku-4-5": _price("1 5 1.25 0.10"),
}
SHORT_CALL, LONG_PROMPT_TOKENS = TokenUsage(input_tokens=1000, output_tokens=1500), 4000
"""A short conversation, and the prompt of a long one."""
MODELS = ("claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5", "claude-fable-5-2")
"""What the pages offer; any other id can be set by hand."""


def find_price(model: str) -> Price | None:
    """Return the price of a model id, dated ids such as `claude-haiku-4-5-20251001` included; None if unknown."""
    fitting = [prefix for prefix in PRICES if model == prefix or model.startswith(prefix + "-")]
    return PRICES[max(fitting, key=len)] if fitting else None


def compute_cost_usd(model: str, usage: TokenUsage) -> Decimal | None:
    """Return what a call cost in USD; None where the model's price or the tokens are not known."""
    price = find_price(model)
    if price is None or usage.input_tokens is None or usage.output_tokens is None:
        return None
    written = usage.cache_creation_input_tokens or 0
    read = usage.cache_read_input_tokens or 0
    total = (
        usage.input_tokens * price.input_usd
        + usage.output_tokens * price.output_usd
        + written * price.cache_write_usd
        + read * price.cache_read_usd
    )
    is_long = price.long_prompt_tokens is not None and usage.input_tokens + written + read > price.long_prompt_tokens
    return total * (price.long_factor if is_long else 1) / MILLION


def find_call_cost_range(model: str, max_tokens: int) -> Range | None:
    """Return what one call may cost in USD, from a short reply to one that takes all of max_tokens; None without a price."""
    low = compute_cost_usd(model, SHORT_CALL)
    high = compute_cost_usd(model, TokenUsage(input_tokens=LONG_PROMPT_TOKENS, output_tokens=max_tokens))
    return None if low is None or high is None else Range(low=min(float(low), float(high)), high=float(high))
