"""Newer and older, and where the page stands."""

import streamlit as st

from core.domain.paging import AnyRow, Page, RowCursor
from core.ui.shell.formats import format_count
from core.ui.shell.link_state import NEWER_THAN, OLDER_THAN, change_link


def draw_pager(page: Page[AnyRow], total: int, noun: str) -> None:
    """Draw the two buttons and `26–50 of 1,234 failures`."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # At the left: the table's own tools appear at the right end of this row.
        _draw_turn("Newer", ":material/chevron_left:", NEWER_THAN, page.previous_cursor)
        _draw_turn("Older", ":material/chevron_right:", OLDER_THAN, page.next_cursor)
        st.caption(describe_place(page.newer, len(page.rows), total, noun), width="content")


def describe_place(newer: int, shown: int, total: int, noun: str) -> str:
    """Return which rows of how many are shown."""
    if not shown:
        return format_count(0, noun)
    # Rows may come in between the reading of the page and that of the count.
    whole = max(total, newer + shown)
    return f"{newer + 1:,}\N{EN DASH}{newer + shown:,} of {format_count(whole, noun)}"


def _draw_turn(label: str, icon: str, parameter: str, cursor: RowCursor | None) -> None:
    st.button(
        label,
        icon=icon,
        icon_position="left" if parameter == NEWER_THAN else "right",
        key=f"page_{parameter}",
        disabled=cursor is None,
        on_click=_turn,
        args=(parameter, cursor),
    )


def _turn(parameter: str, cursor: RowCursor | None) -> None:
    other = OLDER_THAN if parameter == NEWER_THAN else NEWER_THAN
    change_link({parameter: None if cursor is None else cursor.to_text(), other: None}, keep_page=True)
