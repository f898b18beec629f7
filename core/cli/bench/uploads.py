"""`brightrun bench uploads`: what hostile files cost."""

from typing import Annotated

import typer

from core.bench.uploads import MOST_MEMORY_MB, run_uploads
from core.cli.bench.machine import print_machine


def uploads(
    megabytes: Annotated[int, typer.Option(help="Size of the large files.", min=1)] = 20,
    only: Annotated[str, typer.Option(help="Measure the files that have this in their names.")] = "",
) -> None:
    """Measure memory and processor time that hostile files take from `scan` and from the page that they are uploaded to."""
    typer.echo("| file | MB | scan: s | MB more | page: s | MB more | what is said |\n|---|---|---|---|---|---|---|")
    costs = run_uploads(megabytes, only, typer.echo)
    print_machine()
    unbounded = [cost.name for cost in costs if not cost.is_bounded]
    bounded = f"All {len(costs)} stay under {MOST_MEMORY_MB} MB."
    typer.echo("\n" + (f"Not bounded: {', '.join(unbounded)}" if unbounded else bounded))
    if unbounded:
        raise typer.Exit(1)
