"""`brightrun bench hosts`: workers on hosts of their own, one of them cut off."""

from typing import Annotated

import typer

from core.bench.hosts import run_hosts
from core.cli.bench.chaos_report import print_chaos
from core.cli.bench.local_run import open_local_run
from core.cli.bench.machine import JsonFile, write_figures


def hosts(
    items: Annotated[int, typer.Option(help="Conversations to ask for.", min=60)] = 600,
    json: JsonFile = None,
) -> None:
    """Let workers in two network namespaces share a batch, cut one off in the middle; count what is left. Linux, as root."""
    with open_local_run("The rehearsal", "hosts") as settings:
        result = run_hosts(settings, items=items, say=typer.echo)
    print_chaos(result)
    write_figures(json, result)
    if result.problems:
        raise typer.Exit(1)
