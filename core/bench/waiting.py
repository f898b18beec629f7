"""Waiting for what other processes do."""

import time
from collections.abc import Callable

from core.errors import StackError

POLL_SECONDS = 0.2


def wait_until(is_so: Callable[[], bool], what: str, limit_seconds: float) -> None:
    """Ask until it is so; raise StackError, which says what is not so, after the limit."""
    deadline = time.monotonic() + limit_seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise StackError(f"After {limit_seconds:.0f} s it is not so that {what}.")
        time.sleep(POLL_SECONDS)
