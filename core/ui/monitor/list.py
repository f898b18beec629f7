"""The list of batches: search, filter by status, pages; all of it in the link."""

from math import ceil

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchStatus
from core.domain.batches.monitor import BatchFilters, BatchPage
from core.services.monitor import BATCHES_OF_PAGE
from core.ui.shell.batch_table import draw_batch_table, draw_welcome
from core.ui.shell.formats import format_count
from core.ui.shell.links import open_generator
from core.ui.shell.page import draw_header
from core.ui.shell.session import report_errors

ACTIVE_SECONDS = 2
SEARCH, STATUSES, PAGE = "search", "status", "page"
"""Parameters of the link, and keys of the widgets that are bound to them."""


def draw_batch_list(services: PageServices) -> None:
    """Draw one page of the batches that match."""
    with draw_header("Batch Monitor"):
        st.space("stretch")
        generate = st.empty()
    chosen = st.empty()
    with chosen.container(horizontal=True, vertical_alignment="center", gap="small"):
        filters = _choose_filters()
    pager = st.container()  # A row of its own: beside the filters it would shrink to the number of the page alone.
    page = int(st.session_state.get(PAGE, 1) or 1)
    found = services.monitor.list_batches(filters, page=page)
    if found.total and not found.batches:  # The link asks for a page that is not there any more.
        page = 1
        found = services.monitor.list_batches(filters)
    if not found.total and filters == BatchFilters():
        chosen.empty()
        draw_welcome()
        return
    if generate.button("Generate conversations", type="primary", icon=":material/bolt:"):
        open_generator()
    if found.total > BATCHES_OF_PAGE:
        with pager:
            st.pagination(ceil(found.total / BATCHES_OF_PAGE), key=PAGE, bind="query-params")
    if not found.batches:
        _draw_nothing_found()
        return
    _draw_batches(services, filters, page, found)


def _draw_batches(services: PageServices, filters: BatchFilters, page: int, found: BatchPage) -> None:
    """Draw the page, refreshed while any batch on it is active."""
    is_active = _has_active(found)
    fresh = [found]  # The first drawing uses what this run has read; each refresh reads again.

    def draw() -> None:
        with report_errors():
            now = fresh.pop() if fresh else services.monitor.list_batches(filters, page=page)
            draw_batch_table(now.batches, "monitor_batches", "batches")
            st.caption(_describe_page(len(now.batches), now.total, page))
            if is_active and not _has_active(now):
                st.rerun()  # A full rerun ends the refreshing.

    st.fragment(draw, run_every=ACTIVE_SECONDS if is_active else None)()


def _has_active(page: BatchPage) -> bool:
    return any(batch.has_work_in_flight for batch in page.batches)


def _choose_filters() -> BatchFilters:
    text = st.text_input(
        "Search",
        key=SEARCH,
        type="search",
        placeholder="Name, model or id",
        label_visibility="collapsed",
        live="400ms",
        width=260,
        bind="query-params",
        on_change=_begin_at_first_page,
    )
    statuses = st.pills(
        "Status",
        [status.value for status in BatchStatus],  # The link holds what the pills show.
        selection_mode="multi",
        key=STATUSES,
        label_visibility="collapsed",
        bind="query-params",
        on_change=_begin_at_first_page,
    )
    return BatchFilters(text=(text or "").strip() or None, statuses=tuple(BatchStatus(status) for status in statuses))


def _begin_at_first_page() -> None:
    st.session_state[PAGE] = 1


def _draw_nothing_found() -> None:
    def clear() -> None:
        st.session_state[SEARCH], st.session_state[STATUSES] = "", []

    st.info("No batch matches.", icon=":material/search_off:")
    st.button("Clear filters", icon=":material/filter_alt_off:", on_click=clear)


def _describe_page(shown: int, total: int, page: int) -> str:
    if shown == total:
        return format_count(total, "batch", "batches")
    first = (page - 1) * BATCHES_OF_PAGE + 1
    return f"Batches {first:,} to {first + shown - 1:,} of {total:,}, newest first"
