"""What conversations are made from: personas, emotional arcs, topics and prompt templates."""

import streamlit as st

from core.ui.navigation import open_page
from core.ui.page import draw_header
from core.ui.scaffolding_view import draw_kind, draw_tabs

with open_page() as services:
    with draw_header("Scaffolding"):
        st.space("stretch")
    draw_kind(services, draw_tabs())
