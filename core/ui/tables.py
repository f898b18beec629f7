"""Tables that fit their page: no horizontal scrolling at 1366 pixels, no taller than they need be.

Cells are text: what Claude or an analyst wrote is never read as markdown or HTML here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.ui.formats import NOTHING

ROW_PIXELS = 30
MOST_ROWS = 12
"""More rows scroll inside the table."""
SIMULATED = "simulated"


def draw_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any], *, key: str, alt: str) -> None:
    """Draw rows by the columns' configuration; `alt` says in words what is in it."""
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


def mark_simulated(*, simulated: bool) -> list[str]:
    """Return the cell of a simulated column."""
    return [SIMULATED] if simulated else []


def simulated_column() -> Any:  # noqa: ANN401 - Streamlit's column types are not public
    """Return a column that marks what a simulated Claude wrote."""
    return st.column_config.MultiselectColumn("Data", options=[SIMULATED], color=["orange"], width=95)


def age_column(label: str) -> Any:  # noqa: ANN401 - as above
    """Return a column of times as their distance from now."""
    return st.column_config.DatetimeColumn(label, format="distance", width=125)
