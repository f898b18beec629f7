"""Tables as files."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from core.ui.shell.tables import write_table

ROOT = Path(__file__).parents[3]


def test_a_table_is_exported_as_shown_without_its_buttons_and_without_formulas() -> None:
    columns = {
        "name": st.column_config.TextColumn("Batch"),
        "status": st.column_config.MultiselectColumn("Status", options=["paused"]),
        "created": st.column_config.DatetimeColumn("Submitted"),
        "open": st.column_config.ButtonColumn("", key="open"),
    }
    rows = [{"name": "=HYPERLINK(1)", "status": ["paused"], "created": datetime(2026, 11, 22, tzinfo=UTC), "open": "Open"}]

    lines = write_table(rows, columns).decode().splitlines()

    assert lines == ["Batch,Status,Submitted", "'=HYPERLINK(1),paused,2026-11-22T00:00:00+00:00"]


def test_the_tables_own_export_of_bare_cells_is_off() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())

    assert config["client"]["disableDataExport"] is True
