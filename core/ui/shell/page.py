"""What all pages share: title row, marks, what is said once after a change of page."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import streamlit as st
from streamlit.components.v2 import component

from core.bootstrap import PageServices
from core.domain.unreadable import UnreadableRow, phrase_unreadable
from core.ui.shell.formats import escape_markdown
from core.ui.shell.links import OPEN_PAGE
from core.ui.shell.loading import show_loading
from core.ui.shell.session import find_settings, report_errors, require_services, sign_out
from core.ui.shell.status import BadgeColor

NOTICE = "notice"
_keep_choices = component("keep_choice", js=Path(__file__).with_name("keep_choice.js").read_text(encoding="utf-8"))
SIGN_OUT = "Sign out"
ICON = Path(__file__).with_name("icon.svg")
"""A file of ours: an icon or emoji by name would be fetched from another host."""


def configure_page() -> None:
    """Set what the browser shows around a page, before anything is drawn."""
    st.set_page_config(page_title="Bright Run", page_icon=ICON, layout="wide", initial_sidebar_state="collapsed")


@contextmanager
def open_body() -> Generator[PageServices]:
    """Show the notice of the page before, this page's errors, and unreadable rows.

    Files in pages/ begin with `open_page`.
    """
    services = require_services()
    with st.container():  # With or without a notice, what follows keeps its place.
        if notice := st.session_state.pop(NOTICE, None):
            st.info(escape_markdown(notice), icon=":material/info:")  # A toast would cover the buttons at the right.
    place = st.empty()
    with show_loading(st.session_state.get(OPEN_PAGE)), report_errors():
        yield services
    _keep_choices(key="keep_choices")  # Below the page, where it takes no room.
    if unreadable := services.list_unreadable():
        with place.container():
            _draw_unreadable(unreadable)


def _draw_unreadable(rows: Sequence[UnreadableRow]) -> None:
    by_kind = groupby(sorted(rows, key=lambda row: row.what), key=lambda row: row.what)
    for _, unreadable in by_kind:
        message = f"{phrase_unreadable(tuple(unreadable))}. Left out until that is corrected."
        st.warning(escape_markdown(message), icon=":material/rule:")


def leave_notice(text: str) -> None:
    """Say something on the next page."""
    st.session_state[NOTICE] = text


@contextmanager
def draw_header(title_markdown: str, *, says_simulated: bool = False) -> Generator[None]:
    """Draw the title row; what is drawn inside stands beside the title, before the marks at its end.

    `says_simulated`: a badge inside says already that a simulated Claude is at work.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(title_markdown, anchor=False, width="content")
        yield
        _draw_marks(says_simulated=says_simulated)


def draw_card(label: str, value: str, note: str) -> None:
    """Draw a figure with its name above it and a note below."""
    st.metric(label, value, delta_description=escape_markdown(note), border=True, height="stretch")


def draw_simulated_badge() -> None:
    """Mark what a simulated Claude wrote."""
    st.badge(
        "simulated", icon=":material/science:", color="orange", help="Written by the simulated Claude: not training data."
    )


def draw_imported_badge() -> None:
    """Mark what was read from files."""
    st.badge(
        "imported",
        icon=":material/upload_file:",
        color="blue",
        help="Read from files and judged for diagnosis: not generated here, never part of an export.",
    )


def draw_text_badge(text: str, *, color: BadgeColor, icon: str = "", code: str | None = None) -> None:
    """Draw a badge with a text that was not written in this code: `st.badge` escapes brackets a second time.

    `code` is what the text is the plain name of; it is shown in the tooltip.
    """
    help_text = None if code is None else escape_markdown(code)
    st.markdown(f":{color}-badge[{icon} {escape_markdown(text)}]", width="content", help=help_text)


def draw_same_prompts(same_prompts: str | None) -> None:
    """Say which conversations of a combination will share a prompt, if any will."""
    with st.container():  # With or without the words, what follows keeps its place.
        if same_prompts is not None:
            st.caption(f":material/content_copy: {escape_markdown(same_prompts)}")


def draw_figure(figure: object, *, key: str, alt: str) -> None:
    """Draw a figure of Plotly; `alt` says in words what is in it."""
    st.plotly_chart(  # pyright: ignore[reportUnknownMemberType] - a type of an optional package
        figure,  # pyright: ignore[reportArgumentType] - likewise
        key=key,
        config={"displayModeBar": False},
        alt=alt,
    )


def _draw_marks(*, says_simulated: bool) -> None:
    settings = find_settings()
    if settings.simulated and not says_simulated:
        help_text = "No Anthropic key is set: conversations are simulated on this machine and nothing is charged."
        st.badge("Claude is simulated", icon=":material/science:", color="orange", help=help_text)
    if not settings.embedded:
        _draw_account()


def _draw_account() -> None:
    email = escape_markdown(require_services().user_email)
    if st.menu_button(email, [SIGN_OUT], icon=":material/account_circle:", type="tertiary") == SIGN_OUT:
        sign_out()
        st.rerun()


def draw_answers(
    label: str, icon: str, *, forget: Callable[[], None], enabled: bool = True, stay: str = "Cancel", key: str | None = None
) -> bool:
    """Draw the answers at the end of a dialog: one that forgets the question, and one that does it.

    Returns whether the second was pressed.
    """
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button(stay):
            forget()
            st.rerun()
        return st.button(label, type="primary", icon=icon, disabled=not enabled, key=key)
