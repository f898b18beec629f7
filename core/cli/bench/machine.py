"""Where a figure was measured, and the file of figures."""

import json
import os
import platform
from pathlib import Path
from typing import Annotated

import typer

from core.domain.record import Record

JsonFile = Annotated[Path | None, typer.Option("--json", help="Write every figure to this file, too.", dir_okay=False)]


def describe_machine() -> str:
    """Return what a figure depends on."""
    return (
        f"{platform.machine()}, {os.cpu_count()} cores with {os.getloadavg()[0]:.1f} processes waiting for them, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def print_machine() -> None:
    """Print what a figure depends on, below its table."""
    typer.echo(f"\nMachine: {describe_machine()}")


def write_figures(file: Path | None, result: Record) -> None:
    """Write a result and the machine's name to a file, if one is named."""
    if file is not None:
        figures = {"machine": describe_machine(), **result.model_dump(mode="json")}
        file.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
