"""State of the Scaffolding page: the open record as it was when opened, and the result of the last save."""

from collections.abc import Callable
from typing import TypeVar

import streamlit as st

from core.domain.scaffolding.records import PromptTemplate, SaveOutcome, Scaffold
from core.ui.shell.cached_reads import load_choices
from core.ui.shell.formats import escape_markdown
from core.ui.shell.page import leave_notice

OPEN, NEW = "open", "new"
OPENED = "scaffold_opened"
Row = TypeVar("Row", Scaffold, PromptTemplate)


def read_open() -> str | None:
    """Return the key of `?open=KEY`; `new` for a record that is being added."""
    return st.query_params.get(OPEN)


def open_record(key: str) -> None:
    """Show a record; its place in the list stays in the link."""
    st.query_params[OPEN] = key


def close_record() -> None:
    """Go back to the list and forget what was being edited."""
    st.query_params.pop(OPEN, None)
    forget_opened()


def forget_opened() -> None:
    """Read the record again in the next run and discard what was typed."""
    for key in [OPENED, *(key for key in st.session_state if str(key).startswith("scaffold_"))]:
        st.session_state.pop(key, None)


def remember_opened(current: Row | None) -> Row | None:
    """Return the record as it was when it was opened: a newer version of somebody else must not be overwritten."""
    opened: Row | None = st.session_state.get(OPENED)
    if current is None or opened is None or opened.id != current.id:
        st.session_state[OPENED] = opened = current
    return opened


def say_outcome(outcome: SaveOutcome, name: str, button: Callable[..., bool] = st.button) -> None:
    """Go back to the list where a record was saved; else say why not and keep what was typed.

    `button` draws a button where it is said: a form has its own.
    """
    if outcome.outcome == "saved":
        load_choices.clear()
        leave_notice(f"{name} is saved.")
        close_record()
        st.rerun()
    reason = escape_markdown(outcome.reason or "")
    if outcome.outcome == "conflict":
        st.warning(
            f"**Not saved.** {reason} Reload to see the current version; your changes are lost then.",
            icon=":material/sync_problem:",
        )
        button("Reload", icon=":material/refresh:", on_click=forget_opened)
    else:
        st.error(f"**Not saved.** {reason}", icon=":material/error:")
