"""Conversations, read and reviewed with the analyst's rights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from core.adapters.supabase.functions import call_function, make_refusal
from core.adapters.supabase.reading import dump_filters, keep_readable, read_page, read_record
from core.adapters.supabase.session import Analyst
from core.domain.datasets.records import (
    ANY_CONVERSATION,
    ConversationCounts,
    ConversationFilters,
    ConversationPlace,
    ExportedConversation,
    ListedConversation,
    OpenedConversation,
    Reviewed,
    ReviewStatus,
    StoredConversation,
)
from core.domain.paging import PAGE_SIZE, Direction, Page, RowCursor
from core.domain.record import Record
from core.errors import InvalidRequest, NotFound


class _ChangeOutcome(Record):
    outcome: Literal["done", "changed", "not_found", "rejected"]
    reviewed: int = 0
    read: int = 0
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

    def find_place(
        self, conversation_id: UUID | None, filters: ConversationFilters = ANY_CONVERSATION, reader: UUID | None = None
    ) -> ConversationPlace:
        answer = call_function(
            self.analyst.client,
            "find_conversation_place",
            filters=dump_filters(filters),
            conversation_id=None if conversation_id is None else str(conversation_id),
            for_reader=None if reader is None else str(reader),
        )
        return ConversationPlace.model_validate(answer)

    def open(
        self, conversation_id: UUID, reader: UUID, filters: ConversationFilters = ANY_CONVERSATION
    ) -> OpenedConversation:
        answer = call_function(
            self.analyst.client,
            "read_conversation",
            target_conversation_id=str(conversation_id),
            new_reader=str(reader),
            filters=dump_filters(filters),
        )
        if answer is None:
            raise NotFound.of("conversation", conversation_id)
        # The conversation first: one that cannot be read is named in the message.
        conversation = read_record(StoredConversation, answer["conversation"], "conversation")
        return read_record(OpenedConversation, {**answer, "conversation": conversation}, "conversation")

    def review(self, conversation_ids: Sequence[UUID], status: ReviewStatus, reason: str | None = None) -> Reviewed:
        ids = [str(conversation_id) for conversation_id in conversation_ids]
        parameters = {"conversation_ids": ids, "new_status": status, "new_reason": reason}
        outcome = self._change("review_conversations", **parameters)
        return Reviewed(reviewed=outcome.reviewed, read=outcome.read)

    def note(self, conversation_id: UUID, text: str) -> bool:
        parameters = {"target_conversation_id": str(conversation_id), "new_note": text}
        return self._change("note_conversation", **parameters).outcome == "done"

    def edit(self, conversation_id: UUID, turn_place: int, content: str, revision: str) -> bool:
        parameters = {"target_conversation_id": str(conversation_id), "turn_place": turn_place, "new_content": content}
        outcome = self._change("edit_turn", **parameters, revision=revision)
        if outcome.outcome == "changed":
            raise InvalidRequest("This conversation has been edited since you opened it. Read it again before you edit it.")
        return outcome.outcome == "done"

    def _change(self, function: str, **parameters: object) -> _ChangeOutcome:
        outcome = _ChangeOutcome.model_validate(call_function(self.analyst.client, function, **parameters))
        if outcome.outcome == "rejected":
            raise make_refusal(outcome.reason)
        return outcome

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
