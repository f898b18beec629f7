"""Choose personas, arcs and topics; submit one batch for all their combinations."""

import streamlit as st

from core.ui.batch_summary import draw_summary
from core.ui.choices import draw_choices, load_choices
from core.ui.navigation import open_page
from core.ui.page import draw_header
from core.ui.session import find_settings

with open_page() as services:
    with draw_header("Bulk Conversation Generator"):
        st.space("stretch")
    choosing, summary = st.columns([7, 3], gap="small")
    with choosing:
        selection = draw_choices(load_choices(services, services.user_email))
    with summary:
        draw_summary(services, find_settings(), selection)
