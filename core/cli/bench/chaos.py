"""`brightrun bench chaos`: whether anything is lost."""

from typing import Annotated

import typer

from core.bench.chaos import run_chaos
from core.cli.bench.chaos_report import print_chaos
from core.cli.bench.local_run import open_local_run
from core.cli.bench.machine import JsonFile, write_figures


def chaos(
    items: Annotated[int, typer.Option(help="Conversations to ask for.", min=1)] = 500,
    disturbances: Annotated[int, typer.Option(help="How often something is killed or flushed.", min=0)] = 12,
    workers: Annotated[
        int, typer.Option(help="Workers, which share the batches and are killed in turn.", min=1, max=16)
    ] = 1,
    seed: Annotated[int, typer.Option(help="Seed of faults and disturbances.")] = 0,
    json: JsonFile = None,
) -> None:
    """Kill workers, database, API and queue at random while batches run with every fault; count what is left."""
    with open_local_run("Chaos", "chaos") as settings:
        result = run_chaos(
            settings, items=items, disturbances=disturbances, seed_number=seed, say=typer.echo, workers=workers
        )
    print_chaos(result)
    write_figures(json, result)
    if result.problems:
        raise typer.Exit(1)
