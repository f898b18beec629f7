"""`brightrun resume`."""

from typing import Annotated

import typer

from core.cli.batch_control import control_batch
from core.cli.batch_options import BatchArgument
from core.domain.batches.batch import BatchAction


def resume(
    batch: BatchArgument,
    *,
    budget: Annotated[
        float | None, typer.Option(help="A new budget in USD, more than was spent: for a batch that its budget paused.")
    ] = None,
) -> None:
    """Resume a paused batch."""
    control_batch(batch, BatchAction.RESUME, budget)
