import pytest

from core.bench.processes import Usage
from core.bench.soak_figures import SoakResult, SoakSample, compare_quarters, write_soak_table
from core.bench.throughput_figures import Load

LOAD = Load(latency_seconds=9.0, concurrency=50, items=20_000)


def make_samples(*memory: tuple[float, float]) -> tuple[SoakSample, ...]:
    return tuple(
        SoakSample(
            second=60.0 * number,
            accepted=number,
            usages=tuple(
                Usage(part=part, processor_seconds=1.0, memory_mb=500.0, largest_process_mb=500.0, private_mb=private)
                for part, private in (("api", api), ("worker-1", worker))
            ),
        )
        for number, (api, worker) in enumerate(memory)
    )


def make_result(samples: tuple[SoakSample, ...], accepted: int = 20_000) -> SoakResult:
    return SoakResult(load=LOAD, accepted=accepted, seconds=3_600, samples=samples, growths=compare_quarters(samples))


def test_part_that_holds_more_in_the_last_quarter_is_not_flat() -> None:
    samples = make_samples((50, 100), (52, 100), (90, 100), (90, 105), (90, 110), (90, 105), (59, 112), (60, 110))

    api, worker = compare_quarters(samples)

    assert (51.0, 59.5, 90.0, True) == (api.first_mb, api.last_mb, api.most_mb, api.is_flat), "a peak between is no leak"
    assert (100.0, 111.0, False) == (worker.first_mb, worker.last_mb, worker.is_flat)
    assert ("worker-1 grew from 100 to 111 MB",) == make_result(samples).problems
    assert "| worker-1 | 100 | 111 | 112 | NO |" in write_soak_table(make_result(samples)).splitlines()


def test_items_that_were_not_accepted_are_a_problem() -> None:
    assert ("19999 of 20000 items were accepted",) == make_result(make_samples(*[(50, 100)] * 4), accepted=19_999).problems


@pytest.mark.parametrize("number", [0, 3])
def test_too_few_samples_say_nothing(number: int) -> None:
    assert () == compare_quarters(make_samples(*[(50, 100)] * number))
