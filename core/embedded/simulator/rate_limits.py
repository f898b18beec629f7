"""The rate limits of a key, generous unless the output tokens of a minute are set; headers tell how full the buckets are."""

from datetime import UTC, datetime, timedelta

REQUESTS_PER_MINUTE = 60_000
INPUT_TOKENS_PER_MINUTE = 150_000_000
OUTPUT_TOKENS_PER_MINUTE = 60_000_000

_SECONDS_PER_MINUTE = 60.0


class TokenBucket:
    """Holds up to `limit`, refills evenly within a minute. Times are seconds of any steady clock."""

    def __init__(self, limit: int, now_seconds: float) -> None:
        self.limit = limit
        self._filled = float(limit)
        self._updated_seconds = now_seconds

    def take(self, amount: int, now_seconds: float) -> None:
        elapsed = max(0.0, now_seconds - self._updated_seconds)
        refilled = min(float(self.limit), self._filled + elapsed * self.limit / _SECONDS_PER_MINUTE)
        self._filled = max(0.0, refilled - amount)
        self._updated_seconds = now_seconds

    @property
    def remaining(self) -> int:
        return int(self._filled)

    @property
    def seconds_until_full(self) -> float:
        return (self.limit - self._filled) / self.limit * _SECONDS_PER_MINUTE


class RateLimits:
    """The four limits that the API reports."""

    def __init__(self, now_seconds: float, output_tokens_per_minute: int = OUTPUT_TOKENS_PER_MINUTE) -> None:
        self._requests = TokenBucket(REQUESTS_PER_MINUTE, now_seconds)
        self._input = TokenBucket(INPUT_TOKENS_PER_MINUTE, now_seconds)
        self._output = TokenBucket(output_tokens_per_minute, now_seconds)
        self._both = TokenBucket(INPUT_TOKENS_PER_MINUTE + output_tokens_per_minute, now_seconds)

    def is_exceeded(self, now_seconds: float) -> bool:
        """Whether the next request is to be refused: the output tokens of the last minute are used up."""
        self._output.take(0, now_seconds)
        return self._output.remaining <= 0

    def take(self, input_tokens: int, output_tokens: int, now_seconds: float) -> None:
        """Account for one request."""
        self._requests.take(1, now_seconds)
        self._input.take(input_tokens, now_seconds)
        self._output.take(output_tokens, now_seconds)
        self._both.take(input_tokens + output_tokens, now_seconds)

    def describe(self, now: datetime, *, exhausted: bool = False) -> dict[str, str]:
        """Return the headers; remaining tokens are rounded to thousands as the API does. `exhausted`: no request left."""
        buckets = (
            ("requests", self._requests, 1),
            ("tokens", self._both, 1_000),
            ("input-tokens", self._input, 1_000),
            ("output-tokens", self._output, 1_000),
        )
        headers: dict[str, str] = {}
        for name, bucket, unit in buckets:
            is_empty = exhausted and name == "requests"
            remaining = 0 if is_empty else round(bucket.remaining / unit) * unit
            reset = now.astimezone(UTC) + timedelta(seconds=1.0 if is_empty else bucket.seconds_until_full)
            headers[f"anthropic-ratelimit-{name}-limit"] = str(bucket.limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(remaining)
            headers[f"anthropic-ratelimit-{name}-reset"] = reset.strftime("%Y-%m-%dT%H:%M:%SZ")
        return headers
