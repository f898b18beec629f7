"""`brightrun status`: progress of a batch."""

from core.cli.batch_options import BatchArgument, JsonOption, parse_batch_id
from core.cli.batch_progress import print_progress
from core.command_bootstrap import open_command_services
from core.config import load_settings


def status(
    batch: BatchArgument,
    as_json: JsonOption = False,
) -> None:
    """Show the progress of a batch."""
    batch_id = parse_batch_id(batch)
    settings = load_settings()
    with open_command_services(settings) as services:
        print_progress(services, services.batches.get(batch_id), as_json=as_json, simulated=settings.simulated)
