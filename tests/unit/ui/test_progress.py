"""Pace and time left."""

from datetime import datetime, timedelta

import pytest

from core.domain.batches.batch import BatchStatus
from core.domain.batches.progress import (
    estimate_remaining_seconds,
    measure_elapsed_seconds,
    measure_throughput,
)
from core.ui.monitor.view import find_refresh_seconds
from tests.factories import START, make_progress


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def test_before_the_first_result_the_estimate_counts() -> None:
    assert estimate_remaining_seconds(make_progress(BatchStatus.QUEUED, started=False, queued=10), after(50)) == 600
    assert estimate_remaining_seconds(make_progress(BatchStatus.PROCESSING, running=5, queued=5), after(50)) == 600


def test_from_three_results_on_the_pace_counts() -> None:
    batch = make_progress(BatchStatus.PROCESSING, accepted=2, failed=1, running=3, queued=3)

    assert estimate_remaining_seconds(batch, after(6)) == pytest.approx(12)
    assert measure_throughput(batch, after(6)) == pytest.approx(30)


def test_one_result_says_enough_after_ten_seconds() -> None:
    batch = make_progress(BatchStatus.PROCESSING, accepted=1, queued=3)

    assert estimate_remaining_seconds(batch, after(5)) == 450
    assert estimate_remaining_seconds(batch, after(20)) == pytest.approx(60)


@pytest.mark.parametrize("status", [BatchStatus.PAUSED, BatchStatus.COMPLETED, BatchStatus.CANCELLED, BatchStatus.FAILED])
def test_nothing_is_left_where_nothing_more_is_done(status: BatchStatus) -> None:
    assert estimate_remaining_seconds(make_progress(status, accepted=5, queued=1), after(60)) is None


def test_a_pause_is_no_part_of_the_pace() -> None:
    """21 judged, a pause, and 8 in the 5 s since: 151 more take some two minutes."""
    resumed = make_progress(BatchStatus.PROCESSING, accepted=29, running=3, queued=148).model_copy(
        update={"recent_since": after(600), "recent_until": after(604), "recent_judged": 8}
    )

    assert estimate_remaining_seconds(resumed, after(605)) == pytest.approx(151 * 5 / 8)
    assert measure_throughput(resumed, after(605)) == pytest.approx(8 / 5 * 60)


@pytest.mark.parametrize("status", [BatchStatus.PAUSED, BatchStatus.COMPLETED, BatchStatus.CANCELLED])
def test_the_pace_of_what_does_not_run_stays_what_it_was(status: BatchStatus) -> None:
    batch = make_progress(status, accepted=20, queued=1)

    assert measure_throughput(batch, after(61)) == measure_throughput(batch, after(9000)) == pytest.approx(20)


def test_just_after_a_pause_the_estimate_counts_again() -> None:
    batch = make_progress(BatchStatus.PROCESSING, accepted=5, queued=5).model_copy(
        update={"recent_since": after(600), "recent_until": None, "recent_judged": 0}
    )

    assert estimate_remaining_seconds(batch, after(601)) == 300
    assert measure_throughput(batch, after(601)) is None


def test_before_its_first_call_a_batch_is_simulated_where_claude_is() -> None:
    queued = make_progress(BatchStatus.QUEUED, started=False, queued=3).model_copy(update={"simulated": False})
    called = queued.model_copy(update={"attempts": 1})

    assert [queued.is_simulated(claude_is_simulated=claude) for claude in (True, False)] == [True, False]
    assert not called.is_simulated(claude_is_simulated=True)
    assert not queued.model_copy(update={"imported": True}).is_simulated(claude_is_simulated=True)
    assert called.model_copy(update={"simulated": True}).is_simulated(claude_is_simulated=False)


def test_nothing_is_measured_before_the_start() -> None:
    batch = make_progress(BatchStatus.QUEUED, started=False, queued=1)

    assert measure_elapsed_seconds(batch, after(9)) is None
    assert measure_throughput(batch, after(9)) is None


def test_the_page_refreshes_while_something_can_change_and_not_after() -> None:
    assert find_refresh_seconds(make_progress(BatchStatus.QUEUED, queued=1)) == 2
    assert find_refresh_seconds(make_progress(BatchStatus.CANCELLED, running=1)) == 2
    assert find_refresh_seconds(make_progress(BatchStatus.PAUSED, queued=1)) == 10
    assert find_refresh_seconds(make_progress(BatchStatus.COMPLETED, accepted=1)) is None
