"""Reviews of one and of many: what is sent, what can be taken back, which edits are refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import pytest

from core.domain.datasets.records import (
    ConversationFilters,
    ListedConversation,
    Reviewed,
    ReviewStatus,
    StoredConversation,
)
from core.domain.paging import Page, RowCursor
from core.errors import InvalidRequest, NotFound
from core.ports.results import ConversationStore
from core.services.reviews import edit_turn, note_conversation, restore_reviews, review_all, review_conversation
from tests.support.datasets import make_turns

APPROVED, REJECTED, PENDING = ReviewStatus.APPROVED, ReviewStatus.REJECTED, ReviewStatus.PENDING_REVIEW
MOMENT = datetime(2026, 11, 28, tzinfo=UTC)


@dataclass
class ScriptedConversations:
    """Answers with pages as scripted, and notes what is asked for; knows the conversations with these numbers."""

    pages: list[list[tuple[int, ReviewStatus]]] = field(default_factory=list[list[tuple[int, ReviewStatus]]])
    known: frozenset[int] = frozenset()
    said: list[tuple[Any, ...]] = field(default_factory=list[tuple[Any, ...]])

    def list_page(self, filters: ConversationFilters, *, page_size: int, cursor: RowCursor | None) -> Page[Any]:
        rows = tuple(
            ListedConversation.model_construct(id=UUID(int=number), review_status=status)
            for number, status in self.pages.pop(0)
        )
        return Page[Any].model_construct(
            rows=rows, next_cursor=RowCursor(created_at=MOMENT, id=UUID(int=0)) if self.pages else None
        )

    def review(self, ids: Sequence[UUID], status: ReviewStatus, reason: str | None = None) -> Reviewed:
        self.said.append((tuple(each.int for each in ids), status, reason))
        return Reviewed(reviewed=sum(each.int in self.known for each in ids), read=1)

    def note(self, conversation_id: UUID, text: str) -> bool:
        self.said.append((conversation_id.int, text))
        return conversation_id.int in self.known

    def edit(self, conversation_id: UUID, turn_place: int, content: str, revision: str) -> bool:
        self.said.append((conversation_id.int, turn_place, content, revision))
        return conversation_id.int in self.known


def store(scripted: ScriptedConversations) -> ConversationStore:
    return cast("ConversationStore", scripted)


def make_stored(number: int) -> StoredConversation:
    return StoredConversation.model_construct(id=UUID(int=number), turns=make_turns(), revision="r")


def test_all_pages_are_reviewed_but_what_has_the_status_already() -> None:
    scripted = ScriptedConversations(pages=[[(1, PENDING), (2, APPROVED)], [(3, REJECTED)], [(4, APPROVED)]])

    done = review_all(store(scripted), ConversationFilters(), APPROVED)

    assert [((1,), APPROVED, None), ((3,), APPROVED, None)] == scripted.said
    assert ((UUID(int=1), PENDING), (UUID(int=3), REJECTED)) == done.before
    assert 2 == done.read


def test_reviews_are_taken_back_to_what_each_was() -> None:
    scripted = ScriptedConversations()

    restore_reviews(store(scripted), [(UUID(int=1), PENDING), (UUID(int=2), REJECTED), (UUID(int=3), PENDING)])

    assert [((1, 3), PENDING, None), ((2,), REJECTED, None)] == scripted.said


def test_what_is_not_there_is_said() -> None:
    scripted = ScriptedConversations(known=frozenset({1}))
    review_conversation(store(scripted), UUID(int=1), REJECTED, "Off topic")
    note_conversation(store(scripted), UUID(int=1), " Read twice. ")
    edit_turn(store(scripted), make_stored(1), 2, "What comes first, and why?")

    assert [
        ((1,), REJECTED, "Off topic"),
        (1, "Read twice."),
        (1, 2, "What comes first, and why?", "r"),
    ] == scripted.said
    with pytest.raises(NotFound):
        review_conversation(store(scripted), UUID(int=2), APPROVED)
    with pytest.raises(NotFound):
        note_conversation(store(scripted), UUID(int=2), "")
    with pytest.raises(NotFound):
        edit_turn(store(scripted), make_stored(2), 2, "What comes first, and why?")


@pytest.mark.parametrize("content", ["First the rate, because", "First {{ rate }}.", ""])
def test_an_edit_that_would_not_pass_the_verdict_is_not_sent(content: str) -> None:
    scripted = ScriptedConversations(known=frozenset({1}))

    with pytest.raises(InvalidRequest, match="would not pass the verdict"):
        edit_turn(store(scripted), make_stored(1), 3, content)
    assert [] == scripted.said
