"""Exit codes for errors of the stack's commands."""

from collections.abc import Generator
from contextlib import contextmanager

import typer

from core.errors import BrightRunError, ConfigurationError, InvalidRequest
from core.terminal import escape_lines


@contextmanager
def report_errors() -> Generator[None]:
    """Turn our own errors into one message and an exit code: 2 for what was asked, 1 for what failed."""
    try:
        yield
    except BrightRunError as error:
        typer.echo(escape_lines(str(error)), err=True)
        raise typer.Exit(2 if isinstance(error, ConfigurationError | InvalidRequest) else 1) from error
