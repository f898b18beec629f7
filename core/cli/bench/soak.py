"""`brightrun bench soak`: whether memory stays flat."""

from typing import Annotated

import typer

from core.bench.soak_figures import write_soak_table
from core.cli.bench.local_run import DRIVER_MISSING, open_local_run
from core.cli.bench.machine import JsonFile, print_machine, write_figures
from core.errors import ConfigurationError


def soak(
    minutes: Annotated[float, typer.Option(help="How long the batch takes if no slot is ever empty.", min=0.1)] = 60.0,
    items: Annotated[int, typer.Option(help="Items of the batch.", min=1, max=100_000)] = 20_000,
    concurrency: Annotated[int, typer.Option(help="Calls at a time.", min=1, max=200)] = 50,
    workers: Annotated[int, typer.Option(help="Worker processes.", min=1, max=16)] = 1,
    json: JsonFile = None,
) -> None:
    """Run one long batch, watched in a browser, and compare the memory of every part at its beginning and its end."""
    try:
        from core.bench.soak import plan_soak, run_soak  # noqa: PLC0415 - the browser driver is a tool of development
    except ImportError as error:
        raise ConfigurationError(DRIVER_MISSING) from error
    load = plan_soak(minutes, items, concurrency, workers)
    with open_local_run("The measurement", "soak") as settings:
        result = run_soak(settings, load, typer.echo)
    typer.echo(f"\n{write_soak_table(result)}")
    print_machine()
    write_figures(json, result)
    typer.echo("\n" + ("\n".join(f"PROBLEM: {problem}" for problem in result.problems) or "Memory is flat."))
    if result.problems:
        raise typer.Exit(1)
