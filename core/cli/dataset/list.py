"""`brightrun dataset list`: the analyst's data sets."""

import typer

from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.terminal import escape_lines


def list() -> None:  # noqa: A001 - the name of the command
    """Show your data sets, newest first."""
    with open_command_services(load_settings()) as services:
        for each in services.datasets.list_all():
            version = f", version {each.version}" if each.version else ""
            counts = f"{each.planned} planned, {each.accepted} accepted, {each.approved} approved"
            typer.echo(escape_lines(f"{each.name}: {counts}{version}"))
