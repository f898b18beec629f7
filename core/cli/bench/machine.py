"""Where a figure was measured."""

import platform

import typer


def print_machine() -> None:
    """Print what a figure depends on, below its table."""
    typer.echo(
        f"\nMachine: {platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
