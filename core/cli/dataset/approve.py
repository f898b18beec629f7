"""`brightrun dataset approve`: approve many conversations at once."""

from typing import Annotated

import typer

from core.cli.batch_options import JsonOption
from core.cli.dataset.dataset_summary import NameArgument, print_dataset
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.errors import InvalidRequest


def approve(
    name: NameArgument,
    *,
    passing: Annotated[bool, typer.Option("--passing", help="All that wait for review and pass the checks.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Approve the conversations of a data set that nobody has reviewed, read or not."""
    if not passing:
        raise InvalidRequest("Say --passing: all that wait for review and pass the checks are approved, read or not.")
    with open_command_services(load_settings()) as services:
        dataset = services.datasets.get(name)
        done = services.datasets.approve_passing(dataset)
        typer.echo(f"{len(done.before)} approved, {done.read} of them had been read; {done.refused} did not pass", err=True)
        print_dataset(services, services.datasets.get(name), as_json=as_json)
