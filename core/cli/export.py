"""`brightrun export`: conversations as chat messages in JSON Lines."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.domain.batches.batch import BatchId
from core.domain.datasets.records import ConversationFilters, ReviewStatus
from core.errors import InvalidRequest
from core.services.conversations import export_conversations

STANDARD_OUTPUT = "-"


def export(
    *,
    output: Annotated[str, typer.Option("--output", "-o", help="File to write; `-` is standard output.")],
    batch: Annotated[str | None, typer.Option(help="Only the conversations of this batch.")] = None,
    review_status: Annotated[ReviewStatus | None, typer.Option(help="Only those with this review status.")] = None,
    with_comparisons: Annotated[
        bool, typer.Option("--with-comparisons", help="Also what comparisons made, which is left out without --batch.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write accepted conversations as chat messages, one JSON object per line, oldest first."""
    filters = ConversationFilters(
        batch_id=_parse_batch(batch), review_status=review_status, with_comparisons=with_comparisons or None
    )
    path = None if output == STANDARD_OUTPUT else Path(output)
    if path is not None and path.exists() and not force:
        raise InvalidRequest(f"{path} exists. Name another file, or replace it with --force.")
    with open_command_services(load_settings()) as services:
        if filters.batch_id is not None:
            services.batches.get(BatchId(filters.batch_id))  # An unknown batch is a mistake, not an empty data set.
        lines = export_conversations(services.conversations, filters)
        written = _write_standard_output(lines) if path is None else _write_file(path, lines)
    typer.echo(f"{written} conversations", err=True)


def _write_standard_output(lines: Iterator[bytes]) -> int:
    written = 0
    for line in lines:
        sys.stdout.buffer.write(line)
        written += 1
    sys.stdout.buffer.flush()
    return written


def _write_file(path: Path, lines: Iterator[bytes]) -> int:
    """Write to a temporary file and rename it at the end, so that nobody finds half a data set."""
    partial = path.with_name(f".{path.name}.partial")
    written = 0
    try:
        with partial.open("wb") as file:
            for line in lines:
                file.write(line)
                written += 1
        partial.replace(path)
    except OSError as error:
        raise InvalidRequest(f"{path} cannot be written: {error.strerror or error}. Name another file.") from error
    finally:
        partial.unlink(missing_ok=True)
    return written


def _parse_batch(text: str | None) -> UUID | None:
    if text is None:
        return None
    try:
        return UUID(text)
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is not a batch id. The Batch Monitor shows it in its address.") from error
