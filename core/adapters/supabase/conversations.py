"""Conversations, read and reviewed with the analyst's rights."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from core.adapters.supabase.functions import call_function
from core.adapters.supabase.reading import dump_filters, keep_readable, read_page, read_record
from core.adapters.supabase.session import Analyst
from core.domain.datasets.records import (
    ANY_CONVERSATION,
    ConversationCounts,
    ConversationFilters,
    ExportedConversation,
    ListedConversation,
    ReviewStatus,
    StoredConversation,
)
from core.domain.paging import PAGE_SIZE, Direction, Page, RowCursor, RowPlace
from core.domain.record import Record
from core.errors import InvalidRequest, NotFound


class _ReviewOutcome(Record):
    reviewed: int | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class SupabaseConversationStore:
    """Implements ConversationStore over the database's functions."""

    analyst: Analyst

    def get(self, conversation_id: UUID) -> StoredConversation:
        answer = call_function(self.analyst.client, "describe_conversation", conversation_id=str(conversation_id))
        if answer is None:
            raise NotFound.of("conversation", conversation_id)
        return read_record(StoredConversation, answer, "conversation")

    def list_page(
        self,
        filters: ConversationFilters = ANY_CONVERSATION,
        *,
        page_size: int = PAGE_SIZE,
        cursor: RowCursor | None = None,
        direction: Direction = Direction.OLDER,
    ) -> Page[ListedConversation]:
        return read_page(
            self.analyst.client,
            "list_conversations",
            ListedConversation,
            "conversation",
            notes=self.analyst.unreadable,
            filters=filters,
            page_size=page_size,
            cursor=cursor,
            direction=direction,
        )

    def count(self, filters: ConversationFilters = ANY_CONVERSATION) -> ConversationCounts:
        answer = call_function(self.analyst.client, "count_conversations", filters=dump_filters(filters))
        return ConversationCounts.model_validate(answer)

    def find_place(self, conversation_id: UUID, filters: ConversationFilters = ANY_CONVERSATION) -> RowPlace:
        answer = call_function(
            self.analyst.client,
            "find_conversation_place",
            filters=dump_filters(filters),
            conversation_id=str(conversation_id),
        )
        return RowPlace.model_validate(answer)

    def review(self, conversation_ids: Sequence[UUID], status: ReviewStatus) -> int:
        ids = [str(conversation_id) for conversation_id in conversation_ids]
        answer = call_function(self.analyst.client, "review_conversations", conversation_ids=ids, new_status=status)
        outcome = _ReviewOutcome.model_validate(answer)
        if outcome.reviewed is None:
            raise InvalidRequest(outcome.reason or "The database refused the review.")
        return outcome.reviewed

    def list_for_export(
        self, filters: ConversationFilters, page_size: int, cursor: RowCursor | None
    ) -> tuple[ExportedConversation, ...]:
        while True:
            rows = call_function(
                self.analyst.client,
                "export_conversations",
                filters=dump_filters(filters),
                page_size=page_size,
                cursor_created_at=None if cursor is None else cursor.created_at.isoformat(),
                cursor_id=None if cursor is None else str(cursor.id),
            )
            readable = keep_readable(
                ExportedConversation,
                rows,
                "conversation to export",
                self.analyst.unreadable,
                goes_on=cursor is not None,
            )
            if readable or not rows:
                return readable
            cursor = RowCursor.model_validate(rows[-1])
