"""The list of conversations: filters, counts by review, download, table."""

import tempfile
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.dataset_export import make_file_name
from core.domain.datasets.records import ConversationCounts, ConversationFilters, ListedConversation, ReviewStatus
from core.domain.paging import Page
from core.errors import NotFound
from core.services.conversations import export_conversations
from core.ui.conversations.bulk_review import draw_bulk_review
from core.ui.conversations.filters import NAMES, draw_conversation_filters, read_conversation_filters
from core.ui.shell.cached_reads import load_result_options
from core.ui.shell.formats import escape_markdown, format_count, format_words
from core.ui.shell.link_state import change_link, follow_link, read_cursor
from core.ui.shell.links import CONVERSATION, DATASET, SAMPLE, SEED, open_dataset, open_generator
from core.ui.shell.page import draw_header
from core.ui.shell.pager import draw_pager
from core.ui.shell.session import report_errors
from core.ui.shell.status import TIER_COLORS, BadgeColor, name_tier
from core.ui.shell.tables import RowButton, age_column, draw_table, mark_simulated, simulated_column

READ = ":material/chat: Read"
SPOOLED_BYTES = 8_000_000
REVIEW_COLORS: dict[ReviewStatus, BadgeColor] = {
    ReviewStatus.PENDING_REVIEW: "gray",
    ReviewStatus.APPROVED: "green",
    ReviewStatus.REJECTED: "red",
}


def draw_conversation_list(services: PageServices) -> None:
    """Draw the list that the link asks for."""
    filters = read_conversation_filters()
    counts = services.conversations.count(filters)
    with draw_header("Conversations"):
        st.space("stretch")
        _draw_download(services, filters, counts)
    _draw_scope(services, filters)
    draw_conversation_filters(load_result_options(services, services.user_email))
    if not counts.total:
        _draw_nothing(filtered=any(st.query_params.get(name) for name in NAMES))
        return
    _draw_page(services, filters, counts.total, st.query_params.get(CONVERSATION))
    st.caption(_describe_reviews(counts))
    draw_bulk_review(services, filters, counts)


def _draw_scope(services: PageServices, filters: ConversationFilters) -> None:
    """Say which data set or sample the conversations are of, with the way out of it."""
    if filters.dataset_id is None and filters.sample_size is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if filters.sample_size is not None:
            st.caption(f"A random sample of {filters.sample_size:,}", width="content")
            _draw_way_out("No sample", {SAMPLE: None, SEED: None}, key="no_sample")
        if filters.dataset_id is not None:
            _draw_dataset(services, filters.dataset_id)


def _draw_way_out(label: str, changes: dict[str, None], *, key: str) -> None:
    st.button(label, icon=":material/close:", type="tertiary", key=key, on_click=change_link, args=(changes,))


def _draw_dataset(services: PageServices, dataset_id: UUID) -> None:
    try:
        name = services.datasets.find(dataset_id).name
    except NotFound:
        name = "a data set that is deleted"
    st.caption("Of the data set", width="content")
    if st.button(escape_markdown(name), icon=":material/dataset:", type="tertiary", key="dataset"):
        open_dataset(dataset_id)
    _draw_way_out("Any data set", {DATASET: None}, key="any_dataset")


@st.fragment
def _draw_page(services: PageServices, filters: ConversationFilters, total: int, missing: str | None) -> None:
    """A fragment: turning a page does not redraw the rest. `missing` is the id of the link that does not exist."""
    with report_errors():
        follow_link(CONVERSATION, missing)
        cursor, direction = read_cursor()
        page = services.conversations.list_page(filters, cursor=cursor, direction=direction)
        draw_pager(page, total, "conversation")
        _draw_table(page)


def write_export(services: PageServices, filters: ConversationFilters) -> Any:  # noqa: ANN401 - a file, as Streamlit reads it
    """Write the filtered conversations into a temporary file, page by page, and return it from its beginning."""
    file = tempfile.SpooledTemporaryFile(max_size=SPOOLED_BYTES)  # noqa: SIM115 - Streamlit reads it after this
    for line in export_conversations(services.conversations, filters):
        file.write(line)
    file.seek(0)
    return file


