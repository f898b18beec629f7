"""Conversations as an analyst reads, reviews and exports them."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from core.domain.batches.result_options import ResultOptions
from core.domain.datasets.dataset_export import format_line
from core.domain.datasets.records import (
    ConversationCounts,
    ConversationFilters,
    ListedConversation,
    ReviewStatus,
    StoredConversation,
)
from core.domain.paging import Direction, Page, RowCursor, RowPlace, needs_first_page
from core.errors import NotFound
from core.ports import ConversationStore

PAGE_SIZE = 25
EXPORT_PAGE = 200
"""About 3 MB in memory at a time."""
ANY_CONVERSATION = ConversationFilters()


@dataclass(frozen=True, kw_only=True)
class ConversationService:
    """Gets, lists, counts, reviews and exports conversations."""

    store: ConversationStore

    def get(self, conversation_id: UUID) -> StoredConversation:
        """Return a conversation whole; raise NotFound."""
        found = self.store.describe(conversation_id)
        if found is None:
            raise NotFound.of("conversation", conversation_id)
        return found

    def list_page(
        self,
        filters: ConversationFilters = ANY_CONVERSATION,
        *,
        page_size: int = PAGE_SIZE,
        cursor: RowCursor | None = None,
        direction: Direction = Direction.OLDER,
    ) -> Page[ListedConversation]:
        """Return a page, newest first, on one side of a cursor; the first page where there is less than a page left."""
        page = self.store.list_page(filters, page_size, cursor, direction)
        return self.store.list_page(filters, page_size, None) if needs_first_page(page, page_size, direction) else page

    def count(self, filters: ConversationFilters = ANY_CONVERSATION) -> ConversationCounts:
        """Return counts over everything that matches, computed in the database."""
        return self.store.count(filters)

    def list_options(self) -> ResultOptions:
        """Return what conversations can be filtered by."""
        return self.store.list_options()

    def find_place(self, conversation_id: UUID, filters: ConversationFilters = ANY_CONVERSATION) -> RowPlace:
        """Return the neighbours of a conversation among the filtered ones."""
        return self.store.find_place(filters, conversation_id)

    def review(self, conversation_id: UUID, status: ReviewStatus) -> None:
        """Approve, reject, or set back to pending; raise NotFound."""
        if not self.store.review([conversation_id], status):
            raise NotFound.of("conversation", conversation_id)

    def export(self, filters: ConversationFilters = ANY_CONVERSATION, *, page_size: int = EXPORT_PAGE) -> Iterator[bytes]:
        """Yield a line of JSON for each conversation that matches, oldest first, read page by page."""
        cursor: RowCursor | None = None
        while rows := self.store.list_for_export(filters, page_size, cursor):
            for row in rows:
                yield format_line(row)
            cursor = RowCursor(created_at=rows[-1].created_at, id=rows[-1].id)
