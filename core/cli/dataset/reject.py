"""`brightrun dataset reject`: reject what no version will take."""

from typing import Annotated

import typer

from core.cli.batch_options import JsonOption
from core.cli.dataset.dataset_summary import NameArgument, print_dataset
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.errors import InvalidRequest


def reject(
    name: NameArgument,
    *,
    unusable: Annotated[
        bool, typer.Option("--unusable", help="All that are cut off or damaged by now, or say the same as an earlier one.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Reject the conversations of a data set that no version will take, so that the next top-up replaces them."""
    if not unusable:
        raise InvalidRequest("Say --unusable: all that are cut off or damaged by now, or copies of another, are rejected.")
    with open_command_services(load_settings()) as services:
        done = services.datasets.reject_unusable(services.datasets.get(name))
        typer.echo(f"{len(done.before)} rejected", err=True)
        print_dataset(services, services.datasets.get(name), as_json=as_json)
