import asyncio
from collections.abc import Callable

import pytest

from core.adapters.memory import MemoryDatabase, MemoryPaceBoard, MemoryQueue, ScriptedModel
from core.adapters.memory_conversations import MemoryConversationStore
from core.adapters.memory_failures import MemoryFailureStore
from core.domain.batch import BatchAction, BatchId, BatchProgress, BatchStatus
from core.domain.conversation_records import ConversationFilters
from core.domain.reply import Reply, TokenUsage
from core.domain.results import FailureFilters, FailureRow
from core.domain.retry import RetryLimits
from core.domain.work import (
    AttemptOutcome,
    BatchPlan,
    CallFailure,
    CallFailureKind,
    ChatRequest,
    ItemResult,
    Lease,
    RecordOutcome,
)
from core.errors import DatabaseRejected, DatabaseUnavailable, NotSignedIn, PlanUnreadable
from core.services.batches import BatchService
from core.services.generation import GenerationService
from tests.factories import (
    TURNS,
    make_call_failure,
    make_conversation_json,
    make_memory,
    make_reply,
    make_selection,
    make_settings,
)

Answer = Callable[[ChatRequest, int], Reply | CallFailure]


def submit(database: MemoryDatabase, *, topics: int = 2, **settings: object) -> BatchId:
    service = BatchService(batches=database, scaffolding=database, queue=MemoryQueue())
    return service.submit(make_selection(1, 1, topics), make_settings(**settings)).batch_id


def make_service(database: MemoryDatabase, answer: Answer, **changes: int) -> GenerationService:
    model = ScriptedModel(answer=answer)
    return GenerationService(
        store=database,
        model=model,
        worker="test:1",
        lease_seconds=30,
        retry_limits=RetryLimits(max_attempts=changes.get("max_attempts", 3), max_seconds=900),
        pace_board=MemoryPaceBoard(),
    )


def run(database: MemoryDatabase, batch_id: BatchId, answer: Answer, **changes: int) -> BatchProgress:
    asyncio.run(make_service(database, answer, **changes).run_batch(batch_id))
    progress = database.get(batch_id)
    assert progress is not None
    assert progress.planned == progress.accepted + progress.failed + progress.cancelled + progress.running + progress.queued
    return progress


def read_failure(database: MemoryDatabase, batch_id: BatchId) -> FailureRow:
    return MemoryFailureStore(database=database).list_page(FailureFilters(batch_id=batch_id), 1, None).rows[0]


def always(answer: Reply | CallFailure) -> Answer:
    return lambda _request, _call: answer


def test_good_replies_become_conversations_and_the_batch_completes() -> None:
    database = make_memory()
    batch_id = submit(database, topics=5)

    progress = run(database, batch_id, always(make_reply()))

    assert (BatchStatus.COMPLETED, 5, 0) == (progress.status, progress.accepted, progress.failed)
    assert {"end_turn": 5} == database.get_breakdown(batch_id).by_stop_reason


def test_cut_turn_in_well_formed_json_never_becomes_a_conversation() -> None:
    cut = make_conversation_json((*TURNS[:3], "You could start with the fear of making the \\"))
    database = make_memory()
    batch_id = submit(database)

    progress = run(database, batch_id, always(make_reply(cut)))

    assert (0, 2, BatchStatus.FAILED) == (progress.accepted, progress.failed, progress.status)
    assert {"truncation": 2} == database.get_breakdown(batch_id).by_failure_type
    assert {"lone_backslash": 2} == database.get_breakdown(batch_id).by_pattern
    conversations = MemoryConversationStore(database=database)
    assert not conversations.list_page(ConversationFilters(batch_id=batch_id), 10, None).rows


def test_truncated_reply_is_kept_with_its_text_and_not_tried_again() -> None:
    database = make_memory()
    batch_id = submit(database, topics=1)

    run(database, batch_id, always(make_reply('{"turns": [', stop_reason="max_tokens")))

    (row,) = database.items.values()
    assert row.failure is not None
    assert row.failure.reply_text == '{"turns": ['
    assert [AttemptOutcome.FAILED] == [outcome for outcome, _ in row.attempts]


