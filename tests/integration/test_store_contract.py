"""Batches, their items and what came of them, as the database keeps them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from core.domain.batches.batch import BatchAction, BatchId, BatchStatus, RetryChanges
from core.domain.batches.results import FailureFilters
from core.domain.batches.work import ItemReleased
from core.domain.record import Record
from core.domain.scaffolding.records import ConversationCategory, TemplateId
from core.domain.verdict.reply import TokenUsage
from core.errors import InvalidRequest, NotFound
from tests.factories import make_attempt, make_scaffolding, make_selection, make_settings
from tests.support.results import accept, fail
from tests.support.stores import (
    Stores,
    ask,
    fail_some,
    lease,
    list_batches,
    list_conversations,
    list_failures,
    read,
    record,
    submit,
)


def test_scaffolding_is_whole(stores: Stores) -> None:
    shipped, rows = make_scaffolding(), stores.scaffolding

    def keep_shipped(found: Sequence[Record], expected: Sequence[Record]) -> list[Record]:
        """The database is shared: other tests may have added some."""
        ids = {row.id for row in expected}  # type: ignore[attr-defined]
        kept = {row.id: row.model_copy(update={"updated_at": None}) for row in found if row.id in ids}  # type: ignore[attr-defined]
        return [kept[row.id] for row in expected]  # type: ignore[attr-defined]

    assert list(shipped.personas) == keep_shipped(rows.list_personas(), shipped.personas)
    assert list(shipped.arcs) == keep_shipped(rows.list_arcs(), shipped.arcs)
    assert list(shipped.topics) == keep_shipped(rows.list_topics(), shipped.topics)
    assert list(shipped.axes) == keep_shipped(rows.list_axes(), shipped.axes)
    assert list(shipped.templates) == keep_shipped(rows.list_templates(), shipped.templates)


def test_submitted_batch_holds_its_whole_grid(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(3, 5, 6))

    progress = read(stores, batch_id)

    assert (90, 90, BatchStatus.QUEUED) == (progress.planned, progress.queued, progress.status)
    assert (1800.0, 40.5) == (progress.estimated_seconds, pytest.approx(progress.estimated_cost_usd))
    assert [batch_id] == [batch.id for batch in list_batches(stores)]


def test_picks_are_positions_of_the_grid_in_their_order(stores: Stores) -> None:
    selection = make_selection(3, 3, 4, category=ConversationCategory.EDGE)
    batch_id = submit(stores, selection, picks=[35, 0, 17], concurrency=3)

    items = sorted(lease(stores, batch_id), key=lambda item: item.position)

    expected = [
        (selection.persona_ids[p], selection.arc_ids[a], selection.topic_ids[t])
        for p, a, t in [(2, 2, 3), (0, 0, 0), (1, 1, 1)]
    ]
    assert expected == [(item.persona_id, item.emotional_arc_id, item.training_topic_id) for item in items]


def test_unknown_or_inactive_choice_is_refused_and_nothing_is_written(stores: Stores) -> None:
    before = len(list_batches(stores))
    selection = make_selection().model_copy(update={"persona_ids": (uuid4(),)})

    with pytest.raises(InvalidRequest, match="not active"):
        submit(stores, selection)
    with pytest.raises(InvalidRequest, match="other category"):
        submit(stores, make_selection().model_copy(update={"category": ConversationCategory.EDGE}))

    assert before == len(list_batches(stores))


def test_plan_carries_settings_and_a_snapshot_of_the_scaffolding(stores: Stores) -> None:
    selection = make_selection()
    batch_id = submit(stores, selection, effort="high", structured_outputs=False)

    plan = stores.work(lambda store: store.get_plan(batch_id))

    assert plan is not None
    assert make_settings(effort="high", structured_outputs=False) == plan.settings
    assert set(selection.persona_ids) == set(plan.snapshot.personas)
    assert len(plan.snapshot.templates) == 1
    assert stores.work(lambda store: store.get_plan(BatchId(uuid4()))) is None


def test_what_is_leased_ahead_of_the_calls_counts_as_queued(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 8), concurrency=3)

    items = lease(stores, batch_id)

    assert 6 == len({item.item_id for item in items}), "three to call, and three ahead"
    assert (BatchStatus.PROCESSING, 3, 5) == ((p := read(stores, batch_id)).status, p.running, p.queued)


def test_accepted_reply_becomes_a_conversation_and_closes_the_batch(stores: Stores) -> None:
    batch_id = submit(stores)
    items = lease(stores, batch_id)

    assert ["recorded", "recorded"] == record(stores, *(accept(item) for item in items))

    progress = read(stores, batch_id)
    assert (BatchStatus.COMPLETED, 2, 2) == (progress.status, progress.accepted, progress.attempts)
    assert pytest.approx(0.044) == progress.cost_usd
    assert progress.simulated
    assert progress.completed_at is not None
    (row, _) = list_conversations(stores, batch_id)
    assert (4, "template", True) == (row.turn_count, row.tier, row.simulated)


def test_edge_conversation_has_the_edge_tier(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 1, category=ConversationCategory.EDGE))

    record(stores, *(accept(item) for item in lease(stores, batch_id)))

    assert ["edge_case"] == [row.tier for row in list_conversations(stores, batch_id)]


def test_failed_reply_is_kept_apart_with_its_diagnosis(stores: Stores) -> None:
    batch_id = submit(stores)
    first, second = lease(stores, batch_id)

    record(stores, accept(first), fail(second))

    assert len(list_conversations(stores, batch_id)) == 1
    (row,) = list_failures(stores, batch_id)
    assert ("truncation", "lone_backslash", 3) == (row.failure_type, row.truncation_pattern, row.turn_index)
    assert ("end_turn", 24_576, 2000, 1) == (row.stop_reason, row.max_tokens, row.output_tokens, row.attempt_count)
    assert read(stores, batch_id).status is BatchStatus.COMPLETED


def test_batch_without_a_single_conversation_has_failed(stores: Stores) -> None:
    batch_id = submit(stores)

    record(stores, *(fail(item) for item in lease(stores, batch_id)))

    assert read(stores, batch_id).status is BatchStatus.FAILED


def test_zero_tokens_count_as_zero(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 1))
    usage = TokenUsage(input_tokens=0, output_tokens=0)

    record(stores, *(fail(item, usage=usage, cost_usd="0") for item in lease(stores, batch_id)))

    assert [0] == [row.output_tokens for row in list_failures(stores, batch_id)]


def test_recording_the_same_result_twice_changes_nothing(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 1))
    (item,) = lease(stores, batch_id)
    result = accept(item)

    assert ["recorded", "recorded"] == record(stores, result) + record(stores, result)

    assert (1, 1) == ((p := read(stores, batch_id)).accepted, p.attempts)


def test_worker_that_lost_its_item_cannot_record_a_second_conversation(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 1))
    (lost,) = lease(stores, batch_id, lease_seconds=-1)
    (held,) = lease(stores, batch_id)

    assert ["lease_lost"] == record(stores, accept(lost))
    assert ["recorded"] == record(stores, accept(held))

    progress = read(stores, batch_id)
    assert (1, 2) == (progress.accepted, progress.attempts), "the late reply is kept as an attempt"


def test_reply_that_comes_after_its_lease_counts_if_nobody_else_took_the_item(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 1))
    (item,) = lease(stores, batch_id, lease_seconds=-1)
    stores.reconciler.reconcile()
    assert read(stores, batch_id).queued == 1

    assert ["recorded"] == record(stores, accept(item))

    assert (BatchStatus.COMPLETED, 1) == ((p := read(stores, batch_id)).status, p.accepted)


def test_released_item_waits_and_comes_back_with_the_next_attempt_number(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 1))
    (item,) = lease(stores, batch_id)

    record(stores, ItemReleased(item=item, attempt=make_attempt(stop_reason=None), delay_seconds=60))

    waiting = stores.work(lambda store: store.lease(batch_id, ask("test:1", 1, 30)))
    assert () == waiting.items
    assert waiting.next_available_in_seconds is not None
    assert 50 < waiting.next_available_in_seconds <= 60
    (item,) = lease(stores, other := submit(stores, make_selection(1, 1, 1)))
    record(stores, ItemReleased(item=item, attempt=make_attempt(stop_reason=None, duration_ms=1200, wait_ms=300)))
    assert [(2, 1.5)] == [(item.attempt_number, item.spent_seconds) for item in lease(stores, other)]


def test_extended_lease_outlives_its_first_term(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 2), concurrency=2)
    kept, lost = lease(stores, batch_id, lease_seconds=1)

    extended = stores.work(
        lambda store: store.extend(batch_id, [kept, lost.model_copy(update={"lease_token": uuid4()})], 60)
    )

    assert {kept.item_id} == extended


def test_paused_batch_leases_nothing_and_resumes(stores: Stores) -> None:
    batch_id = submit(stores)

    assert stores.batches.control(batch_id, BatchAction.PAUSE) is BatchStatus.PAUSED
    assert lease(stores, batch_id) == ()
    assert stores.batches.control(batch_id, BatchAction.RESUME) is BatchStatus.QUEUED
    assert len(lease(stores, batch_id)) == 2


def test_cancelled_batch_records_what_is_in_flight_and_cancels_the_rest(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 5), concurrency=2)
    done, retried, *ahead = lease(stores, batch_id)

    stores.batches.control(batch_id, BatchAction.CANCEL)
    given_back = [ItemReleased(item=item) for item in ahead]
    record(stores, accept(done), ItemReleased(item=retried, attempt=make_attempt(), delay_seconds=1), *given_back)

    progress = read(stores, batch_id)
    assert (BatchStatus.CANCELLED, 1, 4) == (progress.status, progress.accepted, progress.cancelled)
    assert progress.completed_at is not None
    with pytest.raises(InvalidRequest):
        stores.batches.control(batch_id, BatchAction.PAUSE)


def test_unknown_batch_cannot_be_controlled(stores: Stores) -> None:
    with pytest.raises(NotFound):
        stores.batches.control(BatchId(uuid4()), BatchAction.PAUSE)
    assert stores.batches.get(BatchId(uuid4())) is None


def test_error_handling_stop_ends_the_batch_at_its_first_failure(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 4), concurrency=1, error_handling="stop")

    called, ahead = lease(stores, batch_id)
    record(stores, fail(called), ItemReleased(item=ahead))

    progress = read(stores, batch_id)
    assert (BatchStatus.FAILED, 1, 3) == (progress.status, progress.failed, progress.cancelled)
    assert "first failed item" in (progress.status_reason or "")


def test_fatal_failure_pauses_the_batch_with_its_reason(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 4), concurrency=1)

    record(stores, *(fail(item, stop_batch_because="Set a valid key.") for item in lease(stores, batch_id)))

    progress = read(stores, batch_id)
    assert (BatchStatus.PAUSED, 1, 3) == (progress.status, progress.failed, progress.queued)
    assert progress.status_reason == "Paused automatically: Set a valid key."


def test_reconciling_takes_back_what_a_lost_worker_held_and_names_the_batch(stores: Stores) -> None:
    batch_id = submit(stores)
    lease(stores, batch_id, lease_seconds=-1)

    assert batch_id in [waiting.batch_id for waiting in stores.reconciler.reconcile()]

    assert (2, 0) == ((p := read(stores, batch_id)).queued, p.running)


def test_history_tells_what_items_took(stores: Stores) -> None:
    batch_id = submit(stores)

    record(stores, *(accept(item) for item in lease(stores, batch_id)))

    (row,) = stores.batches.list_history()
    assert ("claude-sonnet-5-5", True, 2) == (row.model, row.simulated, row.items)
    assert (pytest.approx(0.044), pytest.approx(2.4)) == (row.cost_usd, row.duration_seconds)


def test_history_counts_items_with_a_reply_and_all_that_their_calls_cost(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 3))
    accepted, failed, silent = lease(stores, batch_id)
    nothing = {"stop_reason": None, "http_status": 529, "cost_usd": None, "usage": {}}

    record(stores, accept(accepted), fail(failed), fail(silent, **nothing))

    (row,) = stores.batches.list_history()
    assert (row.items, row.cost_usd) == (2, pytest.approx(0.044))


def test_failures_come_in_pages_newest_first_and_each_once(stores: Stores) -> None:
    fail_some(stores, {}, {}, {}, {}, {})

    first = stores.failures.list_page(FailureFilters(), page_size=2)
    second = stores.failures.list_page(page_size=2, cursor=first.next_cursor)
    third = stores.failures.list_page(page_size=2, cursor=second.next_cursor)

    rows = [*first.rows, *second.rows, *third.rows]
    assert [2, 2, 1] == [len(page.rows) for page in (first, second, third)]
    assert len({row.id for row in rows}) == 5
    assert [row.created_at for row in rows] == sorted((row.created_at for row in rows), reverse=True)
    assert third.next_cursor is None


def test_failures_are_filtered_and_counted_alike(stores: Stores) -> None:
    batch_id = fail_some(stores, {}, {"stop_reason": "max_tokens"}, {"stop_reason": None, "model": "claude-haiku-5-5"})
    fail_some(stores, {})
    expected = {
        FailureFilters(): 4,
        FailureFilters(batch_id=batch_id): 3,
        FailureFilters(batch_id=batch_id, stop_reason="max_tokens"): 1,
        FailureFilters(stop_reason="none"): 1,
        FailureFilters(failure_type="refusal"): 0,
        FailureFilters(truncation_pattern="lone_backslash"): 4,
        FailureFilters(text="STOPS AT"): 4,
        FailureFilters(text="nowhere"): 0,
        FailureFilters(emotional_arc_id=make_selection().arc_ids[0]): 4,
        FailureFilters(persona_id=uuid4()): 0,
        FailureFilters(date_to=datetime(2020, 1, 1, tzinfo=UTC)): 0,
        FailureFilters(date_from=datetime(2020, 1, 1, tzinfo=UTC)): 4,
    }

    assert expected == {filters: len(stores.failures.list_page(filters, page_size=100).rows) for filters in expected}
    assert expected == {filters: stores.failures.count(filters).total for filters in expected}
    counted = stores.failures.count(FailureFilters(batch_id=batch_id))
    assert {"end_turn": 1, "max_tokens": 1, "none": 1} == counted.by_stop_reason
    assert ({"truncation": 3}, {"lone_backslash": 3}) == (counted.by_type, counted.by_pattern)


def test_failure_is_described_with_its_attempts(stores: Stores) -> None:
    batch_id = fail_some(stores, {})
    (row,) = stores.failures.list_page(FailureFilters(batch_id=batch_id), page_size=10).rows

    material = stores.failures.get(row.id)

    assert "Write." in material.failure.prompt
    assert '{"turns": []}' == material.failure.response_content
    assert ["end_turn"] == [attempt["stop_reason"] for attempt in material.attempts]
    with pytest.raises(NotFound):
        stores.failures.get(uuid4())


def close_all(stores: Stores, batch_id: BatchId, *, failing: set[int], **attempt: object) -> None:
    """Lease and record item by item until nothing more is given out; positions in `failing` fail."""
    while items := lease(stores, batch_id, wanted=1):
        for item in items:
            record(stores, fail(item, **attempt) if item.position in failing else accept(item, **attempt))


def test_batch_pauses_itself_when_too_many_of_its_last_items_failed(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(3, 1, 10))

    close_all(stores, batch_id, failing={0, 3, 6, 9, 12, 15, 18, 19})

    progress = read(stores, batch_id)
    assert (BatchStatus.PAUSED, 20) == (progress.status, progress.accepted + progress.failed)
    assert "of the last 20 items failed (more than 30" in (progress.status_reason or "")
    stores.batches.control(batch_id, BatchAction.RESUME)
    close_all(stores, batch_id, failing={20})
    assert read(stores, batch_id).status is BatchStatus.COMPLETED, "it looks at what closed since it was resumed"


def test_few_failures_pause_nothing(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(3, 1, 10))

    close_all(stores, batch_id, failing={0, 5, 10, 15, 20, 25})

    assert read(stores, batch_id).status is BatchStatus.COMPLETED


def test_nothing_runs_beside_the_canary_and_the_rest_follows_when_it_passes(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 6), canary_items=2, concurrency=6)

    canary = lease(stores, batch_id)
    assert (2, ()) == (len(canary), lease(stores, batch_id))
    record(stores, *(accept(item) for item in canary))

    assert len(lease(stores, batch_id)) == 4


def test_rest_of_the_batch_waits_while_a_canary_item_waits_for_its_next_try(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 6), canary_items=2, concurrency=6)
    first, second = lease(stores, batch_id)
    record(
        stores,
        accept(first),
        ItemReleased(item=second, attempt=make_attempt(stop_reason=None, cost_usd=None), delay_seconds=60),
    )

    waiting = stores.work(lambda store: store.lease(batch_id, ask("test:1", 6, 30)))

    assert waiting.items == ()
    assert waiting.next_available_in_seconds is not None
    assert waiting.next_available_in_seconds > 50


def test_canary_counts_though_the_batch_was_paused_in_between(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 6), canary_items=2, concurrency=6)
    canary = lease(stores, batch_id)
    stores.batches.control(batch_id, BatchAction.PAUSE)
    stores.batches.control(batch_id, BatchAction.RESUME)

    record(stores, *(fail(item) for item in canary))

    assert lease(stores, batch_id) == ()
    assert read(stores, batch_id).status is BatchStatus.PAUSED


def test_failed_canary_pauses_the_batch_until_it_is_resumed(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 6), canary_items=2, concurrency=6)
    first, second = lease(stores, batch_id)
    record(stores, accept(first), fail(second))

    assert lease(stores, batch_id) == ()

    assert "1 of the 2 canary items failed" in (read(stores, batch_id).status_reason or "")
    stores.batches.control(batch_id, BatchAction.RESUME)
    assert len(lease(stores, batch_id)) == 4


def test_budget_counts_what_is_in_flight_and_pauses_the_batch(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 10), budget_usd=0.1, concurrency=10)
    assert read(stores, batch_id).needed_budget_usd is None, "it may run"
    # Nothing is known yet, so the estimate of 0.45 USD a call would already be too much.
    assert lease(stores, batch_id) == ()
    paused = read(stores, batch_id)
    assert "budget of $0.10 is reached" in (paused.status_reason or "")
    assert paused.needed_budget_usd == pytest.approx(0.45)
    stores.batches.control(batch_id, BatchAction.RESUME, budget_usd=paused.needed_budget_usd)
    assert len(lease(stores, batch_id)) == 1

    other = submit(stores, make_selection(1, 1, 10), budget_usd=1.0, concurrency=10)
    in_flight = lease(stores, other)
    assert len(in_flight) == 2, "two calls of 0.45 USD fit into one dollar"
    record(stores, *(accept(item, cost_usd="0.3") for item in in_flight))
    assert len(lease(stores, other)) == 1, "0.6 spent and 0.3 a call leave room for one"


def test_reply_without_a_price_counts_as_estimated_towards_the_budget(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 10), budget_usd=1.0, concurrency=10)

    record(stores, *(accept(item, cost_usd=None) for item in lease(stores, batch_id)))

    assert lease(stores, batch_id) == ()
    paused = read(stores, batch_id)
    assert "$0.90 spent" in (paused.status_reason or "")
    assert paused.needed_budget_usd == pytest.approx(1.35)
    stores.batches.control(batch_id, BatchAction.RESUME, budget_usd=1.4)
    stores.batches.control(batch_id, BatchAction.PAUSE)
    assert read(stores, batch_id).needed_budget_usd is None, "it is paused, but not by its budget"


def test_item_whose_limit_was_raised_comes_back_with_it(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 1), raise_max_tokens=True)
    (item,) = lease(stores, batch_id)

    record(stores, ItemReleased(item=item, attempt=make_attempt(stop_reason="max_tokens"), raised_max_tokens=49_152))

    assert [(2, 49_152)] == [(item.attempt_number, item.max_tokens) for item in lease(stores, batch_id)]


def test_failed_items_become_a_new_linked_batch_with_changed_settings(stores: Stores) -> None:
    batch_id = submit(stores, make_selection(1, 1, 4), concurrency=4)
    close_all(stores, batch_id, failing={1, 3})
    changes = RetryChanges(max_tokens=50_000, structured_outputs=False)

    submitted = stores.batches.retry_failed(batch_id, changes)

    first, retry = read(stores, batch_id), read(stores, submitted.batch_id)
    assert (2, 2, BatchStatus.QUEUED, batch_id) == (submitted.planned, retry.queued, retry.status, retry.retry_of)
    assert (50_000, False, first.model) == (retry.max_tokens, retry.structured_outputs, retry.model)
    assert (1.8, 0.9) == (first.estimated_cost_usd, retry.estimated_cost_usd)
    assert first.failed == 2, "the first batch stays as it was"
    plan = stores.work(lambda store: store.get_plan(submitted.batch_id))
    before = stores.work(lambda store: store.get_plan(batch_id))
    assert plan is not None
    assert before is not None
    assert before.snapshot == plan.snapshot
    assert len({item.training_topic_id for item in lease(stores, submitted.batch_id)}) == 2


def test_retry_without_a_failure_is_refused(stores: Stores) -> None:
    batch_id = submit(stores)

    with pytest.raises(InvalidRequest, match="nothing to retry"):
        stores.batches.retry_failed(batch_id, RetryChanges())
    with pytest.raises(NotFound):
        stores.batches.retry_failed(BatchId(uuid4()), RetryChanges())
    close_all(stores, batch_id, failing={0})
    with pytest.raises(InvalidRequest, match="not active"):
        stores.batches.retry_failed(batch_id, RetryChanges(template_id=TemplateId(uuid4())))
