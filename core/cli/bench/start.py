"""`brightrun bench start`: how long one waits for a command, the stack and its first page."""

from typing import Annotated

import typer

from core.cli.bench.local_run import DRIVER_MISSING, open_local_run, report_missed
from core.cli.bench.machine import print_machine
from core.errors import ConfigurationError


def start(
    starts: Annotated[int, typer.Option(help="How often the stack is started.", min=2)] = 5,
) -> None:
    """Measure how long commands, `up` and the first page after it take to start, in a real browser."""
    try:
        from core.bench.start import HEADING, run_start  # noqa: PLC0415 - the browser driver is a tool of development
    except ImportError as error:
        raise ConfigurationError(DRIVER_MISSING) from error
    with open_local_run("The measurement", "start") as settings:
        timings = run_start(settings, starts, typer.echo)
    typer.echo("\n".join(["", HEADING, *(timing.row for timing in timings)]))
    print_machine()
    report_missed([timing.name for timing in timings if not timing.is_kept])
