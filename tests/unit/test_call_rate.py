"""How many calls a minute the limits of a reply allow."""

from collections.abc import Mapping

import pytest

from core.domain.batches.call_rate import MeanUse, find_call_rate, update_mean_use
from core.domain.verdict.reply import TokenUsage

MEAN = MeanUse(input_tokens=1_800, output_tokens=2_650)


def make_headers(**limits: float) -> Mapping[str, str]:
    """Return headers with full buckets; underlines stand for dashes."""
    kinds = {kind.replace("_", "-"): limit for kind, limit in limits.items()}
    return {
        f"anthropic-ratelimit-{kind}-{part}": str(limit) for kind, limit in kinds.items() for part in ("limit", "remaining")
    }


def test_output_tokens_bind_first_where_they_allow_fewest_calls() -> None:
    rate = find_call_rate(make_headers(requests=1_000, input_tokens=500_000, output_tokens=100_000), MEAN)

    assert rate is not None
    assert (37.7, 1.59) == (round(rate.calls_per_minute, 1), round(rate.spacing_seconds, 2))
    assert "100,000 output tokens a minute allow 38 calls" == rate.bound_by


@pytest.mark.parametrize(
    ("headers", "bound_by"),
    [
        (make_headers(requests=30, output_tokens=100_000), "30 requests a minute allow 30 calls"),
        (make_headers(requests=1_000, input_tokens=18_000), "18,000 input tokens a minute allow 10 calls"),
        (make_headers(tokens=44_500), "44,500 tokens a minute allow 10 calls"),
    ],
)
def test_the_tightest_of_all_limits_binds(headers: Mapping[str, str], bound_by: str) -> None:
    rate = find_call_rate(headers, MEAN)

    assert rate is not None
    assert bound_by == rate.bound_by


def test_without_limits_there_is_no_rate_and_without_tokens_requests_alone_count() -> None:
    assert find_call_rate({}, MEAN) is None
    assert find_call_rate(make_headers(output_tokens=100), None) is None
    rate = find_call_rate(make_headers(requests=50, output_tokens=100), None)
    assert rate is not None
    assert 50 == rate.calls_per_minute


def test_mean_follows_the_latest_replies_and_skips_those_that_say_nothing() -> None:
    mean = update_mean_use(None, TokenUsage(input_tokens=100, output_tokens=1_000, cache_creation_input_tokens=50))
    assert MeanUse(input_tokens=150, output_tokens=1_000) == mean
    assert mean == update_mean_use(mean, TokenUsage())
    for _ in range(60):
        mean = update_mean_use(mean, TokenUsage(input_tokens=100, output_tokens=2_000, cache_read_input_tokens=9_000))
    assert mean is not None
    assert (True, True) == (1_990 < mean.output_tokens < 2_000, 100 < mean.input_tokens < 101)
