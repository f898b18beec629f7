"""What `pause`, `resume` and `cancel` do."""

from contextlib import closing

import typer

from core.bootstrap import open_local_services
from core.cli.batch_options import parse_batch_id
from core.config import load_settings
from core.domain.batch import BatchAction
from core.terminal import escape_lines


def control_batch(batch: str, action: BatchAction, budget_usd: float | None = None) -> None:
    """Do something to a batch and print how it stands."""
    batch_id = parse_batch_id(batch)
    with closing(open_local_services(load_settings())) as services:
        status = services.batches.control(batch_id, action, budget_usd=budget_usd)
        typer.echo(escape_lines(f"{services.batches.get(batch_id).name}: {status}"))