def test_passing_failure_is_tried_again_and_each_attempt_is_kept() -> None:
    database = make_memory()
    batch_id = submit(database, topics=1)

    def answer(_request: ChatRequest, call: int) -> Reply | CallFailure:
        return make_call_failure() if call == 1 else make_reply()

    progress = run(database, batch_id, answer)

    (row,) = database.items.values()
    assert progress.accepted == 1
    assert [AttemptOutcome.RETRIED, AttemptOutcome.ACCEPTED] == [outcome for outcome, _ in row.attempts]
    assert row.attempts[0][1].wait_ms >= 500


def test_what_a_message_beside_an_error_used_is_counted() -> None:
    database = make_memory()
    batch_id = submit(database, topics=1)
    usage = TokenUsage(input_tokens=1000, output_tokens=2000)

    run(database, batch_id, lambda _request, call: make_call_failure(usage=usage) if call == 1 else make_reply())

    (row,) = database.items.values()
    (_, failed), (_, accepted) = row.attempts
    assert (usage, accepted.cost_usd) == (failed.usage, failed.cost_usd)
    assert failed.cost_usd


def test_item_that_never_gets_a_reply_fails_as_an_api_error() -> None:
    database = make_memory()
    batch_id = submit(database, topics=1)

    run(database, batch_id, always(make_call_failure(CallFailureKind.TIMEOUT)), max_attempts=2)

    assert {"api_error": 1} == database.get_breakdown(batch_id).by_failure_type
    assert {"none": 2} == database.get_breakdown(batch_id).by_stop_reason


def test_fatal_failure_pauses_the_batch_and_says_why() -> None:
    database = make_memory()
    batch_id = submit(database, topics=6, concurrency=1)

    progress = run(database, batch_id, always(make_call_failure(CallFailureKind.BAD_KEY, message="invalid x-api-key")))

    assert (BatchStatus.PAUSED, 1, 5) == (progress.status, progress.failed, progress.queued)
    assert "ANTHROPIC_API_KEY" in (progress.status_reason or "")


def test_error_handling_stop_ends_at_the_first_failed_item() -> None:
    database = make_memory()
    batch_id = submit(database, topics=4, concurrency=1, error_handling="stop")

    def answer(_request: ChatRequest, call: int) -> Reply | CallFailure:
        return make_reply() if call == 1 else make_reply("", stop_reason="refusal")

    progress = run(database, batch_id, answer)

    assert (BatchStatus.FAILED, 1, 1, 2) == (progress.status, progress.accepted, progress.failed, progress.cancelled)


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

    database = make_memory()
    batch_id = submit(database, topics=12, concurrency=4)
    service = GenerationService(
        store=database,
        model=CountingModel(),
        worker="w",
        lease_seconds=30,
        retry_limits=RetryLimits(max_attempts=3, max_seconds=900),
        pace_board=MemoryPaceBoard(),
    )

    asyncio.run(service.run_batch(batch_id))

    assert most == 4


def test_paused_batch_finishes_its_calls_and_takes_no_more() -> None:
    database = make_memory()
    batch_id = submit(database, topics=6, concurrency=2)

    def answer(_request: ChatRequest, call: int) -> Reply | CallFailure:
        if call == 2:
            database.control(batch_id, BatchAction.PAUSE)
        return make_reply()

    progress = run(database, batch_id, answer)

    assert (BatchStatus.PAUSED, 0) == (progress.status, progress.running)
    assert progress.accepted + progress.queued == 6
    assert progress.queued >= 2


def test_worker_that_is_asked_to_stop_records_what_is_in_flight_and_leaves_the_rest() -> None:
    database = make_memory()
    batch_id = submit(database, topics=6, concurrency=2)

    async def scenario() -> None:
        service = make_service(database, always(make_reply()))
        service.stopping.set()
        await service.run_batch(batch_id)

    asyncio.run(scenario())

    progress = database.get(batch_id)
    assert progress is not None
    assert (6, 0) == (progress.queued, progress.running)


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), NotSignedIn("the key was changed")])
def test_reply_waits_for_a_database_that_is_away_or_closed(error: Exception) -> None:
    class FlakyDatabase(MemoryDatabase):
        outages = 2

        async def record(self, results: list[ItemResult]) -> tuple[RecordOutcome, ...]:  # type: ignore[override]
            if self.outages:
                self.outages -= 1
                raise error
            return await super().record(results)

    plain = make_memory()
    database = FlakyDatabase(personas=plain.personas, arcs=plain.arcs, topics=plain.topics, templates=plain.templates)
    batch_id = submit(database, topics=1)

    progress = run(database, batch_id, always(make_reply()))

    assert (1, 1) == (progress.accepted, progress.attempts)