def _draw_download(services: PageServices, filters: ConversationFilters, counts: ConversationCounts) -> None:
    """Draw the download of the approved ones first, unless a review status is chosen."""
    help_text = "As chat messages, one JSON object per line. A data set freezes versions, splits and converts them."
    with st.popover("Download", icon=":material/download:", help=help_text):
        status = "" if filters.review_status is None else f"{format_words(filters.review_status).lower()} "
        if filters.review_status is None:
            approved = filters.model_copy(update={"review_status": ReviewStatus.APPROVED})
            number = counts.by_review_status.get(ReviewStatus.APPROVED, 0)
            _draw_download_button(services, approved, number, "approved conversation", key="export_approved")
        _draw_download_button(services, filters, counts.total, f"{status}conversation", key="export")


def _draw_download_button(services: PageServices, filters: ConversationFilters, number: int, noun: str, *, key: str) -> None:
    st.download_button(
        f"Download {format_count(number, noun)}",
        lambda: write_export(services, filters).read(),
        file_name=make_file_name(datetime.now(UTC)),
        mime="application/jsonl",
        icon=":material/download:",
        type="primary" if key == "export_approved" else "secondary",
        width="stretch",
        on_click="ignore",
        disabled=not number,
        key=key,
    )


def _draw_nothing(*, filtered: bool) -> None:
    if filtered:
        st.info("No conversation fits these filters. Remove a filter, or clear them all.", icon=":material/filter_alt:")
        return
    st.info("There are no conversations yet. Accepted ones appear here.", icon=":material/forum:")
    if st.button("Generate conversations", type="primary", icon=":material/bolt:"):
        open_generator()


def _draw_table(page: Page[ListedConversation]) -> None:
    def read(row: int) -> None:
        change_link({CONVERSATION: str(page.rows[row].id)}, keep_page=True)

    draw_table(
        [_make_row(row) for row in page.rows],
        _configure_columns(),
        key="conversation_table",
        alt=f"{format_count(len(page.rows), 'conversation')}, newest first",
        file_name="conversations",
        buttons={"read": RowButton(read, width=75)},
    )


def _make_row(row: ListedConversation) -> dict[str, Any]:
    return {
        "name": row.name,
        "tier": [name_tier(row.tier)],
        "turns": row.turn_count,
        "journey": f"{row.starting_emotion} → {row.ending_emotion}" if row.starting_emotion and row.ending_emotion else None,
        "quality": row.quality_score,
        "review": [format_words(row.review_status)],
        "batch": row.batch_name,
        "data": mark_simulated(simulated=row.simulated),
        "created": row.created_at,
        "read": READ,
    }


def _configure_columns() -> dict[str, Any]:
    column = st.column_config
    reviews, tiers = [format_words(status) for status in REVIEW_COLORS], [name_tier(tier) for tier in TIER_COLORS]
    return {
        "name": column.TextColumn("Conversation", width=325),
        "tier": column.MultiselectColumn("Tier", options=tiers, color=list(TIER_COLORS.values()), width=90),
        "turns": column.NumberColumn("Turns", width=55),
        "journey": column.TextColumn("Emotions", width=165),
        "quality": column.NumberColumn("Quality", format="%.1f", width=65),
        "review": column.MultiselectColumn("Review", options=reviews, color=list(REVIEW_COLORS.values()), width=115),
        "batch": column.TextColumn("Batch", width=115),
        "data": simulated_column(),
        "created": age_column("Accepted"),
    }


def _describe_reviews(counts: ConversationCounts) -> str:
    parts = [f"{number:,} {format_words(status).lower()}" for status, number in counts.by_review_status.items()]
    return "With these filters: " + ", ".join(sorted(parts))
