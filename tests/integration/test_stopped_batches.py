"""Whole batches of 40 over the real database, a server in place of Claude: paused at once where right, nothing lost."""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.adapters.claude.client import open_claude
from core.adapters.files.spool import FileSpool
from core.adapters.files.spooling import SpoolingWorkStore
from core.adapters.queue.redis_connection import connect_async_redis
from core.adapters.queue.redis_pace_board import RedisPaceBoard
from core.adapters.supabase.failures import SupabaseFailureStore
from core.adapters.supabase.pages import SupabaseBatchStore
from core.adapters.supabase.session import Analyst, open_worker_client
from core.adapters.supabase.worker import SupabaseWorkStore
from core.bootstrap import build_page_services
from core.config import PageSettings, Settings
from core.domain.batches.batch import BatchAction, BatchId, BatchProgress, BatchStatus
from core.domain.batches.estimate import estimate_batch
from core.domain.batches.pacing import Pace
from core.domain.batches.results import FailureFilters
from core.domain.batches.work import CallFailure, ChatRequest
from core.domain.verdict.reply import RawResponse, Reply
from core.ports.claude import ChatModel
from core.ports.results import FailureStore
from core.ports.work import PaceBoard
from core.services.failures import get_report
from core.services.generation import GenerationService
from tests.factories import make_conversation_json, make_reply, make_selection, make_settings
from tests.fakes.answering_server import Answer, answering_server
from tests.fakes.claude import ScriptedPaceBoard
from tests.fakes.worker import make_worker
from tests.integration.api_answers import JSON, ApiCase, Follows, find_case, read_cases
from tests.support.batch_runs import run_alone
from tests.support.stack import sign_up
from tests.support.stores import ask

ROOT = Path(__file__).parents[2]
ITEMS, CONCURRENCY = 40, 5
GOOD_FIRST = 3
GOOD = Answer(
    status=200,
    headers=JSON,
    body=json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "content": [{"type": "text", "text": make_conversation_json()}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 10, "output_tokens": 20},
        }
    ).encode(),
)
STOPPING = [
    "usage limit as 200",
    "usage limit as 400",
    "usage limit as 403",
    "usage limit as 429",
    "This organization has been disabled.",
    "Extra usage is required for long context requests.",
    "Your credit balance is too low to access the API.",
    "Access to Anthropic models is not available in your region (XX)",
    "invalid x-api-key",
    "Request not allowed",
    "model: claude-sonnet-3",
    "404 page",
    "detail: Not Found",
    "login page under 200",
    "login page under 403",
    "407 page",
    "redirect to a sign-in",
    "429 for days",
    "usage limit through LiteLLM",
    "event of a usage limit",
    "disabled API access of a workspace",
    "region behind the title of a page",
    "page as Claude's message",
    "no success and no reason",
]
PASSING = ["overloaded_error as 200", "api_error as 200", "overloaded_error as 529", "Cloudflare's 520", "nothing under 200"]
PASSING += ["error beside a message", "event of an error", "overload through LiteLLM under 500", "no success"]
GIVEN_UP = [case.name for case in read_cases() if case.follows is Follows.GIVE_UP]


@dataclass(kw_only=True)
class Installation:
    """The real stack with an analyst of its own, and a worker's services over it."""

    settings: Settings
    analyst: Analyst
    folder: Path
    pace_board: PaceBoard = field(default_factory=ScriptedPaceBoard)

    @property
    def batches(self) -> SupabaseBatchStore:
        return SupabaseBatchStore(analyst=self.analyst)

    @property
    def failures(self) -> FailureStore:
        return SupabaseFailureStore(analyst=self.analyst)

    def submit(self, topics: int = 20, personas: int = 2, **settings: object) -> BatchId:
        selection = make_selection(personas, 1, topics)
        estimate = estimate_batch(selection.planned, concurrency=CONCURRENCY)
        settings = {"concurrency": CONCURRENCY, **settings}
        return self.batches.submit("B", selection, make_settings(**settings), estimate, None).batch_id

    def read(self, batch_id: BatchId) -> BatchProgress:
        batch = self.batches.get(batch_id)
        assert batch is not None
        assert batch.planned == batch.accepted + batch.failed + batch.cancelled + batch.running + batch.queued
        return batch

    def run(self, batch_id: BatchId, model: ChatModel | str) -> BatchProgress:
        """Work on a batch until nothing is left for this worker; `model` is one, or where a server of one is."""

        async def run() -> None:
            url, _ = self.settings.require_supabase()
            async with open_worker_client(url, self.settings.require_secret_key()) as client:
                store = SpoolingWorkStore(inner=SupabaseWorkStore(client=client), spool=FileSpool(folder=self.folder))
                if isinstance(model, str):
                    async with open_claude(api_key="sk-any", base_url=model, timeout_seconds=20, simulated=True) as claude:
                        await run_alone(self._serve(store, claude), batch_id)
                else:
                    await run_alone(self._serve(store, model), batch_id)

        asyncio.run(run())
        return self.read(batch_id)

    def _serve(self, store: SpoolingWorkStore, model: ChatModel) -> GenerationService:
        return make_worker(store, model, max_attempts=5, pace_board=self.pace_board)

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings.require_db_url(), autocommit=True) as connection:
            return connection.execute(sql.encode(), values).fetchall()


