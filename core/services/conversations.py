"""Conversations as a file of chat messages."""

from collections.abc import Iterator

from core.domain.datasets.dataset_export import format_line
from core.domain.datasets.records import ANY_CONVERSATION, ConversationFilters
from core.domain.paging import RowCursor
from core.ports.results import ConversationStore

EXPORT_PAGE = 200
"""About 3 MB in memory at a time."""


def export_conversations(
    conversations: ConversationStore, filters: ConversationFilters = ANY_CONVERSATION, *, page_size: int = EXPORT_PAGE
) -> Iterator[bytes]:
    """Yield a line of JSON for each conversation that matches, oldest first, read page by page."""
    cursor: RowCursor | None = None
    while rows := conversations.list_for_export(filters, page_size, cursor):
        for row in rows:
            yield format_line(row)
        cursor = RowCursor(created_at=rows[-1].created_at, id=rows[-1].id)
