"""What stands on a page before the database has answered."""

from collections.abc import Generator
from contextlib import contextmanager

import streamlit as st

SHOWN_PAGE, PLACE = "shown_page", "loading_place"
LOADING_PIXELS = 160


@contextmanager
def show_loading(page: str | None) -> Generator[None]:
    """Show, below what a page has drawn already, that more is to come: on its first run, when nothing else stands there."""
    body, below = st.container(), st.empty()
    if st.session_state.get(SHOWN_PAGE) != page:
        below.skeleton(LOADING_PIXELS)
        st.session_state[PLACE] = below
    with body:
        yield
    st.session_state[SHOWN_PAGE] = page
    end_loading()


def end_loading() -> None:
    """Take it away: all is drawn, or a message is drawn instead. Before `st.stop`, which lets nothing more be drawn."""
    place = st.session_state.pop(PLACE, None)
    if place is not None:
        place.empty()
