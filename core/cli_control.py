"""`brightrun pause`, `resume` and `cancel`."""

from contextlib import closing
from typing import Annotated
from uuid import UUID

import typer

from core.bootstrap import open_local_services
from core.config import load_settings
from core.domain.batch import BatchAction, BatchId
from core.errors import InvalidRequest
from core.terminal import escape_lines

BatchArgument = Annotated[str, typer.Argument(help="Id of the batch.")]


def pause(batch: BatchArgument) -> None:
    """Pause a batch: running calls finish, nothing more is begun."""
    _control(batch, BatchAction.PAUSE)


def resume(
    batch: BatchArgument,
    *,
    budget: Annotated[
        float | None, typer.Option(help="A new budget in USD, more than was spent: for a batch that its budget paused.")
    ] = None,
) -> None:
    """Let a paused batch go on."""
    _control(batch, BatchAction.RESUME, budget)


def cancel(batch: BatchArgument) -> None:
    """Cancel a batch for good: running calls finish, what is accepted is kept."""
    _control(batch, BatchAction.CANCEL)


def parse_batch_id(text: str) -> BatchId:
    """Return the id that was typed; raise InvalidRequest if it is none."""
    try:
        return BatchId(UUID(text))
    except ValueError as error:
        raise InvalidRequest(
            f"{text!r} is not a batch id. `brightrun generate` prints it when a batch is submitted."
        ) from error


def _control(batch: str, action: BatchAction, budget_usd: float | None = None) -> None:
    batch_id = parse_batch_id(batch)
    with closing(open_local_services(load_settings())) as services:
        status = services.batches.control(batch_id, action, budget_usd=budget_usd)
        typer.echo(escape_lines(f"{services.batches.get(batch_id).name}: {status}"))
