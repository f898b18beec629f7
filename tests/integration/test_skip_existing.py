"""Leaving out what exists: the count, the batch and the limit agree."""

from uuid import UUID

import pytest

from core.domain.batches.batch import BatchId, SkipExisting
from core.domain.datasets.records import ConversationFilters
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan
from core.errors import InvalidRequest
from tests.factories import make_selection
from tests.support import results
from tests.support.stores import Stores, lease, list_batches, record, submit


def accept(stores: Stores, batch_id: BatchId, *, simulated: bool = True) -> list[tuple[UUID, UUID, UUID]]:
    """Accept what is leased at once; return the combinations."""
    items = lease(stores, batch_id)
    record(stores, *(results.accept(item, simulated=simulated) for item in items))
    return [(item.persona_id, item.emotional_arc_id, item.training_topic_id) for item in items]


def test_nothing_exists_in_the_beginning(stores: Stores) -> None:
    assert stores.batches.count_existing(make_selection(3, 5, 6), SkipExisting.ANY) == 0


def test_combinations_with_a_conversation_are_counted_and_left_out(stores: Stores) -> None:
    done = accept(stores, submit(stores, make_selection(1, 1, 2)))
    wanted = make_selection(2, 1, 3)

    assert stores.batches.count_existing(wanted, SkipExisting.ANY) == len(done) == 2
    batch_id = submit(stores, wanted.model_copy(update={"skip_existing": SkipExisting.ANY}))

    again = accept(stores, batch_id)
    assert len(again) == 4
    assert not set(again) & set(done)
    progress = stores.batches.get(batch_id)
    assert progress is not None
    assert progress.planned == 4


def test_simulated_conversations_do_not_count_where_claude_is_real(stores: Stores) -> None:
    selection = make_selection(1, 1, 2)
    accept(stores, submit(stores, selection), simulated=True)

    assert stores.batches.count_existing(selection, SkipExisting.REAL) == 0
    assert stores.batches.count_existing(selection, SkipExisting.ANY) == 2


def test_what_claude_wrote_counts_either_way(stores: Stores) -> None:
    selection = make_selection(1, 1, 1)
    accept(stores, submit(stores, selection), simulated=False)

    assert [stores.batches.count_existing(selection, skip) for skip in SkipExisting] == [1, 1]


def test_what_is_there_counts_toward_the_limit(stores: Stores) -> None:
    selection = make_selection(1, 1, 4)
    accept(stores, submit(stores, selection, picks=[3]))

    limited = selection.model_copy(update={"skip_existing": SkipExisting.ANY, "limit": 3})
    combinations = accept(stores, submit(stores, limited, picks=[3, 2, 1, 0]))

    assert [topic for _, _, topic in combinations] == [selection.topic_ids[2], selection.topic_ids[1]]
    with pytest.raises(InvalidRequest, match="so a limit of 3 leaves nothing"):
        submit(stores, limited)


def test_what_a_comparison_made_does_not_cover_a_combination_and_is_in_no_list_unless_asked_for(stores: Stores) -> None:
    selection = make_selection(1, 1, 2)
    base = submit(stores, selection)
    record(stores, *(results.fail(item) for item in lease(stores, base)))
    plan = ExperimentPlan(batch_id=base, change=ExperimentChange(max_tokens=9_000))
    changed = stores.experiments.create(plan).changed_batch_id
    accept(stores, changed)

    def count(**filters: object) -> int:
        return stores.conversations.count(ConversationFilters.model_validate(filters)).total

    assert stores.batches.count_existing(selection, SkipExisting.ANY) == 0
    assert submit(stores, selection.model_copy(update={"skip_existing": SkipExisting.ANY})) is not None
    assert (count(), count(batch_id=changed), count(with_comparisons=True)) == (0, 2, 2)
    overview = stores.overview.read()
    assert (overview.conversations, overview.coverage.cells) == (0, ())
    assert [] == list(stores.conversations.list_page(ConversationFilters(), page_size=10).rows)


def test_a_batch_of_nothing_is_refused(stores: Stores) -> None:
    selection = make_selection(1, 1, 2)
    accept(stores, submit(stores, selection))

    with pytest.raises(InvalidRequest, match="has a conversation already"):
        submit(stores, selection.model_copy(update={"skip_existing": SkipExisting.ANY}))
    assert len(list_batches(stores)) == 1
