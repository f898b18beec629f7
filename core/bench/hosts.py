"""Two hosts share a batch; one is cut off in the middle, and comes back: what is lost, and what is called twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from typing import LiteralString
from urllib.parse import urlsplit

from core.adapters.supabase.migrations import apply_migrations
from core.bench.chaos_result import ChaosResult, Disturbance, connect, count_result, count_spooled
from core.bench.large_batch import select_items, submit_items
from core.bench.network_hosts import NetworkHost, open_host
from core.bench.waiting import wait_until
from core.bootstrap import open_local_services
from core.config import Settings
from core.domain.batches.batch import BatchId
from core.embedded.plan import REPOSITORY, SERVICES, Part, StackPlan
from core.embedded.stack import start_stack
from core.seed import seed

NAMES = ("host-a", "host-b")
CONCURRENCY = 20
LATENCY_SECONDS = 1.0
LEASE_SECONDS = 10.0
LIMIT_SECONDS = 180.0
STOP_SECONDS = 20.0
Say = Callable[[str], None]

_COUNT_DONE = "select count(*) from public.batch_items where batch_id = %s and status in ('completed', 'failed')"
_COUNT_LEASED = """
select count(*) from public.batch_items where batch_id = %s and status = 'processing' and split_part(leased_by, ':', 1) = %s
"""
_LIST_HOSTS = "select split_part(worker, ':', 1), count(*) from public.generation_attempts where batch_id = %s group by 1"


def run_hosts(settings: Settings, *, items: int, say: Say) -> ChaosResult:
    """Run a batch by workers on two hosts, cut one off when a third is done, and let it back when the other has gone on.

    Raises StackError where hosts cannot be made, or if the batch does not end.
    """
    exact: dict[str, object] = {"sim_faults": "", "sim_latency_seconds": LATENCY_SECONDS}
    plan = StackPlan(
        settings.model_copy(update=exact),
        SERVICES | {Part.SIMULATOR},
        migrate=partial(apply_migrations, folder=REPOSITORY / "migrations"),
        seed=seed,
    )
    with start_stack(plan, say) as stack, closing(open_local_services(stack.settings)) as services:
        selection = select_items(services, stack.settings.require_db_url(), items)
        wanted = stack.settings.batch_defaults.model_copy(update={"concurrency": CONCURRENCY})
        batch_id = submit_items(services, selection, wanted, items)
        with ExitStack() as opened:
            hosts = [
                opened.enter_context(_open_worker(stack.settings, name, number))
                for number, name in enumerate(NAMES, start=1)
            ]
            return _Rehearsal(stack.settings, batch_id, items, say).run(hosts)


class _Rehearsal:
    """One batch, from its beginning to its end."""

    def __init__(self, settings: Settings, batch_id: BatchId, items: int, say: Say) -> None:
        self._settings, self._batch_id, self._items, self._say = settings, batch_id, items, say
        self._began = time.monotonic()

    def run(self, hosts: Sequence[NetworkHost]) -> ChaosResult:
        """Cut the first host off and let it back; return what is left when all have ended."""
        cut = self._cut_off_and_connect(hosts[0])
        self._wait_until_done(self._items)
        wait_until(lambda: count_spooled_of(hosts) == 0, "no reply waits on disk", LIMIT_SECONDS)
        self._say(f"calls recorded by host: {self._count_by_host()}")
        result = count_result(self._settings, (cut,), time.monotonic() - self._began)
        return result.model_copy(update={"unrecorded_replies": count_spooled_of(hosts)})

    def _cut_off_and_connect(self, host: NetworkHost) -> Disturbance:
        wait_until(lambda: self._count_by_host().keys() == set(NAMES), "both hosts have made calls", LIMIT_SECONDS)
        self._wait_until_done(self._items // 3)
        host.cut_off()
        lost = min(self._count(_COUNT_LEASED, self._batch_id, host.name), CONCURRENCY)
        cut = Disturbance(second=self._measure_seconds(), action=f"cut off {host.name}", calls_in_flight=lost)
        self._say(f"{cut.second:6.1f} s  {cut.action}, with {lost} calls in flight at most")
        time.sleep(2 * LEASE_SECONDS)
        host.connect()
        self._say(f"{self._measure_seconds():6.1f} s  {host.name} is back")
        return cut

    def _wait_until_done(self, items: int) -> None:
        wait_until(lambda: self._count(_COUNT_DONE, self._batch_id) >= items, f"{items} items are done", LIMIT_SECONDS)

    def _measure_seconds(self) -> float:
        return round(time.monotonic() - self._began, 1)

    def _count(self, statement: LiteralString, *values: object) -> int:
        with connect(self._settings) as connection:
            row = connection.execute(statement, values).fetchone()
            return int(row[0]) if row else 0

    def _count_by_host(self) -> dict[str, int]:
        with connect(self._settings) as connection:
            return dict(connection.execute(_LIST_HOSTS, (self._batch_id,)).fetchall())


def count_spooled_of(hosts: Sequence[NetworkHost]) -> int:
    """Return how many replies wait on the hosts' disks."""
    return sum(count_spooled(host.home) for host in hosts)


@contextmanager
def _open_worker(settings: Settings, name: str, number: int) -> Generator[NetworkHost]:
    """A host with a worker that knows nothing but its settings."""
    url, key = settings.require_supabase()
    given = {
        "SUPABASE_URL": url,
        "SUPABASE_PUBLISHABLE_KEY": key,
        "SUPABASE_SECRET_KEY": settings.require_secret_key(),
        "REDIS_URL": settings.require_redis(),
        "ANTHROPIC_API_KEY": "any",
        "ANTHROPIC_BASE_URL": str(settings.anthropic_base_url),
        "BRIGHTRUN_SIMULATED": "true",
        "BRIGHTRUN_LEASE_SECONDS": str(LEASE_SECONDS),
        "BRIGHTRUN_REQUEST_TIMEOUT_SECONDS": "5",
    }
    addresses = (url, settings.require_redis(), str(settings.anthropic_base_url))
    ports = [port for address in addresses if (port := urlsplit(address).port) is not None]
    with open_host(name, number, settings.home / name, ports) as host:
        worker = host.start((sys.executable, "worker.py"), given | {"BRIGHTRUN_HOME": str(host.home)})
        try:
            yield host
        finally:
            _stop(worker)


def _stop(worker: "subprocess.Popen[bytes]") -> None:
    worker.terminate()
    try:
        worker.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