def test_database_that_is_away_when_items_are_leased_is_waited_for() -> None:
    class FlakyDatabase(MemoryDatabase):
        outages = 1

        async def lease(self, batch_id: BatchId, worker: str, wanted: int, lease_seconds: float) -> Lease:
            if self.outages:
                self.outages -= 1
                raise DatabaseUnavailable("away")
            return await super().lease(batch_id, worker, wanted, lease_seconds)

    plain = make_memory()
    database = FlakyDatabase(personas=plain.personas, arcs=plain.arcs, topics=plain.topics, templates=plain.templates)
    batch_id = submit(database, topics=1)

    assert run(database, batch_id, always(make_reply())).accepted == 1


def test_reply_that_cannot_even_be_judged_is_kept_as_a_failure() -> None:
    database = make_memory()
    batch_id = submit(database, topics=1)
    unjudgeable = make_reply().model_copy(update={"text": None})

    progress = run(database, batch_id, always(unjudgeable))

    assert (1, 1) == (progress.failed, progress.attempts)
    assert "Judging the reply failed" in (read_failure(database, batch_id).truncation_details or "")


@pytest.mark.parametrize("error", [DatabaseRejected("no such column"), ValueError("a defect in writing it")])
def test_reply_that_cannot_be_stored_is_kept_as_a_failure_and_not_paid_for_twice(error: Exception) -> None:
    class PickyDatabase(MemoryDatabase):
        async def record(self, results: list[ItemResult]) -> tuple[RecordOutcome, ...]:  # type: ignore[override]
            if any(result.kind == "success" for result in results):
                raise error
            return await super().record(results)

    plain = make_memory()
    database = PickyDatabase(personas=plain.personas, arcs=plain.arcs, topics=plain.topics, templates=plain.templates)
    batch_id = submit(database, topics=2)

    progress = run(database, batch_id, always(make_reply()))

    assert (2, 2) == (progress.failed, progress.attempts)
    assert "could not be stored" in (read_failure(database, batch_id).truncation_details or "")


def test_lost_lease_keeps_the_paid_reply_but_not_a_second_conversation() -> None:
    database = make_memory()
    batch_id = submit(database, topics=1)

    async def scenario() -> None:
        slow, fast = make_service(database, always(make_reply())), make_service(database, always(make_reply()))
        plan = await database.get_plan(batch_id)
        assert plan is not None
        (item,) = (await database.lease(batch_id, "slow", 1, -1)).items
        (again,) = (await database.lease(batch_id, "fast", 1, 30)).items
        (first,) = await database.record([await fast.generate_item(plan, again)])
        (second,) = await database.record([await slow.generate_item(plan, item)])
        assert ("recorded", "lease_lost") == (first.outcome, second.outcome)

    asyncio.run(scenario())

    (row,) = database.items.values()
    assert [AttemptOutcome.ACCEPTED, AttemptOutcome.SUPERSEDED] == [outcome for outcome, _ in row.attempts]


def test_reply_cut_by_max_tokens_is_tried_once_more_with_a_raised_limit_where_the_batch_asks_for_it() -> None:
    database = make_memory()
    batch_id = submit(database, topics=1, raise_max_tokens=True)
    limits: list[int] = []

    def answer(request: ChatRequest, _call: int) -> Reply | CallFailure:
        limits.append(request.settings.max_tokens)
        return make_reply('{"turns": [', stop_reason="max_tokens")

    progress = run(database, batch_id, answer)

    assert [24_576, 49_152] == limits
    assert (1, 2) == (progress.failed, progress.attempts)
    (row,) = database.items.values()
    assert [AttemptOutcome.RETRIED, AttemptOutcome.FAILED] == [outcome for outcome, _ in row.attempts]


def test_other_cuts_are_not_tried_again_even_then() -> None:
    database = make_memory()
    batch_id = submit(database, topics=1, raise_max_tokens=True)
    cut = make_conversation_json((*TURNS[:3], "You could start with the \\"))

    assert run(database, batch_id, always(make_reply(cut))).attempts == 1


