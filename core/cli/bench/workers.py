"""`brightrun bench workers`: what more workers give."""

from typing import Annotated

import typer

from core.bench.throughput_figures import Load
from core.bench.worker_figures import write_workers_table
from core.bench.workers import run_workers
from core.cli.bench.local_run import open_local_run
from core.cli.bench.machine import JsonFile, print_machine, write_figures

MOST_WORKERS = 16


def workers(  # noqa: PLR0917 - each is an option
    counts: Annotated[str, typer.Option(help="Numbers of workers, separated by commas.")] = "1,2,4",
    latency: Annotated[float, typer.Option(help="Seconds that each call takes.", min=0.01)] = 0.05,
    concurrency: Annotated[int, typer.Option(help="Calls at a time, of all workers together.", min=1, max=200)] = 200,
    items: Annotated[int, typer.Option(help="Calls of a batch.", min=1)] = 2_000,
    rounds: Annotated[int, typer.Option(help="Batches with each number of workers.", min=1)] = 1,
    json: JsonFile = None,
) -> None:
    """Measure the same batch by one worker and by several: how much faster, and what each part costs."""
    load = Load(latency_seconds=latency, concurrency=concurrency, items=items)
    with open_local_run("The measurement", "workers") as settings:
        result = run_workers(settings, load, read_counts(counts), rounds, typer.echo)
    typer.echo(f"\n{write_workers_table(result)}")
    print_machine()
    write_figures(json, result)


def read_counts(text: str) -> tuple[int, ...]:
    """Return the numbers of a list; raise BadParameter where one is no number of workers."""
    words = text.split(",")
    if not all(word.strip().isdecimal() and 1 <= int(word) <= MOST_WORKERS for word in words):
        raise typer.BadParameter(f"--counts is a list of numbers from 1 to {MOST_WORKERS}, as 1,2,4.")
    return tuple(int(word) for word in words)
