import pytest
import typer

from core.bench.processes import Usage
from core.bench.simulator_limit import SimulatorLimit
from core.bench.throughput_figures import Contender, Load, Round
from core.bench.worker_figures import WorkersResult, WorkersRound, write_workers_table
from core.cli.bench.workers import read_counts

LOAD = Load(latency_seconds=0.5, concurrency=10, items=100)


def make_round(workers: int, seconds: float) -> WorkersRound:
    usages = [
        Usage(part=part, processor_seconds=used, memory_mb=50, largest_process_mb=50, private_mb=50)
        for part, used in (
            ("claude", 0.1),
            ("postgres", 0.5),
            ("worker-1", 0.6),
            ("worker-1 reconciler", 0.1),
            ("worker-2", 0.4),
            ("worker-2 reconciler", 0.1),
        )
    ]
    done = Round(
        contender=Contender.BRIGHT_RUN,
        accepted=100,
        requests=100,
        call_seconds=seconds,
        efficiency=LOAD.ideal_seconds / seconds,
        usages=tuple(usages),
    )
    return WorkersRound(workers=workers, done=done)


RESULT = WorkersResult(
    load=LOAD,
    rounds=(
        make_round(1, 10.0),
        make_round(2, 8.0),
        make_round(1, 20.0),
        make_round(2, 10.0),
        make_round(1, 9.0),
        make_round(2, 6.0),
    ),
    simulator=SimulatorLimit(requests_per_second=800, processor_ms_per_request=1.1),
)


def test_ratio_compares_rounds_that_ran_one_after_the_other() -> None:
    assert 1.0 == RESULT.find_ratio(1)
    assert 1.5 == RESULT.find_ratio(2)


def test_workers_and_their_reconcilers_are_summed_apart() -> None:
    (row,) = (line for line in write_workers_table(RESULT).splitlines() if line.startswith("| 2 |"))

    assert "| 2 | 12.5 | 1.50 | 0.625 | 0.23 | 10.00 | 2.00 | 0.00 | 5.00 | 0.00 | 1.00 |" == row


@pytest.mark.parametrize("text", ["", "0", "17", "1,two"])
def test_numbers_of_workers_that_cannot_run_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_counts(text)
