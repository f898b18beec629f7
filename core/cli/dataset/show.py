"""`brightrun dataset show`: how far a data set is."""

from core.cli.batch_options import JsonOption
from core.cli.dataset.dataset_summary import NameArgument, print_dataset
from core.command_bootstrap import open_command_services
from core.config import load_settings


def show(name: NameArgument, *, as_json: JsonOption = False) -> None:
    """Show what is planned, accepted, approved, failed and missing."""
    with open_command_services(load_settings()) as services:
        print_dataset(services, services.datasets.get(name), as_json=as_json, with_exclusions=True)
