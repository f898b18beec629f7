"""Chaos: parts are killed at random while batches run with all passing and content faults; then the results are counted."""

import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from functools import partial

import httpx
import psycopg
from redis import Redis

from core.adapters.supabase.migrations import apply_migrations
from core.bench.chaos_result import ChaosResult, Disturbance, connect, count_result, count_spooled
from core.bench.processes import find_family, read_processes
from core.bootstrap import open_local_services
from core.certificates import load_authorities
from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId, BatchSettings, Selection
from core.domain.scaffolding.records import ConversationCategory
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
KILLED_PARTS = ("valkey", "postgres", "api")
WORKER_KILLS = 2
"""In each round of disturbances; the workers take turns."""
CONCURRENCY = 10
POLL_SECONDS = 0.5
PAUSE_SECONDS = (4.0, 8.0)
"""Between two disturbances."""
SHORTEST_LATENCY, LONGEST_LATENCY = 0.3, 1.5
KILL, FLUSH = "kill -9", "flush Redis"
Say = Callable[[str], None]


def run_chaos(
    settings: Settings, *, items: int, disturbances: int, seed_number: int, say: Say, workers: int = 1
) -> ChaosResult:
    """Run batches of `items` in total in a stack of its own, under `settings.home`, while parts are killed at random.

    Raises StackError if the batches do not end within ten minutes after the last disturbance.
    """
    chaotic = settings.model_copy(
        update={
            "sim_faults": FAULTS,
            "sim_latency_seconds": choose_latency(items, disturbances),
            "sim_seed": seed_number,
            "lease_seconds": 10.0,
            "request_timeout_seconds": 5.0,
            "worker_count": workers,
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
        return count_result(stack.settings, done, time.monotonic() - began)


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
    for action in choose_actions(number, settings.worker_count, chance):
        time.sleep(chance.uniform(*PAUSE_SECONDS))
        lost = 0
        if action == FLUSH:
            with Redis.from_url(settings.require_redis()) as redis:  # pyright: ignore[reportUnknownMemberType]
                redis.flushall()  # pyright: ignore[reportUnknownMemberType] - redis-py leaves keyword arguments untyped
        elif action.startswith(f"{KILL} {Part.WORKER}"):
            lost = _kill_worker(settings, action.removeprefix(f"{KILL} "))
        elif pid := _find_pid(folder, action.removeprefix(f"{KILL} ")):
            os.kill(pid, signal.SIGKILL)
        done = Disturbance(second=round(time.monotonic() - began, 1), action=action, calls_in_flight=lost)
        say(f"{done.second:6.1f} s  {done.action}")
        yield done


def choose_latency(items: int, disturbances: int) -> float:
    """Return how long calls take, so that batches last about as long as the disturbances: an idle worker loses nothing."""
    seconds = disturbances * sum(PAUSE_SECONDS) / 2
    return min(max(seconds * CONCURRENCY / items, SHORTEST_LATENCY), LONGEST_LATENCY)


def choose_actions(number: int, workers: int, chance: random.Random) -> list[str]:
    """Return what is done to the stack: everything once in each round, in random order; the workers are killed in turn."""
    killed = itertools.cycle(f"{KILL} {Part.WORKER}-{worker}" for worker in range(1, workers + 1))
    order: list[str] = []
    while len(order) < number:
        actions = [*(next(killed) for _ in range(WORKER_KILLS)), *(f"{KILL} {part}" for part in KILLED_PARTS), FLUSH]
        order += chance.sample(actions, len(actions))
    return order[:number]


def _find_pid(folder: StackFolder, name: str) -> int:
    """Return the process of a part; 0 while it is being started again."""
    socket_path = read_state(folder).supervisor_socket
    if socket_path is None:
        raise StackError("The supervisor has no socket; the stack has ended.")
    return Supervisor(socket_path).read_statuses()[name].pid


def _kill_worker(settings: Settings, name: str) -> int:
    """Kill a worker, and return how many calls it had in flight, at most."""
    pid = _find_pid(StackFolder(settings.home), name)
    if not pid:
        return 0
    # Nothing may begin between the count and the kill.
    family = [process.pid for process in find_family(read_processes(), pid)]
    for member in family:
        _send(member, signal.SIGSTOP)
    lost = _count_calls(settings, family)
    _send(pid, signal.SIGKILL)
    for member in family:
        _send(member, signal.SIGKILL)  # What has stopped does not end with its parent on every system.
    return lost


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _count_calls(settings: Settings, pids: Sequence[int]) -> int:
    """Return how many calls these processes may have in flight: what they lease, and no more of a batch than may run."""
    try:
        with connect(settings) as connection:
            rows = connection.execute(
                "select count(*) from public.batch_items where status = 'processing'"
                " and split_part(leased_by, ':', 2) = any (%s) group by batch_id",
                ([str(pid) for pid in pids],),
            ).fetchall()
            return sum(min(count, CONCURRENCY) for (count,) in rows)
    except psycopg.OperationalError:
        # PostgreSQL is restarting: whatever is in flight may be this worker's.
        answer = httpx.get(f"{settings.anthropic_base_url}/stats", timeout=10, verify=load_authorities())
        return min(int(answer.json()["in_flight"]), CONCURRENCY)


def _wait_for_end(settings: Settings, batch_ids: Sequence[BatchId], say: Say) -> None:
    """Wait until every batch has ended, every failure has its report and every reply on disk is recorded.

    A batch that its breaker paused is resumed.
    """
    deadline = time.monotonic() + 600
    state = "nothing could be read"
    while time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        try:
            with connect(settings) as connection:
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
        open_items, missing_reports, on_disk = (row or (0,))[0], (missing or (0,))[0], count_spooled(settings.home)
        if (open_items, missing_reports, on_disk) == (0, 0, 0):
            return
        state = f"{open_items} items open, {missing_reports} reports missing, {on_disk} replies on disk"
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
