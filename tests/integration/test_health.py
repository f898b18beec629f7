"""What the probes find on real services, and what they say when one is away."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from redis import Redis
from rq import Worker

from core.adapters.queue.redis_connection import PAGE_RETRIES, connect_redis
from core.adapters.queue.redis_notices import RedisNotices
from core.adapters.queue.redis_pace_board import pace_key
from core.adapters.queue.redis_pulse import RedisPulse
from core.adapters.queue.rq_health import RqProbe
from core.adapters.queue.rq_job_queue import RqJobQueue
from core.adapters.queue.rq_token_counter import RqTokenCounter, read_token_count
from core.adapters.queue.rq_worker import BatchWorker
from core.adapters.supabase.health import SupabaseProbe
from core.adapters.supabase.migrations import read_migrations
from core.bootstrap import MIGRATIONS
from core.config import Settings
from core.domain.batches.batch import BatchId
from core.domain.batches.pacing import begin_pace
from core.domain.batches.queue_jobs import RefusedJob
from core.domain.batches.work import ChatRequest
from core.domain.diagnosis.health import Part, PartState
from core.domain.diagnosis.notices import Notices
from core.domain.scaffolding.prompt import Prompt
from core.errors import QueueUnavailable
from core.services.health import HealthService
from tests.factories import make_settings
from tests.support.stack import sign_up


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
    RqJobQueue(redis=redis, queue_name=name).enqueue(BatchId(uuid4()))
    RedisPulse(redis=redis, queue_name=name).beat()
    redis.set(pace_key(model), begin_pace(4, now).model_dump_json())
    redis.set(pace_key("of-another-version"), "{}")

    queue = probe.read_queue()

    assert queue.waiting_jobs == 1
    assert queue.workers == ()
    assert queue.paces[model].limit == 4
    assert queue.reconciled_at is not None
    assert queue.reconciled_at >= now
    assert queue.began_at is not None
    assert queue.began_at < now


def test_what_cannot_be_read_is_left_out(redis: Redis, worker: Worker) -> None:
    name = worker.queue_names()[0]
    workers, model = f"rq:workers:{name}", f"model-{uuid4().hex}"
    redis.set("rq:worker:text", "no hash", ex=60)
    redis.hset("rq:worker:rubbish", mapping={"pid": "many", "last_heartbeat": "soon", "failed_job_count": "9" * 1000})
    redis.hset("rq:worker:binary", mapping={"hostname": b"\xff", "state": b"\xff", "last_heartbeat": b"\xff"})
    redis.hset("rq:worker:huge", mapping={"hostname": "x" * 1_000_000})
    redis.sadd(
        workers, b"\xff", "", "another key", *(f"rq:worker:{each}" for each in ("text", "rubbish", "binary", "huge", "gone"))
    )
    redis.sadd("rq:worker:rubbish:executions", b"\xff", "a:b:c")
    redis.set(f"brightrun:{name}:reconciled-at", b"\xff")
    redis.set(pace_key(model), '{"limit": -1, "reason": "", "changed_at": "2026-11-27T12:00:00Z"}', ex=60)
    redis.set(pace_key("").encode() + b"\xff", "{}", ex=60)
    redis.rpush(pace_key(f"list-{model}"), "a")
    try:
        queue = RqProbe(redis=redis, queue_name=name).read_queue()
    finally:
        redis.delete(pace_key(f"list-{model}"), *(f"rq:worker:{each}" for each in ("text", "rubbish", "binary", "huge")))
        redis.delete("rq:worker:rubbish:executions")

    alive = [found for found in queue.workers if found.is_alive(datetime.now(UTC))]
    assert [f":{worker.pid}"] == [found.name[-len(f":{worker.pid}") :] for found in alive]
    assert queue.reconciled_at is None
    assert model not in queue.paces


def test_a_worker_at_work_names_its_batch(redis: Redis, worker: Worker) -> None:
    batch_id = BatchId(uuid4())
    redis.sadd(worker.executions_key, f"{batch_id}_0123abcd:{uuid4().hex}")

    (found,) = RqProbe(redis=redis, queue_name=worker.queue_names()[0]).read_queue().workers

    assert found.batch_id == batch_id


def test_a_queue_of_another_type_is_said_and_is_not_taken_for_an_outage(redis: Redis) -> None:
    name = f"health-{uuid4().hex}"
    redis.set(f"rq:queue:{name}", "text", ex=60)

    with pytest.raises(QueueUnavailable, match="holds something else"):
        RqProbe(redis=redis, queue_name=name).read_queue()


@pytest.mark.parametrize("payload", [{"type": "x"}, {"type": 1, "return_value": "?"}, {"a": "b"}, {"type": 9}], ids=repr)
def test_a_token_count_that_somebody_else_wrote_is_none(redis: Redis, payload: dict[str, str]) -> None:
    name = f"count-{uuid4().hex}"
    counter = RqTokenCounter(redis=redis, queue_name=name)
    request = ChatRequest(prompt=Prompt(system="s", user="u"), settings=make_settings())

    def answer() -> None:
        _, job_id = redis.blpop([f"rq:queue:{name}"], 10)  # type: ignore[misc]
        redis.xadd(f"rq:results:{job_id.decode()}", payload)  # type: ignore[arg-type]

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        assert counter.count_tokens(request) is None
    finally:
        thread.join()


@pytest.mark.parametrize(
    ("value", "count"),
    [(0, 0), (1234, 1234), (True, None), (-1, None), (10**30, None), (1.5, None), ("9", None), ([], None)],
)
def test_a_token_count_is_a_plausible_number(value: object, count: int | None) -> None:
    assert read_token_count(value) == count


def test_notices_are_counted_bounded_and_forgotten(redis: Redis) -> None:
    notices = RedisNotices(redis=redis, queue_name=f"notices-{uuid4().hex}")
    key = f"brightrun:{notices.queue_name}:refused-jobs"
    assert notices.read() == Notices()

    for function in ("os.system", "eval"):
        notices.note_refused(RefusedJob(function=function, reason="no such function"))
    notices.note_stuck_results("alpha", 3)
    notices.note_stuck_results("beta\n\xff", 1)

    found = notices.read()
    assert found.refused is not None
    assert (2, "eval") == (found.refused.count, found.refused.function)
    assert {"alpha": 3, "beta??": 1} == {host.host: host.files for host in found.stuck}
    assert 0 < redis.ttl(key) <= 24 * 3600
    notices.note_stuck_results("alpha", 0)
    assert ["beta??"] == [host.host for host in notices.read().stuck]


@pytest.mark.parametrize(
    "fields", [{"count": "many"}, {"count": str(2**63 - 1)}, {"a": b"\xff"}, {"reason": "x" * 10_000}], ids=repr
)
def test_notices_that_somebody_else_wrote_are_begun_anew(redis: Redis, fields: dict[str, str]) -> None:
    notices = RedisNotices(redis=redis, queue_name=f"notices-{uuid4().hex}")
    redis.hset(f"brightrun:{notices.queue_name}:refused-jobs", mapping=fields)  # type: ignore[arg-type]
    redis.set(f"brightrun:{notices.queue_name}:stuck-results:a", "many", ex=60)
    redis.rpush(f"brightrun:{notices.queue_name}:stuck-results:b", "1")
    assert notices.read() == Notices()

    notices.note_refused(RefusedJob(function="eval", reason="no such function"))

    refused = notices.read().refused
    assert refused is not None
    assert refused.function == "eval"


def test_redis_that_is_away_has_no_notices() -> None:
    away = RedisNotices(redis=connect_redis("redis://127.0.0.1:1/0", retries=0), queue_name="any")

    away.note_stuck_results("alpha", 1)

    assert away.read() == Notices()


def test_redis_that_is_away_is_said() -> None:
    away = connect_redis("redis://127.0.0.1:1/0", retries=0)

    with pytest.raises(QueueUnavailable, match="does not answer"):
        RqProbe(redis=away, queue_name="any").read_queue()


def test_redis_that_is_away_leaves_an_estimate_of_tokens() -> None:
    away = connect_redis("redis://127.0.0.1:1/0", retries=0)
    request = ChatRequest(prompt=Prompt(system="s", user="u"), settings=make_settings())
    assert RqTokenCounter(redis=away, queue_name="any").count_tokens(request) is None


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
