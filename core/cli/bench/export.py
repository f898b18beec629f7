"""`brightrun bench export`: what the export of a large version takes."""

from typing import Annotated

import typer

from core.bench.exports import HEADING, run_exports
from core.cli.bench.machine import print_machine


def export(
    conversations: Annotated[int, typer.Option(help="How many conversations the version has.", min=1)] = 20_000,
) -> None:
    """Measure time and memory of an export in all formats, and whether it is the same twice."""
    typer.echo(HEADING)
    run_exports(conversations, typer.echo)
    print_machine()
