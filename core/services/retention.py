"""How long accepted replies are kept as they came: their conversations hold the same."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from core.ports.work import HouseKeeping

log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS = 3600.0
MOST_ROWS = 300
"""Of one step, so that it takes a moment only and no row is locked for long."""


@dataclass(kw_only=True)
class RetentionService:
    """Forgets old bodies in small steps: one a round while there is something to forget, else one an hour."""

    house: HouseKeeping
    keep_days: int | None
    """None: for ever."""
    clock: Callable[[], float] = time.monotonic
    _next_at: float = float("-inf")

    def drop_old_replies(self) -> int:
        """Take the next step if it is due; return how many bodies were forgotten."""
        if self.keep_days is None or self.clock() < self._next_at:
            return 0
        # Before the step: one that fails is not tried again in each round.
        self._next_at = self.clock() + LOOK_EVERY_SECONDS
        dropped = self.house.drop_old_replies(self.keep_days, MOST_ROWS)
        if dropped:
            log.info("old_replies_dropped", replies=dropped, keep_days=self.keep_days)
        if dropped == MOST_ROWS:
            self._next_at = self.clock()
        return dropped
