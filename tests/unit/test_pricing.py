from decimal import Decimal

import pytest

from core.domain.batches.pricing import compute_cost_usd, find_price
from core.domain.verdict.reply import TokenUsage


@pytest.mark.parametrize(
    ("model", "usage", "expected"),
    [
        ("claude-sonnet-5-5", TokenUsage(input_tokens=1_000_000, output_tokens=1_000_000), "12"),
        ("claude-haiku-4-5-20251001", TokenUsage(input_tokens=1_000_000, output_tokens=0), "1"),
        ("claude-opus-5-5", TokenUsage(input_tokens=0, output_tokens=500_000), "10"),
        ("claude-haiku-5-5", TokenUsage(input_tokens=100_001, output_tokens=0), "0.0500005"),
        (
            "claude-sonnet-5-5",
            TokenUsage(
                input_tokens=0, output_tokens=0, cache_creation_input_tokens=1_000_000, cache_read_input_tokens=10**6
            ),
            "2.60",
        ),
        ("claude-sonnet-5-5", TokenUsage(input_tokens=0, output_tokens=0), "0"),
    ],
)
def test_cost_follows_the_price_table(model: str, usage: TokenUsage, expected: str) -> None:
    assert Decimal(expected) == compute_cost_usd(model, usage)


def test_unknown_model_or_unknown_tokens_have_no_cost_rather_than_a_wrong_one() -> None:
    assert compute_cost_usd("claude-unheard-of", TokenUsage(input_tokens=1, output_tokens=1)) is None
    assert compute_cost_usd("claude-sonnet-5-5", TokenUsage(input_tokens=1)) is None


def test_longest_prefix_counts() -> None:
    assert find_price("claude-opus-5-5") != find_price("claude-opus-5")
    assert find_price("claude-sonnet-5-50") is None
