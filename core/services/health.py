"""The health of all parts, checked in parallel within a moment, and what to do about problems."""

import platform
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar
from uuid import UUID

from core.domain.diagnosis.alerts import STORAGE_WARNING_SHARE
from core.domain.diagnosis.health import (
    ClaudeHealth,
    DatabaseHealth,
    Health,
    Part,
    PartHealth,
    PartState,
    QueueHealth,
    StorageUse,
)
from core.ports.health import DatabaseProbe, QueueProbe
from core.services.probing import Probe, Silence

WAIT_SECONDS = 1.5
KEEP_SECONDS, KEEP_STORAGE_SECONDS = 3.0, 60.0
LEAST_CALLS = 5
"""With fewer calls in the last hour Claude is not judged."""
PACKAGES = ("brightrun", "streamlit", "anthropic", "supabase", "rq", "redis", "plotly", "pydantic")
Answer = TypeVar("Answer")


class HealthService:
    """Asks the parts; none can delay a page longer than `wait_seconds`."""

    def __init__(
        self,
        *,
        database: DatabaseProbe,
        queue: QueueProbe,
        storage_limit_bytes: int,
        shipped_migrations: tuple[str, ...] = (),
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._storage_limit_bytes = storage_limit_bytes
        self.shipped_migrations = shipped_migrations
        self._wait_seconds = wait_seconds
        self._dismiss_spool = database.dismiss_spool
        self._executor = ThreadPoolExecutor(4, "health")
        self._database = Probe(database.read_database, keep_seconds=KEEP_SECONDS)
        self._storage = Probe(database.measure_storage, keep_seconds=KEEP_STORAGE_SECONDS)
        self._queue = Probe(queue.read_queue, keep_seconds=KEEP_SECONDS)
        self._claude = Probe(database.read_claude, keep_seconds=KEEP_SECONDS)

    def check(self) -> Health:
        """Return the health of every part; a part that does not answer in time is down."""
        for probe in (self._database, self._storage, self._queue, self._claude):
            probe.begin(self._executor)
        until, now = time.monotonic() + self._wait_seconds, datetime.now(UTC)
        database, storage = self._database.read(until), self._storage.read(until)
        queue, claude = self._queue.read(until), self._claude.read(until)
        return Health(
            parts=(
                _judge_database(database, self.shipped_migrations),
                _judge_storage(storage, self._storage_limit_bytes),
                _judge_queue(queue),
                _judge_workers(queue, now),
                _judge_claude(claude),
            ),
            database=_keep(database),
            storage=_keep(storage),
            queue=_keep(queue),
            claude=_keep(claude),
            checked_at=now,
        )

    def dismiss_spool(self, spool_id: UUID) -> bool:
        """Forget replies that wait on a host which never comes back; false where it is not silent (any more)."""
        is_dismissed = self._dismiss_spool(spool_id)
        self._database.forget()
        return is_dismissed

    def close(self) -> None:
        """Stop asking; threads that hang are left."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def read_versions() -> Mapping[str, str]:
    """Return the versions of this program, of Python and of the packages that matter most."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def _judge_database(answer: DatabaseHealth | Silence, shipped: tuple[str, ...]) -> PartHealth:
    if isinstance(answer, Silence):
        return PartHealth(part=Part.DATABASE, state=PartState.DOWN, found=answer.because)
    applied = set(answer.migrations)
    missing = [migration for migration in shipped if migration not in applied]
    found = f"PostgreSQL {answer.database.split()[0]}, {len(applied)} migrations"
    if missing:
        return PartHealth(
            part=Part.DATABASE,
            state=PartState.PROBLEM,
            found=f"{found}; {len(missing)} of this version are not applied",
            advice="Run `brightrun migrate`.",
        )
    if shipped and (unknown := applied - set(shipped)):
        return PartHealth(
            part=Part.DATABASE,
            state=PartState.PROBLEM,
            found=f"{found}, {len(unknown)} of them unknown to this version",
            advice="The database is newer than these pages: update them.",
        )
    return PartHealth(part=Part.DATABASE, state=PartState.UP, found=f"{found}, all applied")


def _judge_storage(answer: StorageUse | Silence, limit_bytes: int) -> PartHealth:
    if isinstance(answer, Silence):
        return PartHealth(part=Part.STORAGE, state=PartState.DOWN, found=answer.because)
    found = f"{answer.bytes / 1e6:,.1f} of {limit_bytes / 1e6:,.0f} MB in {answer.files:,} error reports"
    if answer.bytes < STORAGE_WARNING_SHARE * limit_bytes:
        return PartHealth(part=Part.STORAGE, state=PartState.UP, found=found)
    advice = "Delete old failures with `brightrun prune --older-than-days 30`, or raise BRIGHTRUN_STORAGE_LIMIT_GB."
    return PartHealth(part=Part.STORAGE, state=PartState.PROBLEM, found=found, advice=advice)


def _judge_queue(answer: QueueHealth | Silence) -> PartHealth:
    if isinstance(answer, Silence):
        return PartHealth(part=Part.QUEUE, state=PartState.DOWN, found=answer.because)
    found = f"{answer.waiting_jobs:,} jobs wait, {answer.started_jobs:,} run, {answer.failed_jobs:,} failed"
    return PartHealth(part=Part.QUEUE, state=PartState.UP, found=found)


def _judge_workers(answer: QueueHealth | Silence, now: datetime) -> PartHealth:
    if isinstance(answer, Silence):
        return PartHealth(part=Part.WORKERS, state=PartState.UNKNOWN, found="Workers announce themselves in Redis.")
    alive = answer.count_alive(now)
    silent = len(answer.workers) - alive
    if answer.is_starting(now):
        found = "starting: they announce themselves within seconds of the start of Redis"
        return PartHealth(part=Part.WORKERS, state=PartState.UNKNOWN, found=found)
    if alive == 0:
        found = f"none is alive ({silent} silent)" if silent else "none is alive"
        advice = "Start one: `python worker.py`, or `brightrun up` for the whole stack."
        return PartHealth(part=Part.WORKERS, state=PartState.DOWN, found=found, advice=advice)
    busy = sum(worker.batch_id is not None and worker.is_alive(now) for worker in answer.workers)
    if silent:
        advice = "A killed worker disappears automatically within minutes; the others continue its work."
        return PartHealth(part=Part.WORKERS, state=PartState.PROBLEM, found=f"{alive} alive, {silent} silent", advice=advice)
    return PartHealth(part=Part.WORKERS, state=PartState.UP, found=f"{alive} alive, {busy} at work")


def _judge_claude(answer: ClaudeHealth | Silence) -> PartHealth:
    if isinstance(answer, Silence):
        return PartHealth(part=Part.CLAUDE, state=PartState.UNKNOWN, found="Known from the calls in the database.")
    calls, silent = sum(answer.stop_reasons.values()), answer.stop_reasons.get("none", 0)
    if answer.seen_at is None:
        return PartHealth(part=Part.CLAUDE, state=PartState.UNKNOWN, found="not called yet")
    if calls >= LEAST_CALLS and silent == calls:
        advice = "Look at the newest failures: key, credit, limits, or an outage (status.anthropic.com)."
        found = f"none of the {calls:,} calls in the last hour brought a reply"
        return PartHealth(part=Part.CLAUDE, state=PartState.PROBLEM, found=found, advice=advice)
    found = f"{calls:,} calls in the last hour" + (f", {silent:,} without a reply" if silent else "")
    return PartHealth(part=Part.CLAUDE, state=PartState.UP, found=found + (", simulated" if answer.simulated else ""))


def _keep(answer: Answer | Silence) -> Answer | None:
    return None if isinstance(answer, Silence) else answer
