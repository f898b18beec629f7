"""`brightrun bench fairness`: how long a small batch waits behind a large one."""

from typing import Annotated

import typer

from core.bench.fairness import run_fairness, write_fairness_table
from core.bench.throughput_figures import Load
from core.cli.bench.local_run import open_local_run
from core.cli.bench.machine import JsonFile, print_machine, write_figures


def fairness(
    latency: Annotated[float, typer.Option(help="Seconds that each call takes.", min=0.01)] = 1.0,
    concurrency: Annotated[int, typer.Option(help="Calls at a time of the large batch.", min=1, max=200)] = 50,
    items: Annotated[int, typer.Option(help="Calls of the large batch.", min=10)] = 10_000,
    rounds: Annotated[int, typer.Option(help="Small batches, one after the other.", min=1)] = 10,
    json: JsonFile = None,
) -> None:
    """Measure how long batches of two wait for their first call while one worker is busy with a large batch."""
    load = Load(latency_seconds=latency, concurrency=concurrency, items=items)
    with open_local_run("The measurement", "fairness") as settings:
        result = run_fairness(settings, load, rounds, typer.echo)
    typer.echo(f"\n{write_fairness_table(result)}")
    print_machine()
    write_figures(json, result)
