"""`brightrun bench start`: how long one waits for a command, the stack and its first page."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from core.cli.bench.machine import print_machine
from core.config import load_settings
from core.errors import ConfigurationError


def start(
    starts: Annotated[int, typer.Option(help="How often the stack is started.", min=2)] = 5,
) -> None:
    """Measure how long commands, `up` and the first page after it take to start, in a real browser."""
    try:
        from core.bench.start import HEADING, run_start  # noqa: PLC0415 - the browser driver is a tool of development
    except ImportError as error:
        raise ConfigurationError("This needs the browser driver: `pip install -e '.[dev]'`.") from error
    with tempfile.TemporaryDirectory(prefix="brightrun-start-") as home:
        settings = load_settings(home=Path(home))
        if settings.is_hosted:
            raise ConfigurationError("The measurement is for the stack on this machine: unset SUPABASE_URL first.")
        timings = run_start(settings, starts, typer.echo)
    typer.echo("\n".join(["", HEADING, *(timing.row for timing in timings)]))
    print_machine()
    missed = [timing.name for timing in timings if not timing.is_kept]
    typer.echo("\n" + (f"Missed: {'; '.join(missed)}" if missed else "Every target kept."))
    if missed:
        raise typer.Exit(1)
