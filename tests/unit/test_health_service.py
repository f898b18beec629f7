"""What is found of each part, and that none of them holds a page up."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from core.domain.batches.batch import BatchId
from core.domain.batches.rate_limits import read_rate_limits
from core.domain.diagnosis.health import (
    ClaudeHealth,
    DatabaseHealth,
    Health,
    Part,
    PartHealth,
    PartState,
    QueueHealth,
    StorageUse,
    WorkerHealth,
)
from core.errors import DatabaseUnavailable, QueueUnavailable
from core.services.health import HealthService, read_versions
from tests.fakes.probe import ScriptedProbe

Check = Callable[..., Health]


@pytest.fixture
def probe() -> ScriptedProbe:
    return ScriptedProbe()


@pytest.fixture
def check(probe: ScriptedProbe) -> Iterator[Check]:
    opened: list[HealthService] = []

    def check_parts(*, shipped: tuple[str, ...] = (), wait_seconds: float = 1.5) -> Health:
        service = HealthService(
            database=probe, queue=probe, storage_limit_bytes=1000, shipped_migrations=shipped, wait_seconds=wait_seconds
        )
        opened.append(service)
        return service.check()

    yield check_parts
    for service in opened:
        service.close()


def find(health: Health, part: Part) -> PartHealth:
    return next(found for found in health.parts if found.part is part)


def make_queue(*silent_seconds: float, batch_id: BatchId | None = None) -> QueueHealth:
    now = datetime.now(UTC)
    workers = tuple(
        WorkerHealth(name=f"host:{n}", state="busy", batch_id=batch_id, last_heartbeat_at=now - timedelta(seconds=seconds))
        for n, seconds in enumerate(silent_seconds)
    )
    return QueueHealth(waiting_jobs=2, started_jobs=1, failed_jobs=0, workers=workers)


def fail(error: Exception) -> Callable[[], object]:
    def raise_it() -> object:
        raise error

    return raise_it


def test_a_living_worker_is_up_and_says_what_it_does(probe: ScriptedProbe, check: Check) -> None:
    probe.answer_queue = lambda: make_queue(3.0, batch_id=BatchId(uuid4()))

    health = check()

    assert find(health, Part.WORKERS).state is PartState.UP
    assert find(health, Part.WORKERS).found == "1 alive, 1 at work"
    assert find(health, Part.QUEUE).found == "2 jobs wait, 1 run, 0 failed"


def test_a_silent_worker_is_a_problem_and_none_alive_is_down(probe: ScriptedProbe, check: Check) -> None:
    probe.answer_queue = lambda: make_queue(3.0, 300.0)
    assert find(check(), Part.WORKERS).state is PartState.PROBLEM

    probe.answer_queue = lambda: make_queue(300.0)
    workers = find(check(), Part.WORKERS)
    assert workers.state is PartState.DOWN
    assert "brightrun up" in (workers.advice or "")


def test_workers_of_a_queue_that_has_just_begun_are_starting(probe: ScriptedProbe, check: Check) -> None:
    just_begun = datetime.now(UTC) - timedelta(seconds=2)
    probe.answer_queue = lambda: make_queue(300.0).model_copy(update={"began_at": just_begun})
    workers = find(check(), Part.WORKERS)
    assert workers.state is PartState.UNKNOWN
    assert workers.found.startswith("starting")

    probe.answer_queue = lambda: make_queue(3.0).model_copy(update={"began_at": just_begun})
    assert find(check(), Part.WORKERS).state is PartState.UP


def test_an_error_is_said_and_leaves_the_others_alone(probe: ScriptedProbe, check: Check) -> None:
    probe.answer_queue = fail(QueueUnavailable("The queue does not answer."))  # type: ignore[assignment]
    probe.answer_database = fail(DatabaseUnavailable("No answer."))  # type: ignore[assignment]

    health = check()

    assert find(health, Part.QUEUE).state is PartState.DOWN
    assert find(health, Part.QUEUE).found == "The queue does not answer."
    assert find(health, Part.WORKERS).state is PartState.UNKNOWN
    assert find(health, Part.DATABASE).state is PartState.DOWN
    assert find(health, Part.STORAGE).state is PartState.UP
    assert health.queue is None
    assert health.database is None


def test_a_part_that_hangs_does_not_hold_the_page_up(probe: ScriptedProbe) -> None:
    release, asked = threading.Event(), []

    def hang() -> DatabaseHealth:
        asked.append(1)
        release.wait(20)
        return DatabaseHealth(database="18.6", migrations=())

    probe.answer_database = hang
    service = HealthService(database=probe, queue=probe, storage_limit_bytes=1000, wait_seconds=0.2)
    try:
        begins = time.monotonic()
        assert find(service.check(), Part.DATABASE).state is PartState.DOWN
        assert find(service.check(), Part.DATABASE).found.startswith("No answer for")
        assert time.monotonic() - begins < 2
        assert len(asked) == 1  # The second look waits for the first question instead of asking again.
        release.set()
        time.sleep(0.1)
        assert find(service.check(), Part.DATABASE).state is PartState.UP
    finally:
        release.set()
        service.close()


def test_migrations_that_are_missing_or_unknown_are_said(probe: ScriptedProbe, check: Check) -> None:
    probe.answer_database = lambda: DatabaseHealth(database="18.6", migrations=("1", "2"))

    assert find(check(shipped=("1", "2")), Part.DATABASE).state is PartState.UP
    missing = find(check(shipped=("1", "2", "3")), Part.DATABASE)
    assert (missing.state, missing.advice) == (PartState.PROBLEM, "Run `brightrun migrate`.")
    assert "unknown to this version" in find(check(shipped=("1",)), Part.DATABASE).found


def test_storage_near_its_limit_is_a_problem(probe: ScriptedProbe, check: Check) -> None:
    probe.answer_storage = lambda: StorageUse(bytes=800, files=3)

    assert find(check(), Part.STORAGE).state is PartState.PROBLEM


def test_claude_is_a_problem_only_when_no_call_brings_a_reply(probe: ScriptedProbe, check: Check) -> None:
    assert find(check(), Part.CLAUDE).state is PartState.UNKNOWN
    now = datetime.now(UTC)
    probe.answer_claude = lambda: ClaudeHealth(seen_at=now, stop_reasons={"end_turn": 20, "none": 5})
    assert find(check(), Part.CLAUDE).state is PartState.UP
    probe.answer_claude = lambda: ClaudeHealth(seen_at=now, stop_reasons={"none": 5})
    assert find(check(), Part.CLAUDE).state is PartState.PROBLEM


def test_rate_limits_are_read_from_headers_and_nonsense_is_left_out() -> None:
    limits = read_rate_limits(
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "10",
            "anthropic-ratelimit-tokens-limit": "many",
            "anthropic-ratelimit-tokens-remaining": "1",
        }
    )

    assert [(limit.kind, limit.share_left) for limit in limits] == [("requests", 0.2)]


def test_versions_name_what_matters() -> None:
    assert {"python", "streamlit", "rq", "redis", "supabase", "anthropic"} <= set(read_versions())
