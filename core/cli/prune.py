"""`brightrun prune`: failures deleted by age."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from core.command_bootstrap import open_report_store
from core.config import load_settings


def prune(
    *,
    older_than_days: Annotated[int, typer.Option(help="Failures older than this many days are deleted.", min=1)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete old failed generations and their RAW reports, of all analysts. Conversations and attempts stay."""
    settings = load_settings()
    if not yes:
        typer.confirm(f"Delete every failed generation older than {older_than_days} days, for good?", abort=True)
    with open_report_store(settings) as store:
        deleted = store.delete_older_than(datetime.now(UTC) - timedelta(days=older_than_days))
    typer.echo(f"deleted {deleted} failed generations")
