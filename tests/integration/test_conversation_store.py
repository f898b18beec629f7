"""Conversations as the database keeps them, and who may see and change them."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.config import Settings
from core.domain.batches.batch import BatchId
from core.domain.datasets.records import ConversationFilters, ReviewStatus
from core.domain.paging import Direction
from core.domain.scaffolding.records import ConversationCategory, Tier
from core.errors import InvalidRequest, NotFound
from core.ports.results import ConversationStore
from core.services.conversations import export_conversations
from core.services.reviews import edit_turn, note_conversation, restore_reviews, review_all, review_conversation
from tests.factories import make_selection
from tests.support.results import accept
from tests.support.stores import Stores, lease, open_stores, record, submit


@dataclass(frozen=True, kw_only=True)
class Owner:
    """An analyst with a way to have conversations made."""

    stores: Stores

    @property
    def conversations(self) -> ConversationStore:
        return self.stores.conversations

    def make(self, topics: int, name: str = "A batch") -> BatchId:
        """Have a batch of so many conversations accepted, one after the other."""
        batch_id = submit(self.stores, make_selection(1, 1, topics), name=name, concurrency=topics)
        for item in lease(self.stores, batch_id, topics):
            record(self.stores, accept(item))
        return batch_id


@pytest.fixture
def owner(stores: Stores) -> Owner:
    return Owner(stores=stores)


@pytest.fixture
def stranger(seeded: Settings) -> Iterator[Owner]:
    with open_stores(seeded) as opened:
        yield Owner(stores=opened)


def list_ids(owner: Owner) -> list[UUID]:
    return [row.id for row in owner.conversations.list_page(page_size=100).rows]


def test_pages_lead_to_older_and_back_to_newer_rows(owner: Owner) -> None:
    owner.make(5)
    everything = list_ids(owner)

    first = owner.conversations.list_page(page_size=2)
    second = owner.conversations.list_page(page_size=2, cursor=first.next_cursor)
    third = owner.conversations.list_page(page_size=2, cursor=second.next_cursor)
    back = owner.conversations.list_page(page_size=2, cursor=third.previous_cursor, direction=Direction.NEWER)

    assert everything == [row.id for page in (first, second, third) for row in page.rows]
    assert [0, 2, 4] == [page.newer for page in (first, second, third)]
    assert (None, None) == (first.previous_cursor, third.next_cursor)
    assert second == back


def test_less_than_a_page_of_newer_rows_shows_the_first_page(owner: Owner) -> None:
    owner.make(4)
    first = owner.conversations.list_page(page_size=3)

    back = owner.conversations.list_page(page_size=3, cursor=first.next_cursor, direction=Direction.NEWER)

    assert first == back


def test_conversations_are_filtered_and_counted_alike(owner: Owner) -> None:
    batch_id = owner.make(3)
    owner.make(1)
    selection = make_selection(1, 1, 3)
    review_conversation(owner.conversations, list_ids(owner)[0], ReviewStatus.APPROVED)
    expected = {
        ConversationFilters(): 4,
        ConversationFilters(batch_id=batch_id): 3,
        ConversationFilters(persona_id=selection.persona_ids[0]): 4,
        ConversationFilters(emotional_arc_id=uuid4()): 0,
        ConversationFilters(training_topic_id=selection.topic_ids[0]): 2,
        ConversationFilters(category=ConversationCategory.CORE): 4,
        ConversationFilters(category=ConversationCategory.EDGE): 0,
        ConversationFilters(tier=Tier.EDGE_CASE): 0,
        ConversationFilters(model="claude-sonnet-5-5"): 4,
        ConversationFilters(model="another"): 0,
        ConversationFilters(review_status=ReviewStatus.APPROVED): 1,
        ConversationFilters(review_status=ReviewStatus.PENDING_REVIEW): 3,
        ConversationFilters(minimum_quality=5): 0,
        ConversationFilters(text="STATEMENT balan"): 4,
        ConversationFilters(text="atement"): 0,
        ConversationFilters(text="\\ '"): 0,
    }

    assert expected == {filters: len(owner.conversations.list_page(filters).rows) for filters in expected}
    assert expected == {filters: owner.conversations.count(filters).total for filters in expected}


def test_counts_by_review_leave_that_filter_out(owner: Owner) -> None:
    owner.make(3)
    review_conversation(owner.conversations, list_ids(owner)[0], ReviewStatus.REJECTED)

    counts = owner.conversations.count(ConversationFilters(review_status=ReviewStatus.REJECTED))

    assert (1, {ReviewStatus.REJECTED: 1, ReviewStatus.PENDING_REVIEW: 2}) == (counts.total, counts.by_review_status)


def test_a_conversation_is_described_with_its_origin(owner: Owner) -> None:
    batch_id = owner.make(1, "Named")

    found = owner.conversations.get(list_ids(owner)[0])

    assert (batch_id, "Named", True) == (found.batch_id, found.batch_name, found.simulated)
    assert [1, 2, 3, 4] == [turn.turn_number for turn in found.turns]
    assert found.persona is not None
    assert found.template is not None
    assert found.template.user_prompt
    with pytest.raises(NotFound):
        owner.conversations.get(uuid4())


def test_neighbours_are_those_under_the_filters(owner: Owner) -> None:
    batch_id = owner.make(3)
    newest, middle, oldest = list_ids(owner)
    owner.make(1)

    place = owner.conversations.find_place(middle, ConversationFilters(batch_id=batch_id))

    assert (newest, oldest, 1, 3) == (place.newer_id, place.older_id, place.newer, place.total)
    alone = owner.conversations.find_place(middle, ConversationFilters(model="another"))
    assert (None, None, 0, 0) == (alone.newer_id, alone.older_id, alone.newer, alone.total)


def test_a_review_can_be_changed_and_taken_back(owner: Owner) -> None:
    owner.make(1)
    (conversation_id,) = list_ids(owner)

    for status in (ReviewStatus.APPROVED, ReviewStatus.REJECTED, ReviewStatus.PENDING_REVIEW):
        review_conversation(owner.conversations, conversation_id, status)
        assert status is owner.conversations.get(conversation_id).review_status
    with pytest.raises(NotFound):
        review_conversation(owner.conversations, uuid4(), ReviewStatus.APPROVED)


def test_a_rejection_has_a_reason_until_it_is_taken_back(owner: Owner) -> None:
    owner.make(1)
    (conversation_id,) = list_ids(owner)

    review_conversation(owner.conversations, conversation_id, ReviewStatus.REJECTED, "Off topic")
    assert "Off topic" == owner.conversations.get(conversation_id).review_reason
    review_conversation(owner.conversations, conversation_id, ReviewStatus.PENDING_REVIEW)
    assert None is owner.conversations.get(conversation_id).review_reason
    with pytest.raises(InvalidRequest, match="only what is rejected"):
        review_conversation(owner.conversations, conversation_id, ReviewStatus.APPROVED, "Good")


def test_all_that_a_filter_shows_is_reviewed_and_restored(owner: Owner) -> None:
    batch_id = owner.make(3)
    owner.make(1)
    reviewed = review_all(owner.conversations, ConversationFilters(batch_id=batch_id), ReviewStatus.APPROVED)

    assert (3, 0) == (len(reviewed.before), reviewed.read)
    assert 3 == owner.conversations.count(ConversationFilters(review_status=ReviewStatus.APPROVED)).total
    assert () == review_all(owner.conversations, ConversationFilters(batch_id=batch_id), ReviewStatus.APPROVED).before
    restore_reviews(owner.conversations, reviewed.before)
    assert 4 == owner.conversations.count(ConversationFilters(review_status=ReviewStatus.PENDING_REVIEW)).total


def test_two_reviewers_are_not_led_to_the_same_conversation(owner: Owner) -> None:
    owner.make(3)
    newest, middle, oldest = list_ids(owner)
    first_reader, second_reader = uuid4(), uuid4()
    waiting = ConversationFilters(review_status=ReviewStatus.PENDING_REVIEW)

    assert newest == owner.conversations.find_place(None, waiting, first_reader).older_id
    assert not owner.conversations.open(newest, first_reader).is_held
    assert middle == owner.conversations.find_place(None, waiting, second_reader).older_id
    assert not owner.conversations.open(middle, second_reader).is_held
    assert oldest == owner.conversations.find_place(newest, waiting, first_reader).older_id
    assert owner.conversations.open(middle, first_reader).is_held  # The second one has it open.
    assert middle == owner.conversations.find_place(newest, ConversationFilters(), first_reader).older_id


def test_opening_a_conversation_tells_its_place_and_how_far_the_review_is(owner: Owner) -> None:
    owner.make(3)
    newest, middle, oldest = list_ids(owner)
    review_conversation(owner.conversations, newest, ReviewStatus.APPROVED)
    waiting = ConversationFilters(review_status=ReviewStatus.PENDING_REVIEW)

    opened = owner.conversations.open(middle, uuid4(), waiting)

    assert opened.conversation == owner.conversations.get(middle)
    assert (None, oldest, 0, 2) == (opened.place.newer_id, opened.place.older_id, opened.place.newer, opened.place.total)
    assert {ReviewStatus.PENDING_REVIEW: 2, ReviewStatus.APPROVED: 1} == opened.place.by_review_status
    unfiltered = owner.conversations.open(middle, uuid4()).place
    assert (newest, 1, 3) == (unfiltered.newer_id, unfiltered.newer, unfiltered.total)


def test_bulk_review_tells_how_many_were_read(owner: Owner) -> None:
    owner.make(2)
    owner.conversations.open(list_ids(owner)[0], uuid4())

    assert 1 == review_all(owner.conversations, ConversationFilters(), ReviewStatus.APPROVED).read


def test_a_note_is_kept_and_taken_away(owner: Owner) -> None:
    owner.make(1)
    (conversation_id,) = list_ids(owner)

    note_conversation(owner.conversations, conversation_id, " Ask Ann about turn 2. ")
    assert "Ask Ann about turn 2." == owner.conversations.get(conversation_id).review_note
    note_conversation(owner.conversations, conversation_id, " ")
    assert None is owner.conversations.get(conversation_id).review_note
    with pytest.raises(NotFound):
        note_conversation(owner.conversations, uuid4(), "Nowhere")
    with pytest.raises(InvalidRequest, match="5,000"):
        note_conversation(owner.conversations, conversation_id, "x" * 5_001)


def test_an_edited_turn_keeps_what_it_said_before(owner: Owner) -> None:
    owner.make(1)
    (conversation_id,) = list_ids(owner)
    before = owner.conversations.get(conversation_id)

    edit_turn(owner.conversations, before, 1, "Let us look at your statement, page by page.")

    after = owner.conversations.get(conversation_id)
    assert "Let us look at your statement, page by page." == after.turns[1].content
    assert before.turns[0] == after.turns[0]
    assert [(1, before.turns[1].content)] == [(edit.turn_place, edit.content_before) for edit in after.edits]
    with pytest.raises(InvalidRequest, match="edited since"):
        edit_turn(owner.conversations, before, 1, "Another text.")


@pytest.mark.parametrize("text", ["Let us look at your", "Let us look at {{ page }}.", " "])
def test_an_edit_that_cuts_or_damages_a_turn_is_refused(owner: Owner, text: str) -> None:
    owner.make(1)
    before = owner.conversations.get(list_ids(owner)[0])

    with pytest.raises(InvalidRequest):
        edit_turn(owner.conversations, before, 1, text)
    assert before == owner.conversations.get(before.id)


def test_an_export_holds_each_conversation_once_oldest_first_over_page_ends(owner: Owner) -> None:
    owner.make(5)

    records = [json.loads(line) for line in export_conversations(owner.conversations, page_size=2)]

    assert [str(conversation_id) for conversation_id in reversed(list_ids(owner))] == [r["metadata"]["id"] for r in records]
    assert {"user", "assistant"} == {message["role"] for message in records[0]["messages"]}
    assert {"core"} == {record["metadata"]["category"] for record in records}
    assert all(record["metadata"]["simulated"] is True for record in records)
    assert all(records[0]["metadata"][name] for name in ("persona", "arc", "topic", "template", "batch_name", "model"))


def test_options_name_scaffolding_and_batches(owner: Owner) -> None:
    batch_id = owner.make(1, "Named")

    options = owner.stores.failures.list_options()

    assert [(batch_id, "Named")] == [(option.id, option.name) for option in options.batches]
    assert options.models == ("claude-sonnet-5-5",)
    assert len(options.personas) >= 3  # The database is shared: others may have added some.


def test_a_stranger_sees_and_changes_nothing(owner: Owner, stranger: Owner) -> None:
    batch_id = owner.make(1)
    (conversation_id,) = list_ids(owner)
    mine, theirs = owner.stores.analyst.client, stranger.stores.analyst.client

    assert [] == list_ids(stranger)
    assert 0 == stranger.conversations.count(ConversationFilters(batch_id=batch_id)).total
    assert () == stranger.conversations.list_page(ConversationFilters(text="statement")).rows
    assert [] == list(export_conversations(stranger.conversations))
    assert () == stranger.stores.failures.list_options().batches
    assert None is stranger.conversations.find_place(conversation_id).older_id
    assert [] == theirs.rpc("find_conversations_by_words", {"search": "statement"}).execute().data
    with pytest.raises(NotFound):
        stranger.conversations.get(conversation_id)
    with pytest.raises(NotFound):
        stranger.conversations.open(conversation_id, uuid4())
    with pytest.raises(NotFound):
        review_conversation(stranger.conversations, conversation_id, ReviewStatus.REJECTED)
    assert ReviewStatus.PENDING_REVIEW is owner.conversations.get(conversation_id).review_status
    with pytest.raises(Exception, match="permission denied"):
        mine.table("conversations").update({"review_status": "approved"}).eq("id", str(conversation_id)).execute()


def test_the_exported_file_is_read_by_scan_with_its_ids(owner: Owner, tmp_path: Path) -> None:
    owner.make(2)
    cut = io.BytesIO(b"".join(export_conversations(owner.conversations))).getvalue().replace(b"on page two.", b"on page")
    (tmp_path / "conversations.jsonl").write_bytes(cut)

    scanned = CliRunner().invoke(app, ["scan", "--json", str(tmp_path / "conversations.jsonl")])

    flagged = [json.loads(line) for line in scanned.stdout.splitlines()]
    assert {str(conversation_id) for conversation_id in list_ids(owner)} == {
        line["conversation"] for line in flagged if "conversation" in line
    }
