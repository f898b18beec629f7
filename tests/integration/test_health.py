"""What the probes find on real services, and what they say when one is away."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from redis import Redis
from rq import Worker

from core.adapters.migrations import read_migrations
from core.adapters.redis_connection import PAGE_RETRIES, connect_redis
from core.adapters.redis_pace_board import pace_key
from core.adapters.redis_pulse import RedisPulse
from core.adapters.rq_doorbell import RqDoorbell
from core.adapters.rq_health import RqProbe
from core.adapters.rq_worker import BatchWorker
from core.adapters.supabase.health import SupabaseProbe
from core.bootstrap import MIGRATIONS
from core.config import Settings
from core.domain.batch import BatchId
from core.domain.health import Part, PartState
from core.domain.pacing import begin_pace
from core.errors import QueueUnavailable
from core.services.health import HealthService
from tests.integration.conftest import sign_up


@pytest.fixture
def redis(seeded: Settings) -> Iterator[Redis]:
    connection = connect_redis(seeded.require_redis(), retries=PAGE_RETRIES)
    yield connection
    connection.close()


@pytest.fixture
def worker(redis: Redis) -> Iterator[BatchWorker]:
    """A worker that has announced itself on a queue of its own."""
    worker = BatchWorker(f"health-{uuid4().hex}", redis, lambda _: None)
    worker.register_birth()
    yield worker
    worker.register_death()


def test_a_worker_that_announces_itself_is_seen(redis: Redis, worker: Worker) -> None:
    queue = RqProbe(redis=redis, queue_name=worker.queue_names()[0]).read_queue()

    (found,) = queue.workers
    assert found.is_alive(datetime.now(UTC))
    assert found.name.endswith(f":{worker.pid}")
    assert (queue.waiting_jobs, queue.started_jobs, queue.failed_jobs) == (0, 0, 0)


def test_queue_depth_pace_and_the_reconciler_are_seen(redis: Redis) -> None:
    name, model, now = f"health-{uuid4().hex}", f"model-{uuid4().hex}", datetime.now(UTC)
    probe = RqProbe(redis=redis, queue_name=name)
    assert probe.read_queue().reconciled_at is None
    RqDoorbell(redis=redis, queue_name=name).ring(BatchId(uuid4()))
    RedisPulse(redis=redis, queue_name=name).beat()
    redis.set(pace_key(model), begin_pace(4, now).model_dump_json())
    redis.set(pace_key("of-another-version"), "{}")

    queue = probe.read_queue()

    assert queue.waiting_jobs == 1
    assert queue.workers == ()
    assert queue.paces[model].limit == 4
    assert queue.reconciled_at is not None
    assert queue.reconciled_at >= now


def test_redis_that_is_away_is_said() -> None:
    away = connect_redis("redis://127.0.0.1:1/0", retries=0)

    with pytest.raises(QueueUnavailable, match="does not answer"):
        RqProbe(redis=away, queue_name="any").read_queue()


def test_database_and_storage_are_up_with_all_migrations(seeded: Settings, redis: Redis) -> None:
    with sign_up(seeded) as analyst:
        service = HealthService(
            database=SupabaseProbe(analyst=analyst),
            queue=RqProbe(redis=redis, queue_name="brightrun"),
            storage_limit_bytes=10**9,
            shipped_migrations=tuple(migration.version for migration in read_migrations(MIGRATIONS)),
            wait_seconds=10,
        )
        try:
            health = service.check()
        finally:
            service.close()

    states = {part.part: part.state for part in health.parts}
    assert states[Part.DATABASE] is PartState.UP
    assert states[Part.STORAGE] is PartState.UP
    assert states[Part.QUEUE] is PartState.UP
    assert states[Part.CLAUDE] is PartState.UNKNOWN
    assert health.storage is not None
    assert health.storage.bytes >= 0
