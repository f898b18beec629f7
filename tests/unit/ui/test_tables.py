"""Tables as files, and the buttons in their rows."""

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from core.ui.shell.tables import DIGITS, RowButton, number_labels, write_table

ROOT = Path(__file__).parents[3]


def test_a_table_is_exported_as_shown_without_its_buttons_and_without_formulas() -> None:
    columns = {
        "name": st.column_config.TextColumn("Batch"),
        "status": st.column_config.MultiselectColumn("Status", options=["paused"]),
        "created": st.column_config.DatetimeColumn("Submitted"),
    }
    rows = [{"name": "=HYPERLINK(1)", "status": ["paused"], "created": datetime(2026, 11, 22, tzinfo=UTC), "open": "Open"}]

    lines = write_table(rows, columns).decode().splitlines()

    assert lines == ["Batch,Status,Submitted", "'=HYPERLINK(1),paused,2026-11-22T00:00:00+00:00"]


def test_labels_of_buttons_carry_their_number_unseen_and_a_row_without_one_has_none() -> None:
    buttons = {"view": RowButton(print, width=75), "raw": RowButton(print, width=75)}

    labels = number_labels({"view": "View", "raw": None, "name": "x"}, 3, buttons)

    zero, one = DIGITS
    assert labels == {"view": f"View{one}{one}{zero}", "raw": None}  # The 6th button, counted from 0, of two a row.


def test_the_tables_own_export_of_bare_cells_is_off() -> None:
    config = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())

    assert config["client"]["disableDataExport"] is True
