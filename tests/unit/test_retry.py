import pytest

from core.domain.batches.retry import GiveUp, RetryDecision, RetryLater, RetryLimits, StopBatch, decide_retry
from core.domain.batches.work import CallFailureKind
from core.domain.verdict.verdict import FailureType
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
    CallFailureKind.ACCOUNT_BLOCKED,
    CallFailureKind.REGION_BLOCKED,
    CallFailureKind.WRONG_ADDRESS,
    CallFailureKind.PROXY,
]


def decide(
    kind: CallFailureKind, attempt_number: int = 1, jitter: float = 0.0, spent_seconds: float = 0.0, **changes: object
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
    assert "may take 100 s in all" in given_up.because
    assert isinstance(decide(CallFailureKind.RATE_LIMITED, spent_seconds=60, retry_after_seconds=50.0), GiveUp)


def test_wait_that_no_item_can_sit_out_stops_the_batch_with_its_date() -> None:
    decision = decide(CallFailureKind.RATE_LIMITED, retry_after_seconds=7200.0, access_returns="2026-12-01 at 00:00 UTC")

    assert isinstance(decision, StopBatch)
    assert "2026-12-01 at 00:00 UTC" in decision.because


def test_content_filter_is_a_refusal_and_a_defect_is_none() -> None:
    filtered, defect = decide(CallFailureKind.CONTENT_FILTERED), decide(CallFailureKind.UNEXPECTED)

    assert isinstance(filtered, GiveUp)
    assert isinstance(defect, GiveUp)
    assert (FailureType.REFUSAL, FailureType.API_ERROR) == (filtered.failure_type, defect.failure_type)


@pytest.mark.parametrize("kind", CallFailureKind)
def test_every_reason_is_a_line_that_fits_though_the_message_is_long(kind: CallFailureKind) -> None:
    for attempt_number in (1, 3):
        decision = decide(kind, attempt_number=attempt_number, message="words " * 50, access_returns="2026-12-01")

        assert isinstance(decision, RetryLater) or len(decision.because) <= 300


def test_attempts_without_number_overflow_nothing() -> None:
    limits = RetryLimits(max_attempts=10**9, max_seconds=10**9)
    failure = make_call_failure(CallFailureKind.TIMEOUT)

    assert decide_retry(failure, attempt_number=10**6, spent_seconds=0, limits=limits, jitter=1.0) == RetryLater(
        delay_seconds=60.0
    )
