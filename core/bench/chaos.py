"""Chaos: parts are killed at random while batches run with all passing and content faults; then the results are counted."""

import os
import random
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial

import httpx
import psycopg
from pydantic import ValidationError
from redis import Redis

from core.adapters.supabase.migrations import apply_migrations
from core.bootstrap import open_local_services
from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId, BatchSettings, Selection
from core.domain.batches.monitor import ItemStatus
from core.domain.batches.work import AttemptOutcome
from core.domain.record import Record
from core.domain.scaffolding.records import ConversationCategory
from core.domain.verdict.conversation import Conversation
from core.domain.verdict.judgement import judge_conversation
from core.domain.verdict.verdict import Accepted
from core.embedded.folder import StackFolder
from core.embedded.plan import REPOSITORY, SERVICES, Part, StackPlan
from core.embedded.stack import start_stack
from core.embedded.state import read_state
from core.embedded.supervision import Supervisor
from core.errors import BrightRunError, StackError
from core.seed import seed

CONTENT_FAULTS = (
    "max_tokens context_window cut_string cut_mid_word cut_json refusal pause_turn tool_use stop_sequence empty malformed "
    "wrong_roles escaped_text content_filter"
)
PASSING_FAULTS = "rate_limit overloaded server_error timeout disconnect error_as_200 gateway_page"
# bad_key, no_credit, usage_limit and login_page pause a batch immediately, as they should; these batches have to finish.
FAULTS = ",".join([f"{kind}=0.008" for kind in CONTENT_FAULTS.split()] + [f"{kind}=0.01" for kind in PASSING_FAULTS.split()])
KILLED_PARTS = ("worker-1", "worker-1", "valkey", "postgres", "api")
CONCURRENCY = 10
POLL_SECONDS = 0.5
Say = Callable[[str], None]


class Disturbance(Record):
    """What was done to the stack, and when."""

    second: float
    action: str


class ChaosResult(Record):
    """The contents of the database after everything has ended."""

    items: int
    accepted: int
    failed: int
    open_items: int
    attempts: int
    retried: int
    superseded: int
    items_closed_twice: int
    bad_conversations: int
    failures_without_report: int
    simulator_requests: int
    allowed_requests: int
    disturbances: tuple[Disturbance, ...]
    seconds: float

    @property
    def problems(self) -> tuple[str, ...]:
        """The broken promises; empty if there are none."""
        checks = {
            f"{self.items} items, but {self.accepted} accepted and {self.failed} failed": (
                self.accepted + self.failed != self.items or self.open_items > 0
            ),
            f"{self.items_closed_twice} items were closed twice": self.items_closed_twice > 0,
            f"{self.bad_conversations} conversations are cut or corrupted": self.bad_conversations > 0,
            f"{self.failures_without_report} failures have no report": self.failures_without_report > 0,
            f"{self.simulator_requests} requests, more than {self.allowed_requests}": (
                self.simulator_requests > self.allowed_requests
            ),
        }
        return tuple(problem for problem, is_so in checks.items() if is_so)


def run_chaos(settings: Settings, *, items: int, disturbances: int, seed_number: int, say: Say) -> ChaosResult:
    """Run batches of `items` in total in a stack of its own, under `settings.home`, while parts are killed at random.

    Raises StackError if the batches do not end within ten minutes after the last disturbance.
    """
    chaotic = settings.model_copy(
        update={
            "sim_faults": FAULTS,
            "sim_latency_seconds": 0.3,
            "sim_seed": seed_number,
            "lease_seconds": 10.0,
            "request_timeout_seconds": 5.0,
        }
    )
    plan = StackPlan(
        chaotic,
        SERVICES | {Part.SIMULATOR, Part.WORKER},
        migrate=partial(apply_migrations, folder=REPOSITORY / "migrations"),
        seed=seed,
    )
    with start_stack(plan, say) as stack:
        began = time.monotonic()
        batch_ids = _submit(stack.settings, items)
        done = tuple(_disturb(stack.settings, disturbances, random.Random(seed_number), began, say))  # noqa: S311
        _wait_for_end(stack.settings, batch_ids, say)
        return _count(stack.settings, done, time.monotonic() - began)


@contextmanager
def _connect(settings: Settings) -> Generator[psycopg.Connection]:
    with psycopg.connect(settings.require_db_url(), autocommit=True) as connection:
        yield connection


def _submit(settings: Settings, items: int) -> list[BatchId]:
    """Submit core and edge batches until the number of items is reached."""
    services = open_local_services(settings)
    choices = services.scaffolding.list_choices()
    batch_settings = BatchSettings(model=settings.model, max_tokens=settings.max_tokens, concurrency=CONCURRENCY)
    batch_ids: list[BatchId] = []
    categories = list(ConversationCategory)
    while items > 0:
        category = categories[len(batch_ids) % len(categories)]
        selection = Selection(
            category=category,
            persona_ids=tuple(persona.id for persona in choices.personas),
            arc_ids=tuple(arc.id for arc in choices.arcs_of(category)),
            topic_ids=tuple(topic.id for topic in choices.topics),
            limit=items,
        )
        submitted = services.batches.submit(selection, batch_settings)
        batch_ids.append(submitted.batch_id)
        items -= submitted.planned
    services.close()
    return batch_ids


