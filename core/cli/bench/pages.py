"""`brightrun bench pages`: how long an analyst waits."""

from typing import Annotated

import typer

from core.bench.volume import Volume
from core.cli.bench.local_run import DRIVER_MISSING, open_local_run, report_missed
from core.cli.bench.machine import print_machine
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
        raise ConfigurationError(DRIVER_MISSING) from error
    volume = Volume(failures=failures, conversations=conversations, large_batch_items=items)
    with open_local_run("The measurement", "pages") as settings:
        timings = run_pages(settings, volume, typer.echo)
    print_machine()
    report_missed([f"{timing.page}, {timing.action}" for timing in timings if not timing.is_kept])
