"""`brightrun pause`."""

from core.cli.batch_control import control_batch
from core.cli.batch_options import BatchArgument
from core.domain.batches.batch import BatchAction


def pause(batch: BatchArgument) -> None:
    """Pause a batch: running calls finish, no new ones start."""
    control_batch(batch, BatchAction.PAUSE)
