"""`brightrun seed`: the scaffolding."""

import typer

from core.config import load_settings
from core.seed import seed as seed_database


def seed() -> None:
    """Put the scaffolding into the database: personas, arcs, topics (20 active), templates. Safe to run again."""
    seeded = seed_database(load_settings())
    for table, rows in seeded.rows.items():
        note = f", {seeded.active_topics} active" if table == "training_topics" else ""
        typer.echo(f"{table}: {rows}{note}")
    typer.echo(f"Selected topics: {seeded.selected_topics_file}")