@pytest.fixture
def installation(seeded: Settings, tmp_path: Path) -> Iterator[Installation]:
    with sign_up(seeded) as analyst:
        yield Installation(settings=seeded, analyst=analyst, folder=tmp_path)


def answer_badly(case: ApiCase, *, good_first: int = 0, bad: int = 10**6) -> Callable[[int, Mapping[str, str]], Answer]:
    """Answer so many calls well, then so many as the case says, then well again."""
    return lambda number, _headers: case.answer if good_first < number <= good_first + bad else GOOD


@pytest.mark.parametrize("name", STOPPING)
def test_batch_is_paused_at_once_with_its_cause_and_nothing_more_is_called(installation: Installation, name: str) -> None:
    case = find_case(name)
    batch_id = installation.submit()

    with answering_server(answer_badly(case, good_first=GOOD_FIRST)) as server:
        batch = installation.run(batch_id, server.base_url)
        assert server.calls <= GOOD_FIRST + CONCURRENCY
        installation.run(batch_id, server.base_url)
        assert server.calls <= GOOD_FIRST + CONCURRENCY, "nothing more is called"

    assert (BatchStatus.PAUSED, GOOD_FIRST, 1) == (batch.status, batch.accepted, batch.failed)
    assert batch.queued == ITEMS - GOOD_FIRST - 1, "whoever met the same wall is not lost"
    assert batch.attempts == server.calls
    assert (batch.status_reason or "").startswith("Paused automatically: ")
    assert case.says in (batch.status_reason or "")
    assert len(batch.status_reason or "") <= 300
    (row,) = installation.failures.list_page(FailureFilters(batch_id=batch_id)).rows
    report = get_report(installation.failures, row.id)
    body = case.answer.body.decode()
    assert report["raw_response"]["body"] == (json.loads(body) if body.startswith("{") else body)


def test_paused_batch_goes_on_when_the_cause_is_mended(installation: Installation) -> None:
    batch_id = installation.submit()
    with answering_server(answer_badly(find_case("usage limit as 400"), good_first=GOOD_FIRST)) as server:
        installation.run(batch_id, server.base_url)
    installation.batches.control(batch_id, BatchAction.RESUME)
    with answering_server(lambda _number, _headers: GOOD) as server:
        batch = installation.run(batch_id, server.base_url)

    assert (BatchStatus.COMPLETED, ITEMS - 1, 1) == (batch.status, batch.accepted, batch.failed)


@pytest.mark.parametrize("name", PASSING)
def test_passing_answers_cost_nothing_but_time(installation: Installation, name: str) -> None:
    batch_id = installation.submit(topics=10)

    with answering_server(answer_badly(find_case(name), bad=3)) as server:
        batch = installation.run(batch_id, server.base_url)

    assert (BatchStatus.COMPLETED, 20, 23) == (batch.status, batch.accepted, batch.attempts)


def test_content_filter_refuses_its_item_alone_and_is_not_asked_again(installation: Installation) -> None:
    batch_id = installation.submit()

    filtered = find_case("Output blocked by content filtering policy as 400")
    with answering_server(answer_badly(filtered, good_first=3, bad=1)) as server:
        batch = installation.run(batch_id, server.base_url)

    assert (BatchStatus.COMPLETED, ITEMS - 1, ITEMS) == (batch.status, batch.accepted, batch.attempts)
    assert installation.failures.count(FailureFilters(batch_id=batch_id)).by_type == {"refusal": 1}


