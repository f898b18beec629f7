"""How fast batches run beside a plain loop over the SDK, against the same simulated Claude in the same run."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psycopg
from pydantic import TypeAdapter

from core.adapters.claude.translation import build_payload
from core.adapters.supabase.migrations import apply_migrations
from core.adapters.supabase.session import open_worker_client
from core.adapters.supabase.worker import SupabaseWorkStore
from core.bench.large_batch import select_items, submit_items, wait_for_batch
from core.bench.plain_loop import LoopUsage
from core.bench.processes import Usage, wait_until_idle, watch_usage
from core.bench.simulator_limit import SimulatorLimit, measure_simulator
from core.bench.throughput_figures import CallTimes, Contender, Load, Round, ThroughputResult, measure_calls
from core.bootstrap import PageServices, open_local_services
from core.certificates import load_authorities
from core.config import Settings, child_environment
from core.domain.batches.batch import BatchId, Selection
from core.domain.batches.work import ChatRequest
from core.domain.scaffolding.prompt import render_prompt
from core.embedded.application import SIMULATOR
from core.embedded.folder import StackFolder
from core.embedded.plan import REPOSITORY, SERVICES, Part, StackPlan
from core.embedded.stack import start_stack
from core.errors import StackError
from core.seed import seed

SETTLE_SECONDS = 20.0
"""The longest pause before a round; it ends when the stack is idle: what a start or a round leaves to do is not counted."""
PATIENCE = 20
"""A batch may take this many times as long as its calls, and a minute."""
SIMULATOR_REQUESTS = 1_000
Say = Callable[[str], None]


def plan_load(settings: Settings, load: Load, **changes: object) -> StackPlan:
    """Return a stack with workers whose simulated Claude takes exactly the load's latency and makes no faults."""
    exact: dict[str, object] = {
        "sim_faults": "",
        "sim_latency_seconds": load.latency_seconds,
        "sim_latency_spread": 0.0,
        "worker_count": load.workers,
    }
    return StackPlan(
        settings.model_copy(update=exact | changes),
        SERVICES | {Part.SIMULATOR, Part.WORKER},
        migrate=partial(apply_migrations, folder=REPOSITORY / "migrations"),
        seed=seed,
    )


def run_throughput(
    settings: Settings, load: Load, rounds: int, say: Say, *, settle_seconds: float = SETTLE_SECONDS
) -> ThroughputResult:
    """Run batch and plain loop alternately in a stack of its own under `settings.home`."""
    with start_stack(plan_load(settings, load), say) as stack, closing(open_local_services(stack.settings)) as services:
        race = Race(stack.settings, services, load, say)
        done: list[Round] = []
        for run in [race.run_batch, race.run_loop] * rounds:
            wait_until_idle(stack.folder, settle_seconds)
            done.append(run())
        say("The simulator alone …")
        return ThroughputResult(load=load, rounds=tuple(done), simulator=race.measure_simulator())


