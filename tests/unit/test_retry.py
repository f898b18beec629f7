import pytest

from core.domain.retry import GiveUp, RetryDecision, RetryLater, RetryLimits, StopBatch, decide_retry
from core.domain.work import CallFailureKind
from tests.factories import make_call_failure

PASSING = [
    CallFailureKind.RATE_LIMITED,
    CallFailureKind.OVERLOADED,
    CallFailureKind.SERVER_ERROR,
    CallFailureKind.TIMEOUT,
    CallFailureKind.CONNECTION,
]
FATAL = [
    CallFailureKind.BAD_KEY,
    CallFailureKind.FORBIDDEN,
    CallFailureKind.UNKNOWN_MODEL,
    CallFailureKind.NO_CREDIT,
    CallFailureKind.SPEND_LIMIT,
]


def decide(
    kind: CallFailureKind, attempt_number: int = 1, jitter: float = 0.0, spent_seconds: float = 0.0, **changes: float
) -> RetryDecision:
    failure = make_call_failure(kind, **changes)
    limits = RetryLimits(max_attempts=3, max_seconds=100)
    return decide_retry(failure, attempt_number=attempt_number, spent_seconds=spent_seconds, limits=limits, jitter=jitter)


@pytest.mark.parametrize("kind", PASSING)
def test_passing_failure_is_tried_again_and_given_up_in_the_end(kind: CallFailureKind) -> None:
    assert isinstance(decide(kind, attempt_number=2), RetryLater)
    assert isinstance(decide(kind, attempt_number=3), GiveUp)


@pytest.mark.parametrize("kind", FATAL)
def test_fatal_failure_stops_the_batch_at_once_and_says_what_to_do(kind: CallFailureKind) -> None:
    decision = decide(kind)

    assert isinstance(decision, StopBatch)
    assert "busy" in decision.because


def test_invalid_request_is_not_tried_again() -> None:
    assert isinstance(decide(CallFailureKind.INVALID_REQUEST), GiveUp)


def test_waits_grow_with_jitter_and_retry_after_is_honoured() -> None:
    assert decide(CallFailureKind.OVERLOADED, 1, jitter=0.0) == RetryLater(delay_seconds=0.5)
    assert decide(CallFailureKind.OVERLOADED, 2, jitter=1.0) == RetryLater(delay_seconds=2.0)
    assert decide(CallFailureKind.RATE_LIMITED, 1, retry_after_seconds=42.0) == RetryLater(delay_seconds=42.0)


def test_item_is_given_up_when_the_next_try_would_come_too_late() -> None:
    assert isinstance(decide(CallFailureKind.TIMEOUT, spent_seconds=99.4), RetryLater)
    given_up = decide(CallFailureKind.TIMEOUT, spent_seconds=99.6)

    assert isinstance(given_up, GiveUp)
    assert "100 s at most" in given_up.because
    assert isinstance(decide(CallFailureKind.RATE_LIMITED, retry_after_seconds=101.0), GiveUp)
