"""Reviews: one or many conversations approved, rejected or set back; notes; edits."""

from collections.abc import Sequence
from uuid import UUID

from core.domain.datasets.freezing import find_problem
from core.domain.datasets.records import ConversationFilters, ReviewStatus, StoredConversation
from core.domain.paging import RowCursor
from core.domain.record import Record
from core.errors import InvalidRequest, NotFound
from core.ports.results import ConversationStore

PAGE_OF_REVIEWS = 200


class ReviewedTogether(Record):
    """What a review of many changed: each with the status it had, and how many of them somebody had opened."""

    before: tuple[tuple[UUID, ReviewStatus], ...]
    read: int


class ApprovedTogether(ReviewedTogether):
    """What the approval of all that pass changed; `refused` wait on, since the verdict does not accept them any more."""

    refused: int


def review_conversation(
    conversations: ConversationStore, conversation_id: UUID, status: ReviewStatus, reason: str | None = None
) -> None:
    """Approve, reject (for a reason, if one is given), or set back to pending; raise NotFound."""
    if not conversations.review([conversation_id], status, reason).reviewed:
        raise NotFound.of("conversation", conversation_id)


def review_all(
    conversations: ConversationStore, filters: ConversationFilters, status: ReviewStatus, reason: str | None = None
) -> ReviewedTogether:
    """Review all that match and have another status."""
    changed: list[tuple[UUID, ReviewStatus]] = []
    read = 0
    cursor: RowCursor | None = None
    while True:
        page = conversations.list_page(filters, page_size=PAGE_OF_REVIEWS, cursor=cursor)
        others = [(row.id, row.review_status) for row in page.rows if row.review_status is not status]
        if others:
            read += conversations.review([each for each, _ in others], status, reason).read
        changed += others
        cursor = page.next_cursor
        if cursor is None:
            return ReviewedTogether(before=tuple(changed), read=read)


def restore_reviews(conversations: ConversationStore, before: Sequence[tuple[UUID, ReviewStatus]]) -> None:
    """Set conversations back to the status that they had."""
    for status in ReviewStatus:
        ids = [conversation_id for conversation_id, former in before if former is status]
        for start in range(0, len(ids), PAGE_OF_REVIEWS):
            conversations.review(ids[start : start + PAGE_OF_REVIEWS], status)


def note_conversation(conversations: ConversationStore, conversation_id: UUID, text: str) -> None:
    """Keep a note about a conversation, none for an empty text; raise NotFound."""
    if not conversations.note(conversation_id, text.strip()):
        raise NotFound.of("conversation", conversation_id)


def edit_turn(conversations: ConversationStore, conversation: StoredConversation, turn_place: int, content: str) -> None:
    """Replace what a turn says; raise InvalidRequest where the conversation would not pass the verdict any more."""
    turn = conversation.turns[turn_place].model_copy(update={"content": content})
    turns = (*conversation.turns[:turn_place], turn, *conversation.turns[turn_place + 1 :])
    if problem := find_problem(turns):
        raise InvalidRequest(f"This edit is refused, since the conversation would not pass the verdict: {problem}.")
    if not conversations.edit(conversation.id, turn_place, content, conversation.revision):
        raise NotFound.of("conversation", conversation.id)