class Race:
    """Both contenders, with the same requests."""

    def __init__(self, settings: Settings, services: PageServices, load: Load, say: Say) -> None:
        self._settings, self._services, self._load, self._say = settings, services, load, say
        self._folder = StackFolder(settings.home)
        self._selection: Selection = select_items(services, settings.require_db_url(), load.items)
        self._requests: list[dict[str, Any]] = []

    def run_batch(self) -> Round:
        """Submit a batch, wait for its end, and count."""
        load = self._load
        settings = self._settings.batch_defaults.model_copy(update={"concurrency": load.concurrency})
        with watch_usage(self._folder) as watch:
            submitted_at = time.time()
            batch_id = submit_items(self._services, self._selection, settings, load.items)
            end = wait_for_batch(self._settings.require_db_url(), batch_id, 60 + PATIENCE * load.ideal_seconds)
            usages = watch.end()
        calls = read_calls(self._settings, submitted_at)
        call_seconds, efficiency = measure_calls(load, calls)
        self._requests = self._requests or asyncio.run(_list_requests(self._settings, batch_id))
        done = Round(
            contender=Contender.BRIGHT_RUN,
            accepted=end.accepted,
            requests=len(calls),
            call_seconds=call_seconds,
            efficiency=efficiency,
            usages=usages,
            seconds_to_first_call=min(arrived for arrived, _ in calls) - submitted_at,
            seconds_to_end=end.completed_at.timestamp() - max(answered for _, answered in calls),
        )
        return self._tell(done)

    def run_loop(self) -> Round:
        """Run the plain loop with the requests of the first batch, and count."""
        folder = self._settings.home
        requests, output = folder / "requests.jsonl", folder / "replies.jsonl"
        requests.write_text("".join(json.dumps(request) + "\n" for request in self._requests))
        output.unlink(missing_ok=True)
        with watch_usage(self._folder) as watch:
            began_at = time.time()
            loop = _run_plain_loop(self._settings, self._load.concurrency, requests, output)
            (simulator,) = (usage for usage in watch.end() if usage.part == SIMULATOR)
        calls = read_calls(self._settings, began_at)
        call_seconds, efficiency = measure_calls(self._load, calls)
        usage = Usage(
            part="loop",
            processor_seconds=loop.processor_seconds,
            memory_mb=loop.memory_mb,
            largest_process_mb=loop.memory_mb,
            private_mb=loop.memory_mb,
        )
        done = Round(
            contender=Contender.PLAIN_LOOP,
            accepted=len(output.read_text().splitlines()),
            requests=len(calls),
            call_seconds=call_seconds,
            efficiency=efficiency,
            usages=(simulator, usage),
        )
        return self._tell(done)

    def measure_simulator(self) -> SimulatorLimit:
        """Measure what a simulator of its own serves of the same requests, at the same concurrency."""
        repeated = self._requests * -(-SIMULATOR_REQUESTS // len(self._requests))
        return measure_simulator(repeated[:SIMULATOR_REQUESTS], self._load.concurrency)

    def _tell(self, done: Round) -> Round:
        if (done.accepted, done.requests) != (self._load.items, self._load.items):
            raise StackError(
                f"{done.contender}: {done.requests} requests and {done.accepted} rows instead of {self._load.items}."
            )
        self._say(f"{done.contender}: {done.call_seconds:.1f} s of calls, efficiency {done.efficiency:.3f}")
        return done


def read_calls(settings: Settings, since: float) -> list[CallTimes]:
    """Return the simulator's calls that came after a moment."""
    answer = httpx.get(f"{settings.anthropic_base_url}/calls", timeout=30, verify=load_authorities()).raise_for_status()
    return [call for call in TypeAdapter(list[CallTimes]).validate_json(answer.content) if call[0] >= since]


async def _list_requests(settings: Settings, batch_id: BatchId) -> list[dict[str, Any]]:
    """Return what the batch has sent, in the order of its items."""
    url, _ = settings.require_supabase()
    async with open_worker_client(url, settings.require_secret_key()) as client:
        plan = await SupabaseWorkStore(client=client).get_plan(batch_id)
    if plan is None:
        raise StackError(f"There is no batch {batch_id}.")
    with psycopg.connect(settings.require_db_url()) as connection:
        rows = connection.execute(
            "select template_id, persona_id, emotional_arc_id, training_topic_id from public.batch_items"
            " where batch_id = %s order by position",
            (batch_id,),
        ).fetchall()
    snapshot = plan.snapshot
    prompts = [
        render_prompt(snapshot.templates[template], snapshot.personas[persona], snapshot.arcs[arc], snapshot.topics[topic])
        for template, persona, arc, topic in rows
    ]
    return [build_payload(ChatRequest(prompt=prompt, settings=plan.settings)) for prompt in prompts]


def _run_plain_loop(settings: Settings, concurrency: int, requests: Path, output: Path) -> LoopUsage:
    options = {
        "--base-url": str(settings.anthropic_base_url),
        "--concurrency": str(concurrency),
        "--requests": str(requests),
        "--output": str(output),
    }
    words = [word for option in options.items() for word in option]
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "core.bench.plain_loop", *words],
        cwd=REPOSITORY,
        env=child_environment(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"The plain loop failed: {done.stderr.decode()}")
    return LoopUsage.model_validate_json(done.stdout)
