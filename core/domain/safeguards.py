"""When a batch pauses itself, and how many items it may lease. The database decides by the same rules."""

from collections.abc import Sequence
from math import floor

from core.domain.record import Record

BREAKER_SHARE = 0.3
BREAKER_WINDOW = 20
NO_LIMIT = 1_000_000


class Allowance(Record):
    """How many more items may be leased; `pause_because` says why the batch stops itself instead."""

    items: int = NO_LIMIT
    pause_because: str | None = None


def check_breaker(newest_first: Sequence[bool]) -> str | None:
    """Return why to pause: too many of the last closed items failed. `newest_first` says of each whether it failed."""
    window = newest_first[:BREAKER_WINDOW]
    failed = sum(window)
    if len(window) < BREAKER_WINDOW or failed <= BREAKER_SHARE * len(window):
        return None
    return (
        f"Paused automatically: {failed} of the last {len(window)} items failed (more than {BREAKER_SHARE:.0%}). "
        "Look at the failures, then resume or cancel."
    )


def check_canary(*, size: int, accepted: int, failed: int, queued: int, was_resumed: bool) -> Allowance:
    """Allow nothing beyond the canary until all of it is closed, and nothing at all if too much of it failed."""
    if accepted + failed < size:
        return Allowance(items=queued)
    if failed > BREAKER_SHARE * size and not was_resumed:
        because = (
            f"Paused by itself: {failed} of the {size} canary items failed (more than {BREAKER_SHARE:.0%}). "
            "Look at the failures, then resume or cancel."
        )
        return Allowance(items=0, pause_because=because)
    return Allowance()


def check_budget(*, budget_usd: float, spent_usd: float, expected_usd: float, in_flight: int) -> Allowance:
    """Allow as many calls as the budget pays for, those in flight included. `expected_usd` is what one call costs here."""
    if spent_usd >= budget_usd or (in_flight == 0 and spent_usd + expected_usd > budget_usd):
        because = (
            f"Paused by itself: the budget of ${budget_usd:.2f} is reached (${spent_usd:.2f} spent, about "
            f"${expected_usd:.4f} a call). Raise it or cancel."
        )
        return Allowance(items=0, pause_because=because)
    if expected_usd <= 0:
        return Allowance()
    return Allowance(items=max(floor((budget_usd - spent_usd) / expected_usd) - in_flight, 0))
