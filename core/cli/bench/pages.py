"""`brightrun bench pages`: how long an analyst waits."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from core.bench.volume import Volume
from core.cli.bench.machine import print_machine
from core.config import load_settings
from core.errors import ConfigurationError


def pages(
    failures: Annotated[int, typer.Option(help="Failed generations in the database.", min=100)] = Volume().failures,
    conversations: Annotated[int, typer.Option(help="Conversations in the database.", min=100)] = Volume().conversations,
    items: Annotated[int, typer.Option(help="Items of the batch that runs.", min=1_000)] = Volume().large_batch_items,
) -> None:
    """Measure in a real browser how long each page, filter, dialog, refresh and download takes on a full database."""
    try:
        from core.bench.pages import run_pages  # noqa: PLC0415 - the browser driver is a tool of development
    except ImportError as error:
        raise ConfigurationError("This needs the browser driver: `pip install -e '.[dev]'`.") from error
    volume = Volume(failures=failures, conversations=conversations, large_batch_items=items)
    with tempfile.TemporaryDirectory(prefix="brightrun-pages-") as home:
        settings = load_settings(home=Path(home))
        if settings.is_hosted:
            raise ConfigurationError("The measurement is for the stack on this machine: unset SUPABASE_URL first.")
        timings = run_pages(settings, volume, typer.echo)
    print_machine()
    missed = [f"{timing.page}, {timing.action}" for timing in timings if not timing.is_kept]
    typer.echo("\n" + (f"Missed: {'; '.join(missed)}" if missed else "Every target kept."))
    if missed:
        raise typer.Exit(1)
