"""What `pause`, `resume` and `cancel` do."""

import typer

from core.cli.batch_options import parse_batch_id
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.domain.batches.batch import BatchAction
from core.terminal import escape_lines


def control_batch(batch: str, action: BatchAction, budget_usd: float | None = None) -> None:
    """Apply an action to a batch and print its status."""
    batch_id = parse_batch_id(batch)
    with open_command_services(load_settings()) as services:
        status = services.batches.control(batch_id, action, budget_usd=budget_usd)
        typer.echo(escape_lines(f"{services.batches.get(batch_id).name}: {status}"))
