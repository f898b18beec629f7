from datetime import UTC, datetime, timedelta

from core.bench.fairness import FairnessResult, SmallBatch, write_fairness_table
from core.bench.throughput_figures import Load

SUBMITTED = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def make_small(first_call: float, end: float) -> SmallBatch:
    called_at, ended_at = (SUBMITTED + timedelta(seconds=seconds) for seconds in (first_call, end))
    return SmallBatch(submitted_at=SUBMITTED, called_at=called_at, ended_at=ended_at)


def test_median_and_longest_wait_are_told_with_what_the_large_batch_did_meanwhile() -> None:
    smalls = tuple(make_small(first, first + 1.1) for first in (0.5, 3.0, 1.0))
    load = Load(latency_seconds=1, concurrency=50, items=10_000)

    lines = write_fairness_table(FairnessResult(load=load, smalls=smalls, large_replies_a_second=48.6)).splitlines()

    assert "behind one of 10,000" in lines[0]
    assert "49 replies a second" in lines[0]
    assert ["| to its first call | 1.00 | 3.00 |", "| to its end | 2.10 | 4.10 |"] == lines[4:]
