"""`brightrun bench scan`: what a scan of a large data set takes."""

from typing import Annotated

import typer

from core.bench.scans import HEADING, run_scans
from core.cli.bench.machine import print_machine


def scan(
    conversations: Annotated[int, typer.Option(help="How many conversations each file has.", min=1)] = 100_000,
    only: Annotated[str, typer.Option(help="Measure the files that have this in their names.")] = "",
) -> None:
    """Measure speed and memory of `scan` over a data set as JSON Lines, an array, CSV and Parquet."""
    typer.echo(HEADING)
    run_scans(conversations, only, typer.echo)
    print_machine()
