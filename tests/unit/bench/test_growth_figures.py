import pytest
import typer

from core.bench.growth_figures import Growth, GrowthResult, Step, write_table
from core.cli.bench.growth import read_sizes

RESULT = GrowthResult(
    sizes=(100, 10_000),
    figures=tuple(
        Growth(step=step, items=size, rounds_ms=(slowness * 9.0, slowness * 4.0, slowness * 5.0))
        for step in Step
        for size, slowness in ((100, 1.0), (10_000, 1.5))
    ),
)


def test_ratio_compares_the_shortest_rounds_of_the_largest_and_the_smallest_batch() -> None:
    assert 1.5 == RESULT.find_ratio(Step.LEASE)


def test_table_has_every_step_and_a_ratio_where_the_size_should_not_matter() -> None:
    lines = write_table(RESULT).splitlines()

    assert 2 + len(Step) == len(lines)
    assert "| least ms | 100 items | 10,000 items | largest / smallest |" == lines[0]
    assert "| lease one item | 4.00 | 6.00 | 1.50 |" in lines
    assert "| submit, in all | 4.00 | 6.00 |  |" in lines


def test_sizes_are_read_and_sorted() -> None:
    assert (100, 1_000) == read_sizes("1000, 100,100", 7)


@pytest.mark.parametrize("text", ["", "many", "100,50", "100001", "1e3"])
def test_sizes_that_cannot_be_measured_are_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        read_sizes(text, 7)
