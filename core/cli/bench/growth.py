"""`brightrun bench growth`: whether an item costs more in a large batch."""

from typing import Annotated

import typer

from core.bench.growth import count_fewest_items, run_growth
from core.bench.growth_figures import write_table
from core.cli.bench.local_run import open_local_run
from core.cli.bench.machine import JsonFile, print_machine, write_figures
from core.domain.batches.batch import MOST_ITEMS


def growth(
    sizes: Annotated[str, typer.Option(help="Items of the batches, separated by commas.")] = "100,1000,10000,100000",
    rounds: Annotated[int, typer.Option(help="How often each step is measured.", min=1)] = 7,
    json: JsonFile = None,
) -> None:
    """Measure what a lease, a result and a look at the monitor cost in batches of several sizes, nearly all items done."""
    with open_local_run("The measurement", "growth") as settings:
        result = run_growth(settings, read_sizes(sizes, rounds), rounds, typer.echo)
    typer.echo(f"\n{write_table(result)}")
    print_machine()
    write_figures(json, result)


def read_sizes(text: str, rounds: int) -> tuple[int, ...]:
    """Return the sizes of a list; raise BadParameter where one is no size that can be measured."""
    fewest = count_fewest_items(rounds)
    words = text.split(",")
    if not all(word.strip().isdecimal() and fewest <= int(word) <= MOST_ITEMS for word in words):
        raise typer.BadParameter(f"--sizes is a list of numbers from {fewest} to {MOST_ITEMS}, as 100,1000,10000.")
    return tuple(sorted({int(word) for word in words}))
