"""The pages, and how each is entered."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from core.bootstrap import PageServices
from core.ui.home.overview import draw_overview
from core.ui.shell.links import (
    ANALYTICS,
    CONVERSATIONS,
    DATASETS,
    FAILURES,
    GENERATOR,
    MONITOR,
    SCAFFOLDING,
    SYSTEM,
    enter_page,
)
from core.ui.shell.page import configure_page, open_body
from core.ui.shell.session import is_signed_in, require_services

ENTERED = "entered_by_home"
"""Session state, for the length of a run: Home.py has drawn the navigation."""


def enter_home() -> StreamlitPage:
    """Let signed-in analysts in, draw the navigation and return the page that the address asks for."""
    configure_page()
    if not is_signed_in():
        _draw_navigation("hidden")  # The browser keeps the last navigation; after a sign-out that is the pages.
    require_services()
    return _draw_navigation("top")


@contextmanager
def open_page() -> Generator[PageServices]:
    """Begin a page: every file in pages/ does all its work inside this.

    On a cold server a deep link runs the file without Home.py. Then there is no navigation yet: draw it and begin again.
    """
    configure_page()
    require_services()
    if not st.session_state.pop(ENTERED, False):
        _draw_navigation("top")
        st.rerun()
    with open_body() as services:
        yield services


def _draw_navigation(position: Literal["top", "hidden"]) -> StreamlitPage:
    st.session_state[ENTERED] = True
    pages = [
        st.Page(draw_overview, title="Home", icon=":material/home:", default=True),
        st.Page(GENERATOR, title="Bulk Generator", icon=":material/bolt:", url_path="Bulk_Generator"),
        st.Page(MONITOR, title="Batch Monitor", icon=":material/monitoring:", url_path="Batch_Monitor"),
        st.Page(FAILURES, title="Failed Generations", icon=":material/error:", url_path="Failed_Generations"),
        st.Page(ANALYTICS, title="Failure Analytics", icon=":material/troubleshoot:", url_path="Failure_Analytics"),
        st.Page(CONVERSATIONS, title="Conversations", icon=":material/forum:", url_path="Conversations"),
        st.Page(DATASETS, title="Datasets", icon=":material/dataset:", url_path="Datasets"),
        st.Page(SCAFFOLDING, title="Scaffolding", icon=":material/schema:", url_path="Scaffolding"),
        st.Page(SYSTEM, title="System", icon=":material/health_and_safety:", url_path="System"),
    ]
    page = st.navigation(pages, position=position)
    enter_page(page.url_path)
    return page
