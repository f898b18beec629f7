"""What measurements on this machine have in common: a folder of their own, and how they end."""

import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from core.config import Settings, load_settings
from core.errors import ConfigurationError

DRIVER_MISSING = "This needs the browser driver: `pip install -e '.[dev]'`."


@contextmanager
def open_local_run(what: str, name: str) -> Generator[Settings]:
    """Give the settings of a stack in a new folder; raise ConfigurationError where hosted services are configured."""
    with tempfile.TemporaryDirectory(prefix=f"brightrun-{name}-") as home:
        settings = load_settings(home=Path(home))
        if settings.is_hosted:
            raise ConfigurationError(f"{what} is for the stack on this machine: unset SUPABASE_URL first.")
        yield settings


def report_missed(missed: Sequence[str]) -> None:
    """Print which targets were missed, and exit with 1 if any was."""
    typer.echo("\n" + (f"Missed: {'; '.join(missed)}" if missed else "Every target kept."))
    if missed:
        raise typer.Exit(1)
