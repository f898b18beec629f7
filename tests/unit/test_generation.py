"""What a worker makes of an item, and how it works through a batch."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from core.domain.batches.batch import BatchStatus
from core.domain.batches.work import (
    BatchPlan,
    CallFailure,
    CallFailureKind,
    ChatRequest,
    ItemAccepted,
    ItemFailed,
    ItemReleased,
    ItemResult,
)
from core.domain.verdict.reply import Reply, TokenUsage
from core.errors import DatabaseRejected, DatabaseUnavailable, NotSignedIn, PlanUnreadable
from core.services.shared_pace import ModelPace, SharedPace
from tests.factories import (
    TURNS,
    make_call_failure,
    make_conversation_json,
    make_items,
    make_plan,
    make_reply,
    make_selection,
)
from tests.fakes.claude import ScriptedModel, ScriptedPaceBoard
from tests.fakes.work import ScriptedWorkStore
from tests.fakes.worker import make_worker

Answer = Callable[[ChatRequest, int], Reply | CallFailure]
CUT = make_conversation_json((*TURNS[:3], "You could start with the fear of making the \\"))


def always(answer: Reply | CallFailure) -> Answer:
    return lambda _request, _call: answer


def make_store(topics: int = 2, **settings: Any) -> ScriptedWorkStore:
    plan = make_plan(make_selection(1, 1, topics), **settings)
    return ScriptedWorkStore(plan=plan, items=make_items(plan))


def run(store: ScriptedWorkStore, answer: Answer) -> list[ItemResult]:
    """Work until nothing is left; return what was recorded."""
    plan = store.plan if isinstance(store.plan, BatchPlan) else make_plan()
    asyncio.run(make_worker(store, ScriptedModel(answer=answer)).run_batches(plan.id))
    return store.recorded


def generate(
    answer: Reply | CallFailure, *, item: dict[str, Any] | None = None, max_attempts: int = 3, **settings: Any
) -> tuple[ItemResult, ScriptedModel]:
    """Make one attempt at one item."""
    plan = make_plan(make_selection(1, 1, 1), **settings)
    (leased,) = make_items(plan)
    model = ScriptedModel(answer=always(answer))
    store = ScriptedWorkStore()
    pace = SharedPace(model=ModelPace(board=ScriptedPaceBoard(), model=plan.settings.model), store=store, plan=plan)
    work = make_worker(store, model, max_attempts=max_attempts).generate_item(
        plan, leased.model_copy(update=item or {}), pace
    )
    return asyncio.run(work), model


def require_failed(result: ItemResult) -> ItemFailed:
    assert isinstance(result, ItemFailed)
    return result


def test_good_replies_are_accepted() -> None:
    store = make_store(5)

    assert [ItemAccepted] * 5 == [type(result) for result in run(store, always(make_reply()))]
    assert all(result.attempt is not None and result.attempt.stop_reason == "end_turn" for result in store.recorded)


def test_cut_turn_in_well_formed_json_is_never_accepted() -> None:
    result = require_failed(generate(make_reply(CUT))[0])

    assert ("truncation", "lone_backslash") == (result.failure.failure_type, result.failure.pattern)
    assert result.reply_text == CUT


def test_reply_that_was_cut_at_its_limit_is_kept_with_its_text_and_not_tried_again() -> None:
    result = require_failed(generate(make_reply('{"turns": [', stop_reason="max_tokens"))[0])

    assert result.reply_text == '{"turns": ['
    assert result.attempt is not None


def test_passing_failure_is_tried_again_later_and_its_attempt_is_kept() -> None:
    result, _ = generate(make_call_failure())

    assert isinstance(result, ItemReleased)
    assert result.attempt is not None
    assert round(result.delay_seconds * 1000) == result.attempt.wait_ms >= 500


def test_what_a_message_beside_an_error_used_is_counted() -> None:
    usage = TokenUsage(input_tokens=1000, output_tokens=2000)

    failed, accepted = (generate(answer)[0].attempt for answer in (make_call_failure(usage=usage), make_reply()))

    assert failed is not None
    assert accepted is not None
    assert (usage, accepted.cost_usd) == (failed.usage, failed.cost_usd)
    assert failed.cost_usd


def test_item_that_never_gets_a_reply_fails_as_an_api_error() -> None:
    result, _ = generate(make_call_failure(CallFailureKind.TIMEOUT), item={"attempt_number": 2}, max_attempts=2)

    assert require_failed(result).failure.failure_type == "api_error"


def test_fatal_failure_stops_the_batch_and_says_why() -> None:
    result, _ = generate(make_call_failure(CallFailureKind.BAD_KEY, message="invalid x-api-key"))

    assert "ANTHROPIC_API_KEY" in (require_failed(result).stop_batch_because or "")


def test_item_that_several_workers_in_a_row_were_lost_with_is_given_up_without_a_call() -> None:
    result, model = generate(make_reply(), item={"lost_leases": 3})

    assert "3 workers in a row took this item" in require_failed(result).failure.details
    assert (result.attempt, model.requests) == (None, [])


def test_reply_that_cannot_even_be_judged_is_kept_as_a_failure() -> None:
    result = require_failed(generate(make_reply().model_copy(update={"text": None}))[0])

    assert "Judging the reply failed" in result.failure.details
    assert result.attempt is not None
    assert "judge_reply" in (result.error_stack or "")


def test_reply_cut_by_max_tokens_is_tried_once_more_with_a_raised_limit_where_the_batch_asks_for_it() -> None:
    cut = make_reply('{"turns": [', stop_reason="max_tokens")

    first, asked = generate(cut, raise_max_tokens=True)
    again, asked_again = generate(cut, item={"max_tokens": 49_152}, raise_max_tokens=True)

    assert isinstance(first, ItemReleased)
    assert first.raised_max_tokens == 49_152
    assert isinstance(again, ItemFailed)
    assert [24_576, 49_152] == [model.requests[0].settings.max_tokens for model in (asked, asked_again)]
    assert isinstance(generate(make_reply(CUT), raise_max_tokens=True)[0], ItemFailed), "other cuts are not tried again"


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"user_prompt": "{{ 1/0 }}"}, "uses arithmetic, which is not allowed"),
        ({"user_prompt": "{% for i in range(10**9) %}{% endfor %}"}, "a call such as range"),
        ({"user_prompt": None}, "The item failed unexpectedly: AttributeError"),
    ],
)
def test_an_item_whose_prompt_cannot_be_made_fails_without_a_call(spoilt: dict[str, object], said: str) -> None:
    store = make_store()
    assert isinstance(store.plan, BatchPlan)
    snapshot = store.plan.snapshot
    templates = {key: row.model_copy(update=spoilt) for key, row in snapshot.templates.items()}
    store.plan = store.plan.model_copy(update={"snapshot": snapshot.model_copy(update={"templates": templates})})

    results = [require_failed(result) for result in run(store, always(make_reply()))]

    assert [None, None] == [result.attempt for result in results]
    assert all(said in result.failure.details for result in results)


def test_an_item_whose_scaffolding_is_not_in_the_batch_fails_without_a_call() -> None:
    store = make_store()
    assert isinstance(store.plan, BatchPlan)
    snapshot = store.plan.snapshot.model_copy(update={"topics": {}})
    store.plan = store.plan.model_copy(update={"snapshot": snapshot})

    assert [None, None] == [require_failed(result).attempt for result in run(store, always(make_reply()))]


def test_never_more_calls_in_flight_than_the_concurrency() -> None:
    in_flight, most = 0, 0

    class CountingModel:
        async def complete(self, request: ChatRequest) -> Reply | CallFailure:
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            await asyncio.sleep(0.005)
            in_flight -= 1
            return make_reply()

    store = make_store(12, concurrency=4)
    assert isinstance(store.plan, BatchPlan)

    asyncio.run(make_worker(store, CountingModel()).run_batches(store.plan.id))

    assert (4, 12) == (most, len(store.recorded))


def test_paused_batch_finishes_its_calls_and_takes_no_more() -> None:
    store = make_store(6, concurrency=2)

    def answer(_request: ChatRequest, call: int) -> Reply | CallFailure:
        if call == 2:
            store.status = BatchStatus.PAUSED
        return make_reply()

    recorded = run(store, answer)

    assert len(recorded) == store.leased == 2


def test_a_worker_notices_that_a_batch_was_cancelled_while_its_items_wait() -> None:
    """Once because an item waits for its next try, once because Claude told everybody to wait."""

    async def cancel_meanwhile(failure: CallFailureKind) -> None:
        store = make_store(1)
        store.waits_seconds = 600
        assert isinstance(store.plan, BatchPlan)
        model = ScriptedModel(answer=always(make_call_failure(failure, retry_after_seconds=600)))
        job = asyncio.create_task(make_worker(store, model).run_batches(store.plan.id))
        await asyncio.sleep(0.5)
        assert (len(store.recorded), job.done()) == (1, False)
        store.status = BatchStatus.CANCELLED
        await asyncio.wait_for(job, timeout=60)

    async def cancel_both() -> None:
        await asyncio.gather(*map(cancel_meanwhile, (CallFailureKind.RATE_LIMITED, CallFailureKind.SERVER_ERROR)))

    asyncio.run(cancel_both())


def test_worker_that_is_asked_to_stop_takes_nothing() -> None:
    store = make_store(6, concurrency=2)
    assert isinstance(store.plan, BatchPlan)
    service = make_worker(store, ScriptedModel(answer=always(make_reply())))
    service.stopping.set()

    asyncio.run(service.run_batches(store.plan.id))

    assert store.leased == 0


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), NotSignedIn("the key was changed")])
def test_reply_waits_for_a_database_that_is_away_or_closed(error: Exception) -> None:
    store = make_store(1)

    def answer(_request: ChatRequest, _call: int) -> Reply:
        store.outages.append(error)
        return make_reply()

    assert [ItemAccepted] == [type(result) for result in run(store, answer)]


def test_database_that_is_away_when_items_are_leased_is_waited_for() -> None:
    store = make_store(1)
    store.outages.append(DatabaseUnavailable("away"))

    assert [ItemAccepted] == [type(result) for result in run(store, always(make_reply()))]


@pytest.mark.parametrize("error", [DatabaseRejected("no such column"), ValueError("a defect in writing it")])
def test_reply_that_cannot_be_stored_is_kept_as_a_failure_and_not_paid_for_twice(error: Exception) -> None:
    store = make_store(2)
    store.refuse = lambda result: error if isinstance(result, ItemAccepted) else None
    calls: list[ChatRequest] = []

    def answer(request: ChatRequest, _call: int) -> Reply:
        calls.append(request)
        return make_reply()

    results = [require_failed(result) for result in run(store, answer)]

    assert (2, 2) == (len(results), len(calls))
    assert all("could not be stored" in result.failure.details for result in results)
    assert all(result.attempt is not None and result.attempt.raw is not None for result in results)


def test_failure_that_cannot_be_stored_either_closes_its_item_with_nothing_from_outside() -> None:
    store = make_store(1)
    store.refuse = lambda result: DatabaseRejected("no") if result.attempt and result.attempt.raw else None

    (result,) = run(store, always(make_reply()))

    assert require_failed(result).prompt_text == ""
    assert result.attempt is not None
    assert (result.attempt.raw, result.attempt.cost_usd) == (None, None)


def test_pace_follows_what_claude_says_and_is_noted_for_the_monitor() -> None:
    store = make_store(6, concurrency=4)

    def answer(_request: ChatRequest, call: int) -> Reply | CallFailure:
        if call == 1:
            return make_call_failure(CallFailureKind.RATE_LIMITED, retry_after_seconds=0.2)
        return make_reply()

    run(store, answer)

    assert [4, 2] == [limit for limit, _ in store.paces[:2]]
    assert "429" in store.paces[1][1]
    assert "good replies" in store.paces[-1][1]


def test_a_batch_that_goes_on_is_told_the_pace_that_holds_now() -> None:
    store = make_store(4, concurrency=4)

    run(store, always(make_reply()))

    assert [4] == [limit for limit, _ in store.paces]


def test_a_batch_that_cannot_be_read_pauses_with_its_reason() -> None:
    store = ScriptedWorkStore(plan=PlanUnreadable("its persona cannot be read. Cancel it."))

    run(store, always(make_reply()))

    assert store.paused == ["Paused automatically: its persona cannot be read. Cancel it."]
    assert store.leased == 0
