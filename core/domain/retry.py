"""What follows a call that brought no reply: try again later, give the item up, or stop the batch."""

from typing import assert_never

from core.domain.batch import BatchSettings
from core.domain.record import Record
from core.domain.reply import Reply, StopReason
from core.domain.work import CallFailure, CallFailureKind

FIRST_DELAY_SECONDS = 1.0
MAX_DELAY_SECONDS = 60.0


class RetryLimits(Record):
    """How long one item is tried, whichever ends first."""

    max_attempts: int
    max_seconds: float
    """Of calls and waits; while its batch is paused an item spends none."""


class RetryLater(Record):
    """The same call may succeed after a wait."""

    delay_seconds: float


class GiveUp(Record):
    """The item has failed."""

    because: str


class StopBatch(Record):
    """No call of this batch can succeed until someone acts."""

    because: str


MAX_OUTPUT_TOKENS = 128_000
"""No model takes a higher limit."""


def raise_limit(reply: Reply, settings: BatchSettings, *, raised_before: bool) -> int | None:
    """Return the limit for one more try of a reply that max_tokens cut; None where the batch or the model allows none.

    Any other cut is never tried again unchanged: the same prompt would most likely be cut again, and paid for again.
    """
    if reply.stop_reason != StopReason.MAX_TOKENS or not settings.raise_max_tokens or raised_before:
        return None
    raised = min(settings.max_tokens * 2, MAX_OUTPUT_TOKENS)
    return raised if raised > settings.max_tokens else None


RetryDecision = RetryLater | GiveUp | StopBatch


def decide_retry(
    failure: CallFailure, *, attempt_number: int, spent_seconds: float, limits: RetryLimits, jitter: float
) -> RetryDecision:
    """Decide by the kind of failure. `jitter` in [0, 1) spreads the waits; retry-after is always honoured.

    `spent_seconds` is what this call and the earlier attempts at the item have taken, with their waits.
    """
    match failure.kind:
        case (
            CallFailureKind.RATE_LIMITED
            | CallFailureKind.OVERLOADED
            | CallFailureKind.SERVER_ERROR
            | CallFailureKind.TIMEOUT
            | CallFailureKind.CONNECTION
        ):
            if attempt_number >= limits.max_attempts:
                return GiveUp(because=f"{attempt_number} attempts brought no reply; the last: {failure.message}")
            backoff_seconds = min(FIRST_DELAY_SECONDS * 2 ** (attempt_number - 1), MAX_DELAY_SECONDS) * (0.5 + jitter / 2)
            delay_seconds = max(backoff_seconds, failure.retry_after_seconds or 0.0)
            if spent_seconds + delay_seconds > limits.max_seconds:
                return GiveUp(
                    because=f"No reply in {spent_seconds:.0f} s, and the next try would be {delay_seconds:.0f} s later: "
                    f"an item is tried for {limits.max_seconds:.0f} s at most; the last: {failure.message}"
                )
            return RetryLater(delay_seconds=delay_seconds)
        case CallFailureKind.INVALID_REQUEST:
            return GiveUp(because=failure.message)
        case CallFailureKind.BAD_KEY:
            return StopBatch(because=f"Claude rejected the API key. Set a valid ANTHROPIC_API_KEY. ({failure.message})")
        case CallFailureKind.FORBIDDEN:
            return StopBatch(because=f"The API key may not do this. Check its workspace and rights. ({failure.message})")
        case CallFailureKind.UNKNOWN_MODEL:
            return StopBatch(because=f"Claude does not know the model. Choose another one. ({failure.message})")
        case CallFailureKind.NO_CREDIT:
            return StopBatch(because=f"The credit is used up. Buy credit, then retry the rest. ({failure.message})")
        case CallFailureKind.SPEND_LIMIT:
            return StopBatch(because=f"A spend limit is reached. Raise it or wait for its reset. ({failure.message})")
        case _:
            assert_never(failure.kind)
