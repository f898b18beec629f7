"""Find out why generations fail: filters, charts and the report of each (`?failure=ID`); the whole view is in the link."""

import streamlit as st

from core.ui.failures.records import draw_failure_records
from core.ui.failures.view import (
    draw_failure_charts,
    draw_no_failures,
    draw_retry,
    load_failure_statistics,
)
from core.ui.shell.cached_reads import load_result_options
from core.ui.shell.failure_filters import NAMES, draw_failure_filters, read_failure_filters
from core.ui.shell.navigation import open_page
from core.ui.shell.page import draw_header

with open_page() as services:
    with draw_header("Failed Generations"):
        st.space("stretch")
        tools = st.container(width="content")
    draw_failure_filters(load_result_options(services, services.user_email))
    filters = read_failure_filters()
    with tools:
        draw_retry(services, filters)
    # The records come first, into their place below: what was clicked is on the screen before the charts are drawn again.
    charts, records = st.container(), st.container()
    with records:
        draw_failure_records(services, filters)
    statistics = load_failure_statistics(services, services.user_email, filters)
    with charts:
        if statistics.total:
            draw_failure_charts(statistics)
        else:
            draw_no_failures(filtered=any(st.query_params.get(name) for name in NAMES))
