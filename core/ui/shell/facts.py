"""A list of facts: a label and a value each."""

from collections.abc import Mapping

import streamlit as st

from core.ui.shell.formats import NOTHING, escape_markdown

LABEL_PIXELS = 110


def draw_facts(facts: Mapping[str, object]) -> None:
    """Draw one line for each; values are text, never read as markdown or HTML."""
    with st.container(gap="xxsmall"):
        for label, value in facts.items():
            with st.container(horizontal=True, vertical_alignment="top", gap="small"):
                st.caption(escape_markdown(label), width=LABEL_PIXELS)
                with st.container():  # In one of its own a long text breaks beside its label, not below it.
                    st.text(" ".join(str(value).split()) if value else NOTHING)
