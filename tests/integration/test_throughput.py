"""A short run of the throughput bench: that its figures are there and add up, not how good they are."""

from pathlib import Path

from core.bench.throughput import run_throughput
from core.bench.throughput_figures import Contender, Load
from tests.support.stack import bare_settings


def test_batch_and_plain_loop_make_the_same_calls_and_every_part_is_counted(tmp_path: Path) -> None:
    load = Load(latency_seconds=0.1, concurrency=5, items=30, workers=2)

    result = run_throughput(bare_settings(tmp_path), load, rounds=1, say=print, settle_seconds=0)

    ours, plain = result.rounds
    assert (Contender.BRIGHT_RUN, Contender.PLAIN_LOOP) == (ours.contender, plain.contender)
    for each in result.rounds:
        assert (30, 30) == (each.accepted, each.requests)
        assert each.call_seconds >= load.ideal_seconds
        assert 0 < each.efficiency <= 1
        assert all(usage.memory_mb > 0 for usage in each.usages)
    assert {"api", "claude", "postgres", "supervisor", "valkey", "worker-1", "worker-2"} <= {
        usage.part for usage in ours.usages
    }
    assert {"claude", "loop"} == {usage.part for usage in plain.usages}
    assert ours.count_processor_ms(with_simulator=True) > ours.count_processor_ms(with_simulator=False) > 0
    assert ours.seconds_to_first_call is not None
    assert ours.seconds_to_first_call > 0
    assert result.simulator.requests_per_second > 0
