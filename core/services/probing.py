"""Asks a part for its health without waiting long: a part that hangs blocks one thread, not the page."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Generic, TypeVar

from core.domain.record import Record
from core.errors import BrightRunError

Answer = TypeVar("Answer")


class Silence(Record):
    """A part did not answer, and why."""

    because: str


class Probe(Generic[Answer]):
    """One question. The answer is kept for a while; a question that is still open is not asked twice."""

    def __init__(self, ask: Callable[[], Answer], *, keep_seconds: float) -> None:
        self._ask = ask
        self._keep_seconds = keep_seconds
        self._future: Future[Answer] | None = None
        self._asked_at = 0.0

    def begin(self, executor: Executor) -> None:
        """Ask, unless an answer is fresh or pending."""
        if self._future is not None:
            is_fresh = time.monotonic() - self._asked_at < self._keep_seconds
            if is_fresh or not self._future.done():
                return
        self._asked_at = time.monotonic()
        self._future = executor.submit(self._ask)

    def forget(self) -> None:
        """Let the next question be asked anew."""
        self._future = None

    def read(self, until: float) -> Answer | Silence:
        """Return the answer, or why there is none; wait for it until a moment of the monotonic clock."""
        if self._future is None:
            return Silence(because="It was not asked.")
        try:
            return self._future.result(timeout=max(until - time.monotonic(), 0.0))
        except FutureTimeoutError:
            return Silence(because=f"No answer for {time.monotonic() - self._asked_at:.0f} s.")
        except BrightRunError as error:
            return Silence(because=str(error))