def test_pace_follows_what_claude_says_and_is_noted_for_the_monitor() -> None:
    database = make_memory()
    batch_id = submit(database, topics=6, concurrency=4)

    def answer(_request: ChatRequest, call: int) -> Reply | CallFailure:
        if call == 1:
            return make_call_failure(CallFailureKind.RATE_LIMITED, retry_after_seconds=0.2)
        return make_reply()

    progress = run(database, batch_id, answer)

    assert progress.accepted == 6
    assert progress.pace_limit is not None
    assert "replies without a refusal" in (progress.pace_reason or "")


def test_pace_of_long_ago_does_not_slow_a_batch_that_goes_on() -> None:
    database = make_memory()
    batch_id = submit(database, topics=4, concurrency=4)
    asyncio.run(database.set_pace(batch_id, 1, "Claude answered 429 (rate limit)"))

    progress = run(database, batch_id, always(make_reply()))

    assert (4, 4) == (progress.accepted, progress.pace_limit)


class UnreadableDatabase(MemoryDatabase):
    """Holds batches that no worker can follow."""

    async def get_plan(self, batch_id: BatchId) -> BatchPlan | None:
        raise PlanUnreadable(f"its persona in {batch_id} cannot be read. Cancel it.")


def test_a_batch_that_cannot_be_read_pauses_with_its_reason_and_is_not_rung_for_again() -> None:
    plain = make_memory()
    database = UnreadableDatabase(personas=plain.personas, arcs=plain.arcs, topics=plain.topics, templates=plain.templates)
    batch_id = submit(database)

    progress = run(database, batch_id, always(make_reply()))

    assert (progress.status, progress.queued, progress.attempts) == (BatchStatus.PAUSED, 2, 0)
    assert progress.status_reason == f"Paused automatically: its persona in {batch_id} cannot be read. Cancel it."
    assert database.reconcile() == ()


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        ({"user_prompt": "{{ 1/0 }}"}, "uses arithmetic, which is not allowed"),
        ({"user_prompt": "{% for i in range(10**9) %}{% endfor %}"}, "a call such as range"),
        ({"user_prompt": None}, "The item failed in a way that nobody foresaw: AttributeError"),
    ],
)
def test_an_item_whose_prompt_cannot_be_made_fails_without_a_call(spoilt: dict[str, object], said: str) -> None:
    database = make_memory()
    batch_id = submit(database)
    batch = database.batches[batch_id]
    templates = {key: row.model_copy(update=spoilt) for key, row in batch.plan.snapshot.templates.items()}
    batch.plan = batch.plan.model_copy(update={"snapshot": batch.plan.snapshot.model_copy(update={"templates": templates})})

    progress = run(database, batch_id, always(make_reply()))

    assert (progress.status, progress.failed, progress.attempts) == (BatchStatus.FAILED, 2, 0)
    assert said in (read_failure(database, batch_id).truncation_details or "")


def test_an_item_whose_scaffolding_is_not_in_the_batch_fails_without_a_call() -> None:
    database = make_memory()
    batch_id = submit(database)
    batch = database.batches[batch_id]
    batch.plan = batch.plan.model_copy(update={"snapshot": batch.plan.snapshot.model_copy(update={"topics": {}})})

    progress = run(database, batch_id, always(make_reply()))

    assert (progress.failed, progress.attempts) == (2, 0)


@pytest.mark.parametrize("failure", [CallFailureKind.RATE_LIMITED, CallFailureKind.SERVER_ERROR])
def test_a_worker_notices_that_a_batch_was_cancelled_while_its_items_wait(failure: CallFailureKind) -> None:
    database = make_memory()
    batch_id = submit(database, topics=1)
    called = asyncio.Event()

    def refuse(_request: ChatRequest, _call: int) -> CallFailure:
        called.set()
        return make_call_failure(failure, retry_after_seconds=600)

    async def cancel_meanwhile() -> None:
        job = asyncio.create_task(make_service(database, refuse).run_batch(batch_id))
        await called.wait()
        await asyncio.sleep(0.5)
        assert not job.done()
        database.control(batch_id, BatchAction.CANCEL)
        await asyncio.wait_for(job, timeout=60)

    asyncio.run(cancel_meanwhile())

    progress = database.get(batch_id)
    assert progress is not None
    assert (progress.status, progress.cancelled) == (BatchStatus.CANCELLED, 1)
