"""Around the table of failed generations: charts, a retry, empty states."""

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchId
from core.domain.batches.results import FailureFilters, FailureStatistics
from core.domain.diagnosis.plain_names import name_failure_type, name_pattern, name_stop_reason
from core.errors import NotFound
from core.ui.charts.facet_chart import draw_facet
from core.ui.charts.figures import REPLY_COLOR
from core.ui.shell.failure_filters import PATTERN, STOP_REASON, TYPE
from core.ui.shell.formats import format_count
from core.ui.shell.links import open_retry

STATISTICS_SECONDS = 5


def load_failure_statistics(services: PageServices, user: str, filters: FailureFilters) -> FailureStatistics:
    """Return the counts for some filters, a few seconds old at most: opening a report does not count again."""
    return _count(services, user, filters.model_dump_json(), filters)


@st.cache_resource(scope="session", ttl=STATISTICS_SECONDS, max_entries=20, show_spinner=False)
def _count(
    _services: PageServices,
    user: str,  # noqa: ARG001 - with `asked` the cache's key
    asked: str,  # noqa: ARG001 - likewise
    _filters: FailureFilters,
) -> FailureStatistics:
    return _services.failures.count(_filters)


def draw_failure_charts(statistics: FailureStatistics) -> None:
    """Draw three charts whose bars are filters; each shows its counts under the other filters."""
    with st.grid(3, min_column_width=270, gap="small"):
        draw_facet("By type", TYPE, statistics.by_type, name_failure_type)
        draw_facet("By stop reason", STOP_REASON, statistics.by_stop_reason, name_stop_reason, color=REPLY_COLOR)
        draw_facet("By pattern", PATTERN, statistics.by_pattern, name_pattern)


def draw_retry(services: PageServices, filters: FailureFilters) -> None:
    """Draw the way to retry what is shown, where that is all that failed of one batch that was made here."""
    if filters.batch_id is None or filters != FailureFilters(batch_id=filters.batch_id):
        return
    batch_id = BatchId(filters.batch_id)
    try:
        watched = services.monitor.watch(batch_id)
    except NotFound:  # The page says that nothing fits.
        return
    if not watched.progress.status.is_final or watched.progress.imported or not watched.to_retry:
        return
    items = format_count(watched.to_retry, "failed item")
    hint = f"A new batch of the {items} that no retry has yet, with other settings if you like"
    if st.button("Retry these", icon=":material/replay:", help=hint):
        open_retry(batch_id)


def draw_no_failures(*, filtered: bool) -> None:
    """Say that there is nothing, and what to do."""
    if filtered:
        st.info("No failed generation fits these filters. Remove a filter, or clear them all.", icon=":material/filter_alt:")
    else:
        st.success(
            "Nothing has failed. When a reply is cut off, malformed or refused, it is kept here with its diagnosis.",
            icon=":material/check_circle:",
        )
