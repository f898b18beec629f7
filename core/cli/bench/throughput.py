"""`brightrun bench throughput`: how fast batches run."""

from typing import Annotated

import typer

from core.bench.throughput import run_throughput
from core.bench.throughput_figures import Load, write_tables
from core.cli.bench.local_run import open_local_run
from core.cli.bench.machine import JsonFile, print_machine, write_figures


def throughput(  # noqa: PLR0917 - each is an option
    latency: Annotated[float, typer.Option(help="Seconds that each call takes.", min=0.01)] = 1.0,
    concurrency: Annotated[int, typer.Option(help="Calls at a time.", min=1, max=200)] = 50,
    items: Annotated[int, typer.Option(help="Calls of a round.", min=1)] = 900,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1, max=16)] = 1,
    rounds: Annotated[int, typer.Option(help="Batches, and as many runs of the plain loop.", min=1)] = 1,
    json: JsonFile = None,
) -> None:
    """Measure a batch and a plain loop over the SDK against the same simulated Claude: slots filled, processor, memory."""
    load = Load(latency_seconds=latency, concurrency=concurrency, items=items, workers=workers)
    with open_local_run("The measurement", "throughput") as settings:
        result = run_throughput(settings, load, rounds, typer.echo)
    typer.echo(f"\n{write_tables(result)}")
    print_machine()
    write_figures(json, result)
