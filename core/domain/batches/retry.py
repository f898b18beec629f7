"""What follows a call without a reply: retry later, give the item up, or stop the batch."""

from typing import assert_never

from core.domain.batches.batch import MAX_OUTPUT_TOKENS, BatchSettings
from core.domain.batches.work import CallFailure, CallFailureKind
from core.domain.message_line import LONGEST_LINE, make_line
from core.domain.record import Record
from core.domain.verdict.reply import Reply, StopReason
from core.domain.verdict.verdict import FailureType

FIRST_DELAY_SECONDS = 1.0
MAX_DELAY_SECONDS = 60.0
LONGEST_CAUSE = LONGEST_LINE - len("Paused automatically: ")


class RetryLimits(Record):
    """When an item is given up: after this many calls or this long, whichever comes first."""

    max_attempts: int
    max_seconds: float
    """Calls and waits together; pauses of the batch do not count."""


class RetryLater(Record):
    """The same call may succeed after a wait."""

    delay_seconds: float


class GiveUp(Record):
    """The item has failed."""

    because: str
    failure_type: FailureType = FailureType.API_ERROR


class StopBatch(Record):
    """No call of this batch can succeed until someone acts."""

    because: str


def raise_limit(reply: Reply, settings: BatchSettings, *, raised_before: bool) -> int | None:
    """Return the raised limit for a reply that max_tokens cut off; None where the batch or the model allows none.

    Other cuts are never retried unchanged: the same prompt would most likely be cut off and paid for again.
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
            return _decide_passing(failure, attempt_number, spent_seconds, limits, jitter)
        case CallFailureKind.INVALID_REQUEST:
            return GiveUp(because=make_line(failure.message))
        case CallFailureKind.UNEXPECTED:
            # An unexpected error: the next call would most likely fail like this one.
            return GiveUp(because=make_line(failure.message))
        case CallFailureKind.CONTENT_FILTERED:
            because = f"A content filter blocked the prompt or the reply. ({failure.message})"
            return GiveUp(because=make_line(because), failure_type=FailureType.REFUSAL)
        case (
            CallFailureKind.BAD_KEY
            | CallFailureKind.FORBIDDEN
            | CallFailureKind.UNKNOWN_MODEL
            | CallFailureKind.NO_CREDIT
            | CallFailureKind.SPEND_LIMIT
            | CallFailureKind.ACCOUNT_BLOCKED
            | CallFailureKind.REGION_BLOCKED
            | CallFailureKind.WRONG_ADDRESS
            | CallFailureKind.PROXY
        ):
            returns = f" Access returns: {failure.access_returns}." if failure.access_returns else ""
            return StopBatch(because=make_line(f"{_CAUSES[failure.kind]}{returns} ({failure.message})", LONGEST_CAUSE))
        case _:
            assert_never(failure.kind)


_CAUSES = {
    CallFailureKind.BAD_KEY: "Claude rejected the API key. Set a valid ANTHROPIC_API_KEY, then resume.",
    CallFailureKind.FORBIDDEN: "The API key may not do this. Check its workspace and rights, then resume.",
    CallFailureKind.UNKNOWN_MODEL: "Claude does not know the model. Cancel, then generate with another one.",
    CallFailureKind.NO_CREDIT: "The credit is used up. Buy credit, then resume.",
    CallFailureKind.SPEND_LIMIT: "A usage or spend limit is reached. Raise it or wait, then resume.",
    CallFailureKind.ACCOUNT_BLOCKED: "The account is disabled. Ask its owner or the provider, then resume.",
    CallFailureKind.REGION_BLOCKED: "Claude is not offered in the region that the worker calls from. Move it, then resume.",
    CallFailureKind.WRONG_ADDRESS: (
        "Something other than Claude answered. Check ANTHROPIC_BASE_URL and proxies in between, then resume."
    ),
    CallFailureKind.PROXY: (
        "A proxy answered in place of Claude. Sign in to it or let it pass (HTTPS_PROXY, ANTHROPIC_BASE_URL), then resume."
    ),
}
"""What happened and what to do, where no call can succeed until somebody acts."""


def _decide_passing(
    failure: CallFailure, attempt_number: int, spent_seconds: float, limits: RetryLimits, jitter: float
) -> RetryDecision:
    """Decide on a temporary failure."""
    asked_seconds = failure.retry_after_seconds or 0.0
    if asked_seconds > limits.max_seconds:
        # Nothing is served for so long that item after item would be given up.
        until = failure.access_returns or f"{asked_seconds / 60:.0f} minutes from now"
        because = f"Claude asks to wait. Access returns: {until}. Resume then. ({failure.message})"
        return StopBatch(because=make_line(because, LONGEST_CAUSE))
    if attempt_number >= limits.max_attempts:
        return GiveUp(because=make_line(f"{attempt_number} attempts brought no reply; the last: {failure.message}"))
    backoff_seconds = min(FIRST_DELAY_SECONDS * 2 ** min(attempt_number - 1, 10), MAX_DELAY_SECONDS) * (0.5 + jitter / 2)
    delay_seconds = max(backoff_seconds, asked_seconds)
    if spent_seconds + delay_seconds > limits.max_seconds:
        because = (
            f"No reply in {spent_seconds:.0f} s, and the next call would come {delay_seconds:.0f} s later: "
            f"calls for one item may take {limits.max_seconds:.0f} s in all; the last: {failure.message}"
        )
        return GiveUp(because=make_line(because))
    return RetryLater(delay_seconds=delay_seconds)
