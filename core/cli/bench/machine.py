"""Where a figure was measured."""

import os
import platform

import typer


def print_machine() -> None:
    """Print what a figure depends on, below its table."""
    typer.echo(
        f"\nMachine: {platform.machine()}, {os.cpu_count()} cores with {os.getloadavg()[0]:.1f} processes waiting for them, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