@pytest.mark.parametrize("name", GIVEN_UP)
def test_setting_that_fails_every_item_alike_pauses_the_batch_after_a_few(installation: Installation, name: str) -> None:
    case = find_case(name)
    batch_id = installation.submit()

    with answering_server(answer_badly(case)) as server:
        batch = installation.run(batch_id, server.base_url)

    assert batch.status is BatchStatus.PAUSED
    assert 3 <= batch.failed <= 3 + CONCURRENCY
    assert "failed in the same way and none was accepted" in (batch.status_reason or "")
    assert case.says[:60] in (batch.status_reason or "")
    assert server.calls == batch.failed == batch.attempts
    assert len(batch.status_reason or "") <= 300


def test_reply_cut_by_a_limit_that_is_too_low_pauses_the_batch_too(installation: Installation) -> None:
    cut = json.loads(GOOD.body) | {"stop_reason": "max_tokens", "content": [{"type": "text", "text": '{"turns": ['}]}
    batch_id = installation.submit(max_tokens=100)

    with answering_server(lambda _n, _h: Answer(status=200, headers=JSON, body=json.dumps(cut).encode())) as server:
        batch = installation.run(batch_id, server.base_url)

    assert batch.status is BatchStatus.PAUSED
    assert batch.failed <= 3 + CONCURRENCY


def test_failures_that_differ_or_follow_an_accepted_item_pause_nothing(installation: Installation) -> None:
    long, refused = find_case(GIVEN_UP[0]).answer, find_case("Output blocked by content filtering policy as 400").answer
    after_success, mixed = installation.submit(topics=4), installation.submit(topics=2)

    with answering_server(answer_badly(find_case(GIVEN_UP[0]), good_first=1, bad=6)) as server:
        batch = installation.run(after_success, server.base_url)
    assert (BatchStatus.COMPLETED, 2, 6) == (batch.status, batch.accepted, batch.failed)
    with answering_server(lambda number, _headers: GOOD if number > 3 else (long, refused)[number % 2]) as server:
        batch = installation.run(mixed, server.base_url)
    assert (BatchStatus.COMPLETED, 1) == (batch.status, batch.accepted)


class RaisingModel:
    """A call that ends in an exception which no adapter foresaw."""

    calls = 0

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        self.calls += 1
        raise OverflowError(f"date value out of range for {request.settings.model}, Bearer sk-ant-0123456789abcdef")


class UnstorableModel:
    """A reply in which nothing can be stored."""

    calls = 0

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        self.calls += 1
        raw = RawResponse(status_code=2**40, headers={"x": "\0"}, body=b'{"a":' * 5_000)
        reply = make_reply("\ud800\0", stop_reason="s" * 500, model="m" * 500)
        usage = reply.usage.model_copy(update={"output_tokens": 10**30})
        return reply.model_copy(update={"raw": raw, "request_id": "\0", "usage": usage})


class AwayBoard:
    """A pace board of which nothing works."""

    async def read(self, model: str) -> Pace | None:
        raise ConnectionResetError(model)

    async def write(self, model: str, pace: Pace) -> None:
        raise ConnectionResetError(model, pace)


def test_exception_that_leaves_a_call_is_a_failed_attempt_with_its_stack_and_pauses_the_batch(
    installation: Installation,
) -> None:
    batch_id, model = installation.submit(), RaisingModel()

    batch = installation.run(batch_id, model)

    assert (BatchStatus.PAUSED, 0) == (batch.status, batch.running)
    assert 3 <= batch.failed == batch.attempts == model.calls <= 3 + CONCURRENCY
    assert "OverflowError" in (batch.status_reason or "")
    row = installation.failures.list_page(FailureFilters(batch_id=batch_id)).rows[0]
    stack = get_report(installation.failures, row.id)["error_report"]["error_stack"]
    assert "in complete" in stack
    assert "OverflowError: date value out of range" in stack
    assert "0123456789abcdef" not in str(get_report(installation.failures, row.id))


def test_reply_of_which_nothing_can_be_stored_is_paid_for_once(installation: Installation) -> None:
    batch_id, model = installation.submit(), UnstorableModel()

    batch = installation.run(batch_id, model)

    assert (BatchStatus.PAUSED, 0) == (batch.status, batch.running)
    assert 3 <= batch.failed == batch.attempts == model.calls <= 3 + CONCURRENCY
    row = installation.failures.list_page(FailureFilters(batch_id=batch_id)).rows[0]
    assert "could not be stored" in (row.truncation_details or "")


