"""The filtered failures: pages, table, and the report of the one that the link names.

A fragment: turning a page, opening or downloading a report does not redraw filters and charts.
"""

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.results import FailureFilters
from core.ui.failures.report import open_linked_report
from core.ui.failures.table import draw_failure_table, send_wanted_report
from core.ui.failures.view import load_failure_statistics
from core.ui.shell.link_state import read_cursor
from core.ui.shell.pager import draw_pager
from core.ui.shell.session import report_errors


@st.fragment
def draw_failure_records(services: PageServices, filters: FailureFilters) -> None:
    """Draw one page of what the filters find; nothing where they find none."""
    with report_errors():
        open_linked_report(services, filters)
        cursor, direction = read_cursor()
        page = services.failures.list_page(filters, cursor=cursor, direction=direction)
        if page.rows:
            total = load_failure_statistics(services, services.user_email, filters).total
            draw_pager(page, total, "failure")
            draw_failure_table(page.rows)
        send_wanted_report(services)  # Last: what it draws is empty, and must not move the table.
