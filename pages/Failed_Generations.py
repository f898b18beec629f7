"""Find out why generations fail: filters, charts and the report of each (`?failure=ID`); the whole view is in the link."""

import streamlit as st

from core.ui.failure_filters import NAMES, draw_failure_filters, read_failure_filters
from core.ui.failure_report import open_linked_report
from core.ui.failure_table import FAILURE, draw_failure_table, send_wanted_report
from core.ui.failure_view import draw_failure_charts, draw_no_failures, load_failure_options, load_failure_statistics
from core.ui.import_upload import draw_import
from core.ui.link_state import read_cursor, read_uuid
from core.ui.navigation import open_page
from core.ui.page import draw_header
from core.ui.pager import draw_pager

with open_page() as services:
    with draw_header("Failed generations"):
        st.space("stretch")
        draw_import(services)
    # What was just clicked comes first: it is on the screen before the charts are drawn again.
    open_linked_report(services, read_uuid(FAILURE))
    send_wanted_report(services)
    draw_failure_filters(load_failure_options(services, services.user_email))
    filters = read_failure_filters()
    cursor, direction = read_cursor()
    statistics = load_failure_statistics(services, services.user_email, filters)
    if statistics.total:
        draw_failure_charts(statistics)
        page = services.failures.list_page(filters, cursor=cursor, direction=direction)
        draw_pager(page, statistics.total, "failure")
        draw_failure_table(page.rows)
    else:
        draw_no_failures(filtered=any(st.query_params.get(name) for name in NAMES))
