"""`brightrun down`: the end of the stack on this machine."""

import typer

from core.cli.error_exits import report_errors
from core.config import load_settings
from core.embedded.folder import StackFolder
from core.embedded.stack import stop_stack


def down() -> None:
    """Stop the stack on this machine, whoever started it."""
    with report_errors():
        folder = StackFolder(load_settings().home.absolute())
        typer.echo("Stopped." if stop_stack(folder) else f"Nothing runs in {folder.path}.")
