"""`brightrun migrate`: the tables as this version needs them."""

import typer

from core.adapters.supabase.migrations import apply_migrations
from core.cli.error_exits import report_errors
from core.config import load_settings
from core.embedded.plan import REPOSITORY
from core.embedded.stack import reload_api


def migrate() -> None:
    """Apply the SQL migrations that the database does not have yet."""
    with report_errors():
        settings = load_settings()
        applied = apply_ours(settings.require_db_url())
        for name in applied:
            typer.echo(f"applied {name}")
        if not applied:
            typer.echo("up to date")
        elif settings.embedded:
            reload_api(settings)


def apply_ours(database_url: str) -> list[str]:
    """Apply the migrations of this version to a database and return the names of those that it did not have."""
    return apply_migrations(database_url, REPOSITORY / "migrations")
