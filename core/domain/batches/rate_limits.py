"""Claude's rate limits, as the headers of a response name them."""

import math
from collections.abc import Mapping

from core.domain.record import Record

HEADER_PREFIX = "anthropic-ratelimit-"
KINDS = ("requests", "tokens", "input-tokens", "output-tokens")


class RateLimit(Record):
    """One of Claude's limits, as a response named it."""

    kind: str
    limit: float
    remaining: float
    resets_at: str | None = None

    @property
    def share_left(self) -> float:
        """What is left, 0 to 1."""
        return self.remaining / self.limit if self.limit else 0.0


def read_rate_limits(headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
    """Return the limits that response headers name; those that cannot be read are left out."""
    limits: list[RateLimit] = []
    for kind in KINDS:
        try:
            limit = float(headers[f"{HEADER_PREFIX}{kind}-limit"])
            remaining = float(headers[f"{HEADER_PREFIX}{kind}-remaining"])
        except (KeyError, ValueError):
            continue
        if not (math.isfinite(limit) and math.isfinite(remaining)):
            continue
        resets_at = headers.get(f"{HEADER_PREFIX}{kind}-reset")
        limits.append(RateLimit(kind=kind, limit=limit, remaining=remaining, resets_at=resets_at))
    return tuple(limits)
