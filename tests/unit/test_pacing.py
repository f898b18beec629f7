from datetime import UTC, datetime, timedelta

import pytest

from core.domain.batches.pacing import (
    LONGEST_HOLD,
    Headroom,
    Pace,
    begin_pace,
    find_storm,
    pace_after_failure,
    pace_after_reply,
    read_headroom,
)
from core.domain.batches.work import CallFailureKind
from tests.factories import make_call_failure

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)


def reply(pace: Pace, share_left: float | None = None, *, now: datetime = LATER) -> Pace:
    headroom = None if share_left is None else Headroom(kind="requests", share_left=share_left, resets_at=now)
    return pace_after_reply(pace, headroom, ceiling=10, now=now)


def refuse(
    pace: Pace, kind: CallFailureKind = CallFailureKind.RATE_LIMITED, *, now: datetime = LATER, **changes: float
) -> Pace:
    return pace_after_failure(pace, make_call_failure(kind, **changes), ceiling=10, now=now)


def test_rate_limit_halves_the_calls_and_holds_them_back_as_long_as_asked() -> None:
    pace = refuse(begin_pace(8, NOW), retry_after_seconds=7)

    assert (4, 7.0) == (pace.limit, pace.wait_seconds(LATER))
    assert "429" in pace.reason


def test_refusals_of_calls_in_flight_together_count_once() -> None:
    pace = refuse(refuse(refuse(begin_pace(8, NOW))))

    assert (4, 3) == (pace.limit, pace.refusals)


def test_overload_takes_one_call_away_and_a_timeout_none() -> None:
    assert refuse(begin_pace(8, NOW), CallFailureKind.OVERLOADED).limit == 7
    assert refuse(begin_pace(8, NOW), CallFailureKind.TIMEOUT).limit == 8


def test_one_call_is_always_left() -> None:
    assert refuse(begin_pace(1, NOW)).limit == 1


def test_calls_come_back_one_by_one_and_never_beyond_the_ceiling() -> None:
    pace = begin_pace(10, NOW).model_copy(update={"limit": 2})

    limits = [pace.limit]
    for _ in range(100):
        pace = reply(pace)
        limits.append(pace.limit)

    assert [2, 2, 3, 3, 3, 4] == limits[:6]
    assert pace.limit == 10


@pytest.mark.parametrize(("share_left", "limit"), [(0.5, 5), (0.1, 4), (0.01, 2)])
def test_headers_are_looked_ahead_at(share_left: float, limit: int) -> None:
    pace = begin_pace(10, NOW).model_copy(update={"limit": 4, "successes": 3})

    assert limit == reply(pace, share_left).limit


def test_tightest_limit_of_the_headers_counts_and_unreadable_ones_are_passed_over() -> None:
    headers = {
        "anthropic-ratelimit-requests-limit": "1000",
        "anthropic-ratelimit-requests-remaining": "900",
        "anthropic-ratelimit-input-tokens-limit": "1000",
        "anthropic-ratelimit-input-tokens-remaining": "50",
        "anthropic-ratelimit-input-tokens-reset": "2026-11-22T12:00:30Z",
        "anthropic-ratelimit-output-tokens-limit": "many",
        "anthropic-ratelimit-output-tokens-remaining": "0",
    }

    headroom = read_headroom(headers)

    assert headroom == Headroom(kind="input-tokens", share_left=0.05, resets_at=NOW + timedelta(seconds=30))
    assert read_headroom({}) is None


def test_storm_is_long_and_without_a_single_reply() -> None:
    pace = begin_pace(8, NOW)
    for second in range(0, 130, 10):
        pace = refuse(pace, now=NOW + timedelta(seconds=second))

    assert find_storm(pace, NOW + timedelta(seconds=60)) is None
    assert "no reply for 2 minutes" in (find_storm(pace, NOW + timedelta(seconds=121)) or "")
    assert find_storm(reply(pace), NOW + timedelta(seconds=121)) is None


def test_wait_of_days_or_without_end_holds_nothing_back_and_overflows_nothing() -> None:
    pace = begin_pace(4, NOW)
    for seconds in (86_400.0, 31 * 86_400.0):
        refused = pace_after_failure(
            pace, make_call_failure(CallFailureKind.RATE_LIMITED, retry_after_seconds=seconds), ceiling=10, now=NOW
        )
        assert refused.not_before is None, "such a wait pauses the batch"
    far = Headroom(kind="tokens", share_left=0.0, resets_at=datetime(9999, 12, 31, tzinfo=UTC))
    assert pace_after_reply(pace, far, ceiling=4, now=LATER).wait_seconds(LATER) <= LONGEST_HOLD.total_seconds()


def test_limits_that_are_no_numbers_are_passed_over() -> None:
    for value in ("nan", "inf", "-inf", "1e999", ""):
        headers = {"anthropic-ratelimit-tokens-limit": value, "anthropic-ratelimit-tokens-remaining": value}
        assert read_headroom(headers) is None