def _disturb(settings: Settings, number: int, chance: random.Random, began: float, say: Say) -> Generator[Disturbance]:
    folder = StackFolder(settings.home.absolute())
    actions = [*(f"kill -9 {part}" for part in KILLED_PARTS), "flush Redis"]
    order = [action for _ in range(number // len(actions) + 1) for action in chance.sample(actions, len(actions))]
    for action in order[:number]:
        time.sleep(chance.uniform(4, 8))
        if action == "flush Redis":
            with Redis.from_url(settings.require_redis()) as redis:  # pyright: ignore[reportUnknownMemberType]
                redis.flushall()  # pyright: ignore[reportUnknownMemberType] - redis-py leaves keyword arguments untyped
        else:
            _kill(folder, action.removeprefix("kill -9 "))
        done = Disturbance(second=round(time.monotonic() - began, 1), action=action)
        say(f"{done.second:6.1f} s  {done.action}")
        yield done


def _kill(folder: StackFolder, name: str) -> None:
    socket_path = read_state(folder).supervisor_socket
    if socket_path is None:
        raise StackError("The supervisor has no socket; the stack has ended.")
    status = Supervisor(socket_path).read_statuses()[name]
    if status.pid:
        os.kill(status.pid, signal.SIGKILL)


def _wait_for_end(settings: Settings, batch_ids: Sequence[BatchId], say: Say) -> None:
    """Wait until every batch has ended and every failure has its report. A batch that its breaker paused is resumed."""
    deadline = time.monotonic() + 600
    state = "nothing could be read"
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        try:
            with _connect(settings) as connection:
                row = connection.execute(
                    "select count(*) from public.batch_items where status in ('queued', 'processing')"
                ).fetchone()
                missing = connection.execute(
                    "select count(*) from public.failed_generations where raw_file_path is null"
                ).fetchone()
                paused = connection.execute("select id from public.batches where status = 'paused'").fetchall()
        except psycopg.OperationalError:
            continue  # PostgreSQL is restarting
        for (batch_id,) in paused:
            _resume(settings, BatchId(batch_id), say)
        open_items, missing_reports = (row or (0,))[0], (missing or (0,))[0]
        if open_items == 0 and missing_reports == 0:
            return
        state = f"{open_items} items open, {missing_reports} reports missing"
    raise StackError(f"The batches {', '.join(map(str, batch_ids))} did not end within 600 s: {state}.")


def _resume(settings: Settings, batch_id: BatchId, say: Say) -> None:
    """Resume a batch that its circuit breaker paused, as an analyst would."""
    try:
        services = open_local_services(settings)
        services.batches.control(batch_id, BatchAction.RESUME)
        services.close()
    except BrightRunError as error:
        say(f"          not resumed yet: {error}")
        return
    say(f"          batch {batch_id} was paused by its circuit breaker and is resumed")


def _count(settings: Settings, disturbances: tuple[Disturbance, ...], seconds: float) -> ChaosResult:
    with _connect(settings) as connection:
        statuses = dict(connection.execute("select status, count(*) from public.batch_items group by 1").fetchall())
        outcomes = dict(connection.execute("select outcome, count(*) from public.generation_attempts group by 1").fetchall())
        twice = connection.execute(
            "select batch_item_id from public.generation_attempts where outcome in ('accepted', 'failed')"
            " group by 1 having count(*) > 1"
        ).fetchall()
        missing = connection.execute("select count(*) from public.failed_generations where raw_file_path is null").fetchone()
        conversations = connection.execute("select metadata, turns from public.conversations").fetchall()
    items = sum(statuses.values())
    requests = httpx.get(f"{settings.anthropic_base_url}/stats", timeout=10).json()["requests"]
    worker_kills = sum("worker" in disturbance.action for disturbance in disturbances)
    retried = outcomes.get(AttemptOutcome.RETRIED, 0)
    return ChaosResult(
        items=items,
        accepted=statuses.get(ItemStatus.COMPLETED, 0),
        failed=statuses.get(ItemStatus.FAILED, 0),
        open_items=statuses.get(ItemStatus.QUEUED, 0) + statuses.get(ItemStatus.PROCESSING, 0),
        attempts=sum(outcomes.values()),
        retried=retried,
        superseded=outcomes.get(AttemptOutcome.SUPERSEDED, 0),
        items_closed_twice=len(twice),
        bad_conversations=sum(_is_bad(metadata, turns) for metadata, turns in conversations),
        failures_without_report=(missing or (0,))[0],
        simulator_requests=requests,
        # A killed worker's calls in flight are lost with it; one worker runs one batch at a time.
        allowed_requests=items + retried + worker_kills * CONCURRENCY,
        disturbances=disturbances,
        seconds=round(seconds, 1),
    )


def _is_bad(metadata: object, turns: object) -> bool:
    try:
        conversation = Conversation.model_validate({"conversation_metadata": metadata, "turns": turns})
    except ValidationError:
        return True
    return not isinstance(judge_conversation(conversation), Accepted)