@pytest.mark.parametrize("is_away", [False, True])
def test_pace_that_cannot_be_shared_costs_no_reply(installation: Installation, *, is_away: bool) -> None:
    batch_id = installation.submit(topics=3)

    async def run_without_redis() -> None:
        async with connect_async_redis("redis://127.0.0.1:9/0") as redis:
            installation.pace_board = AwayBoard() if is_away else RedisPaceBoard(redis=redis)

    asyncio.run(run_without_redis())
    with answering_server(lambda _number, _headers: GOOD) as server:
        batch = installation.run(batch_id, server.base_url)

    assert (BatchStatus.COMPLETED, 6, 6) == (batch.status, batch.accepted, batch.attempts)


def kill_worker(installation: Installation, batch_id: BatchId, wanted: int = CONCURRENCY) -> list[int]:
    """Lease as a worker that is then killed: its leases run out and nothing is recorded. Return the positions."""

    async def lease() -> list[int]:
        url, _ = installation.settings.require_supabase()
        async with open_worker_client(url, installation.settings.require_secret_key()) as client:
            store = SupabaseWorkStore(client=client)
            return [item.position for item in (await store.lease(batch_id, ask("killed", wanted, -1))).items]

    return asyncio.run(lease())


def test_item_whose_worker_is_killed_each_time_is_given_up_and_costs_no_call(installation: Installation) -> None:
    batch_id = installation.submit(topics=1, personas=1)
    assert [kill_worker(installation, batch_id) for _ in range(5)] == [[0]] * 5

    with answering_server(lambda _number, _headers: GOOD) as server:
        batch = installation.run(batch_id, server.base_url)

    assert (BatchStatus.FAILED, 1, 0, 0) == (batch.status, batch.failed, batch.attempts, server.calls)
    (row,) = installation.failures.list_page(FailureFilters(batch_id=batch_id)).rows
    assert "5 workers in a row took this item" in (row.error_message or "")


def test_item_that_lost_two_workers_runs_after_the_others_and_alone(installation: Installation) -> None:
    batch_id = installation.submit(topics=6, personas=1, concurrency=6)
    installation.query(
        "update batch_items set lost_leases = 2 where batch_id = %s and position in (0, 1) returning 1", str(batch_id)
    )

    assert sorted(kill_worker(installation, batch_id)) == [2, 3, 4, 5]
    assert sorted(kill_worker(installation, batch_id)) == [2, 3, 4, 5]
    assert [len(kill_worker(installation, batch_id)) for _ in range(3)] == [1, 1, 1], "now all are suspects"
    with answering_server(lambda _number, _headers: GOOD) as server:
        batch = installation.run(batch_id, server.base_url)
    assert (BatchStatus.COMPLETED, 6) == (batch.status, batch.accepted)


def test_result_in_between_clears_an_item_of_suspicion(installation: Installation) -> None:
    batch_id = installation.submit(topics=1, personas=1)
    kill_worker(installation, batch_id)

    with answering_server(answer_badly(find_case("overloaded_error as 529"), bad=1)) as server:
        installation.run(batch_id, server.base_url)

    assert installation.query("select lost_leases from batch_items where batch_id = %s", str(batch_id)) == [(0,)]


def test_batch_page_shows_cause_and_date(installation: Installation) -> None:
    batch_id = installation.submit()
    with answering_server(answer_badly(find_case("usage limit as 400"), good_first=GOOD_FIRST)) as server:
        installation.run(batch_id, server.base_url)

    warning = read_warning(installation, batch_id)

    assert "A usage or spend limit is reached" in warning
    assert "Access returns: 2027-01-01 at 00:00 UTC" in warning


def test_batch_page_shows_no_markup_of_a_proxy(installation: Installation) -> None:
    batch_id = installation.submit()
    case = find_case("login page under 200")
    with answering_server(answer_badly(case)) as server:
        installation.run(batch_id, server.base_url)

    warning = read_warning(installation, batch_id)

    assert "A proxy answered in place of Claude" in warning
    assert "Sign in - Example Corp" in warning
    assert "<" not in warning


def read_warning(installation: Installation, batch_id: BatchId) -> str:
    """Open the batch's page as its analyst and return what it warns of."""
    st.cache_resource.clear()
    settings = PageSettings.model_validate(
        {name: getattr(installation.settings, name) for name in PageSettings.model_fields}
    )
    app = AppTest.from_file(str(ROOT / "Home.py"), default_timeout=60)
    app.session_state["services"] = build_page_services(settings, installation.analyst)
    app.session_state["settings"] = settings
    app.run()
    app.switch_page("pages/Batch_Monitor.py")
    app.query_params["batch"] = str(batch_id)
    app.run()
    assert not app.exception
    return " ".join(warning.value.replace("\\", "") for warning in app.warning)
