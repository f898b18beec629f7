"""Tables that fit their page: no horizontal scrolling at 1366 pixels, and as tall as their rows: the page scrolls alone.

Cells are text: what Claude or an analyst wrote is never read as markdown or HTML here. What leaves the page is text, too:
Streamlit's own download and copying, made of the bare cells, are turned off for all tables (`disableDataExport` in
`.streamlit/config.toml`), since a spreadsheet would run a cell that begins like a formula.

Streamlit's buttons in tables answer to no key. Here a click anywhere on a row and the Enter key press its first button, and
Enter on another button presses that one (`row_press.js`). Rows may be sorted in the browser, so each label of a button
carries its number, in digits that nobody sees.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.components.v2 import component

from core.services.spreadsheet import write_cells
from core.ui.shell.formats import NOTHING

ROW_PIXELS = 30
MOST_ROWS = 50
"""More rows than a page of any list has scroll inside the table."""
SIMULATED = "simulated"
DIGITS = "\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NON-JOINER}"
_listen = component("row_press", js=Path(__file__).with_name("row_press.js").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class RowButton:
    """A button in each row that has a label in its column; `act` gets the number of the row."""

    act: Callable[[int], None]
    width: int
    title: str = ""


def draw_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Mapping[str, Any],
    *,
    key: str,
    alt: str,
    file_name: str | None = None,
    buttons: Mapping[str, RowButton] | None = None,
) -> None:
    """Draw rows by the columns' configuration; `alt` says in words what is in it, `file_name` offers the rows as CSV.

    `buttons` are by their column, whose cells are their labels, or None; a row as a whole presses the first of them.
    """
    buttons = buttons or {}
    with st.container(key=f"rows_{key}", gap=None):
        st.dataframe(  # pyright: ignore[reportUnknownMemberType] - a type of an optional package
            pd.DataFrame([{**row, **number_labels(row, number, buttons)} for number, row in enumerate(rows)]),
            key=key,
            hide_index=True,
            row_height=ROW_PIXELS,
            height="content" if len(rows) <= MOST_ROWS else ROW_PIXELS * (MOST_ROWS + 1),
            placeholder=NOTHING,
            column_config={**columns, **_configure_buttons(buttons, key, len(rows))},
            alt=f"{alt}. Enter opens a row." if buttons else alt,
        )
        if buttons:
            _listen_to_rows(rows, buttons, key)
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


def _listen_to_rows(rows: Sequence[Mapping[str, Any]], buttons: Mapping[str, RowButton], key: str) -> None:
    listener = f"{key}_pressed"

    def act() -> None:
        pressed = st.session_state[listener]["pressed"]
        row, button = divmod(int(pressed["number"]), len(buttons))
        name = list(buttons)[0 if pressed["whole_row"] else button]
        if row < len(rows) and rows[row].get(name) is not None:
            buttons[name].act(row)

    _listen(key=listener, data={"table": f"rows_{key}"}, on_pressed_change=act)


def number_labels(row: Mapping[str, Any], number: int, buttons: Mapping[str, RowButton]) -> dict[str, str | None]:
    """Return the labels of a row's buttons, each with its number among all buttons of the table as invisible digits."""
    labels: dict[str, str | None] = {}
    for place, name in enumerate(buttons):
        digits = f"{number * len(buttons) + place:b}".translate(dict(zip(b"01", DIGITS, strict=True)))
        labels[name] = None if row.get(name) is None else f"{row[name]}{digits}"
    return labels


def _configure_buttons(buttons: Mapping[str, RowButton], key: str, rows: int) -> dict[str, Any]:
    def configure(name: str, button: RowButton) -> Any:  # noqa: ANN401 - Streamlit's column types are not public
        def act() -> None:
            clicked = st.session_state.get(f"{key}_{name}")
            if clicked and int(clicked["row"]) < rows:  # The table may have become shorter since.
                button.act(int(clicked["row"]))

        title, is_first = f"{button.title}{DIGITS[0]}", name == next(iter(buttons))
        return st.column_config.ButtonColumn(
            title,
            key=f"{key}_{name}",
            on_click=act,
            type="tertiary",
            width=button.width,
            pinned=is_first,  # At the left, in sight however narrow the window is.
        )

    return {name: configure(name, button) for name, button in buttons.items()}


def write_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, Any]) -> bytes:
    """Return what a table shows as CSV, without its buttons."""
    titles = tuple(f"{column['label']}" for column in columns.values())
    return write_cells(titles, ([_write_cell(row.get(name)) for name in columns] for row in rows))


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
