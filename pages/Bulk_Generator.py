"""Choose personas, arcs and topics; submit one batch for all their combinations."""

import streamlit as st

from core.ui.generator.choices import draw_choices
from core.ui.generator.prompt_preview import draw_preview_button
from core.ui.generator.summary import draw_summary
from core.ui.generator.tools import draw_link, draw_presets, draw_set_question, open_link
from core.ui.shell.cached_reads import load_choices
from core.ui.shell.navigation import open_page
from core.ui.shell.page import draw_header
from core.ui.shell.session import find_settings

with open_page() as services:
    choices = load_choices(services, services.user_email)
    with draw_header("Bulk Generator"):
        st.space("stretch")
        draw_presets(choices)
        link = st.container(width="content")
    with st.container():  # What comes and goes here leaves what follows in its place.
        open_link(choices)
    choosing, summary = st.columns([7, 3], gap="small")
    with choosing:
        selection = draw_choices(choices)
    with summary:
        selection, settings = draw_summary(services, find_settings(), choices, selection)
        draw_preview_button(services, choices, selection, settings)
    with link:
        draw_link(choices, selection, settings)
    draw_set_question(services, settings)
