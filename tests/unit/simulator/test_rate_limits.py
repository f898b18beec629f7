"""The reported rate limits behave like token buckets."""

from datetime import UTC, datetime

from core.embedded.simulator.rate_limits import REQUESTS_PER_MINUTE, RateLimits, TokenBucket


def test_a_bucket_empties_and_refills_within_a_minute() -> None:
    bucket = TokenBucket(600, now_seconds=0.0)
    bucket.take(600, now_seconds=0.0)

    assert bucket.remaining == 0
    assert bucket.seconds_until_full == 60
    bucket.take(0, now_seconds=30.0)
    assert bucket.remaining == 300


def test_headers_name_limit_remaining_and_reset() -> None:
    limits = RateLimits(now_seconds=0.0)
    limits.take(1_000, 2_000, now_seconds=0.0)

    headers = limits.describe(datetime(2026, 11, 22, tzinfo=UTC))
    assert headers["anthropic-ratelimit-requests-remaining"] == str(REQUESTS_PER_MINUTE - 1)
    assert headers["anthropic-ratelimit-output-tokens-reset"] == "2026-11-22T00:00:00Z"
    assert len(headers) == 12


def test_an_exhausted_limit_says_when_to_come_back() -> None:
    headers = RateLimits(now_seconds=0.0).describe(datetime(2026, 11, 22, tzinfo=UTC), exhausted=True)

    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["anthropic-ratelimit-requests-reset"] == "2026-11-22T00:00:01Z"


def test_requests_are_refused_while_the_output_tokens_of_a_minute_are_used_up() -> None:
    limits = RateLimits(now_seconds=0.0, output_tokens_per_minute=6_000)
    limits.take(100, 5_000, now_seconds=0.0)
    assert not limits.is_exceeded(0.0)

    limits.take(100, 5_000, now_seconds=0.0)

    assert limits.is_exceeded(0.0)
    assert not limits.is_exceeded(1.0), "a hundred are there again after a second"
