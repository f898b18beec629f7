"""Tables that fit their page: no horizontal scrolling at 1366 pixels, no taller than they need be.

Cells are text: what Claude or an analyst wrote is never read as markdown or HTML here. What leaves the page is text, too:
Streamlit's own download and copying, made of the bare cells, are turned off for all tables (`disableDataExport` in
`.streamlit/config.toml`), since a spreadsheet would run a cell that begins like a formula.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
import streamlit as st

from core.services.spreadsheet import write_cells
from core.ui.shell.formats import NOTHING

ROW_PIXELS = 30
MOST_ROWS = 12
"""More rows scroll inside the table."""
SIMULATED = "simulated"


def draw_table(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any], *, key: str, alt: str, file_name: str | None = None
) -> None:
    """Draw rows by the columns' configuration; `alt` says in words what is in it, `file_name` offers the rows as CSV."""
    st.dataframe(  # pyright: ignore[reportUnknownMemberType] - a type of an optional package
        pd.DataFrame(rows),
        key=key,
        hide_index=True,
        row_height=ROW_PIXELS,
        height="content" if len(rows) <= MOST_ROWS else ROW_PIXELS * (MOST_ROWS + 1),
        placeholder=NOTHING,
        column_config=columns,
        alt=alt,
    )
    if file_name is not None and rows:
        with st.container(horizontal=True, horizontal_alignment="right"):
            st.download_button(
                "CSV",
                data=lambda: write_table(rows, columns),
                file_name=f"{file_name}.csv",
                mime="text/csv",
                icon=":material/download:",
                type="tertiary",
                on_click="ignore",
                key=f"{key}_csv",
                help="The rows of this table",
            )


def write_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any]) -> bytes:
    """Return what a table shows as CSV, without its buttons."""
    # Of all kinds of columns, only that of buttons is not described by a dictionary.
    shown = {name: f"{column['label']}" for name, column in columns.items() if isinstance(column, dict)}
    return write_cells(tuple(shown.values()), ([_write_cell(row.get(name)) for name in shown] for row in rows))


def _write_cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return ", ".join(map(str, value)) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def mark_simulated(*, simulated: bool) -> list[str]:
    """Return the cell of a simulated column."""
    return [SIMULATED] if simulated else []


def simulated_column() -> Any:  # noqa: ANN401 - Streamlit's column types are not public
    """Return a column that marks what a simulated Claude wrote."""
    return st.column_config.MultiselectColumn("Data", options=[SIMULATED], color=["orange"], width=95)


def age_column(label: str) -> Any:  # noqa: ANN401 - as above
    """Return a column of times as their distance from now."""
    return st.column_config.DatetimeColumn(label, format="distance", width=125)
