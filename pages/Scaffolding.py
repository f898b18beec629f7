"""What conversations are made from: personas, emotional arcs, topics and prompt templates."""

import streamlit as st

from core.ui.scaffolding.view import draw_kind, draw_tabs
from core.ui.shell.navigation import open_page
from core.ui.shell.page import draw_header

with open_page() as services:
    with draw_header("Scaffolding"):
        st.space("stretch")
    draw_kind(services, draw_tabs())
