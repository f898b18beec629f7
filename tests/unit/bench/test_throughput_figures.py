import json

import pytest

from core.bench.processes import Usage
from core.bench.simulator_limit import SimulatorLimit, make_http_request, read_content_length
from core.bench.throughput_figures import Contender, Load, Round, ThroughputResult, measure_calls, write_tables
from core.errors import StackError

LOAD = Load(latency_seconds=1.0, concurrency=2, items=5)


def make_round(contender: Contender, efficiency: float, *usages: Usage) -> Round:
    return Round(
        contender=contender,
        accepted=5,
        requests=5,
        call_seconds=LOAD.ideal_seconds / efficiency,
        efficiency=efficiency,
        usages=usages,
    )


def make_usage(part: str, seconds: float, memory: float = 50.0) -> Usage:
    return Usage(part=part, processor_seconds=seconds, memory_mb=memory, largest_process_mb=memory, private_mb=memory)


def make_result(*rounds: Round) -> ThroughputResult:
    limit = SimulatorLimit(requests_per_second=800, processor_ms_per_request=1.1)
    return ThroughputResult(load=LOAD, rounds=rounds, simulator=limit)


def test_efficiency_is_what_the_calls_need_of_the_time_they_took() -> None:
    calls = [(101.0, 102.0), (100.0, 101.0), (104.0, 105.0), (100.0, 101.0), (102.5, 103.5)]

    assert (5.0, 0.5) == measure_calls(LOAD, calls)


def test_last_calls_that_do_not_fill_all_slots_bound_the_efficiency() -> None:
    assert pytest.approx(2.5 / 3) == LOAD.best_efficiency
    assert 1.0 == Load(latency_seconds=9.0, concurrency=5, items=10).best_efficiency


def test_ratio_compares_each_batch_with_the_loop_after_it() -> None:
    ours, plain = Contender.BRIGHT_RUN, Contender.PLAIN_LOOP
    result = make_result(make_round(ours, 0.8), make_round(plain, 0.8), make_round(ours, 0.3), make_round(plain, 0.6))

    assert pytest.approx(0.75) == result.ratio


def test_processor_time_of_a_row_is_said_with_and_without_the_simulator() -> None:
    done = make_round(Contender.BRIGHT_RUN, 0.8, make_usage("claude", 0.1), make_usage("worker-1", 0.4))

    assert pytest.approx(100.0) == done.count_processor_ms(with_simulator=True)
    assert pytest.approx(80.0) == done.count_processor_ms(with_simulator=False)


def test_tables_have_a_line_for_each_round_and_each_part() -> None:
    ours = make_round(Contender.BRIGHT_RUN, 0.8, make_usage("claude", 0.1), make_usage("worker-1", 0.4, 120.0)).model_copy(
        update={"seconds_to_first_call": 0.42, "seconds_to_end": 0.1}
    )
    written = write_tables(make_result(ours, make_round(Contender.PLAIN_LOOP, 0.5, make_usage("loop", 0.05)))).splitlines()

    assert "| 1, Bright Run | 0.800 | 1.6 | 100.0 | 80.0 | 0.42 | 0.10 |" in written
    assert "| 2, plain loop | 0.500 | 1.0 | 10.0 | 10.0 |  |  |" in written
    assert "| worker-1 | 80.00 | 120 | 120 |" in written
    assert not any(line.startswith("| loop") for line in written)
    assert "Efficiency, median: Bright Run: 0.800, plain loop: 0.500; ratio 1.600; at most 0.833." in written


def test_request_for_the_load_client_is_whole() -> None:
    head, _, body = make_http_request(8000, {"model": "claude-x"}).partition(b"\r\n\r\n")

    assert {"model": "claude-x"} == json.loads(body)
    assert f"content-length: {len(body)}".encode() in head.split(b"\r\n")


def test_load_client_reads_a_success_and_refuses_anything_else() -> None:
    assert 12 == read_content_length(b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 12\r\n\r\n")
    with pytest.raises(StackError, match="529"):
        read_content_length(b"HTTP/1.1 529 Overloaded\r\ncontent-length: 12\r\n\r\n")
    with pytest.raises(StackError, match="how long"):
        read_content_length(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
