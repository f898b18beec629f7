"""`brightrun cancel`."""

from core.cli.batch_control import control_batch
from core.cli.batch_options import BatchArgument
from core.domain.batches.batch import BatchAction


def cancel(batch: BatchArgument) -> None:
    """Cancel a batch for good: running calls finish, what is accepted is kept."""
    control_batch(batch, BatchAction.CANCEL)
