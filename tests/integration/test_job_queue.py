"""The job queue on the real Valkey."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from redis import Redis
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from core.adapters.queue.redis_connection import connect_redis
from core.adapters.queue.rq_job_queue import MOST_JOBS, RqJobQueue
from core.config import Settings
from core.domain.batches.batch import BatchId
from core.errors import QueueUnavailable


@pytest.fixture
def redis(stack: Settings) -> Iterator[Redis]:
    redis = connect_redis(stack.require_redis(), retries=1)
    redis.flushdb()
    yield redis
    redis.close()


@pytest.fixture
def job_queue(redis: Redis) -> RqJobQueue:
    return RqJobQueue(redis=redis, queue_name="test")


def queue(redis: Redis) -> Queue:
    return Queue("test", connection=redis, serializer=JSONSerializer)


def fetch(redis: Redis) -> Job:
    """Return the one job of the queue."""
    (job_id,) = queue(redis).get_job_ids()
    return Job.fetch(job_id, connection=redis, serializer=JSONSerializer)


def test_enqueues_the_batch_id_and_nothing_else_as_json(redis: Redis, job_queue: RqJobQueue) -> None:
    batch_id = BatchId(uuid4())

    job_queue.enqueue(batch_id)

    job = fetch(redis)
    assert ("worker.run_batch", (str(batch_id),), {}) == (job.func_name, tuple(job.args), job.kwargs)
    assert redis.hget(job.key, "data") is not None


def test_enqueueing_twice_adds_no_second_job(redis: Redis, job_queue: RqJobQueue) -> None:
    batch_id = BatchId(uuid4())

    job_queue.enqueue(batch_id)
    job_queue.enqueue(batch_id)

    assert fetch(redis).args == [str(batch_id)]


@pytest.mark.parametrize(("workers", "useful_jobs", "jobs"), [(0, 5, 1), (3, 5, 3), (3, 2, 2), (40, 100, MOST_JOBS)])
def test_there_is_a_job_for_each_worker_that_can_help(
    redis: Redis, job_queue: RqJobQueue, workers: int, useful_jobs: int, jobs: int
) -> None:
    for number in range(workers):
        redis.sadd("rq:workers:test", f"rq:worker:{number}")
    batch_id = BatchId(uuid4())

    for _ in range(2):
        job_queue.enqueue(batch_id, useful_jobs)

    assert jobs == len(queue(redis).get_job_ids())


def test_a_worker_that_comes_later_gets_a_job_of_its_own(redis: Redis, job_queue: RqJobQueue) -> None:
    batch_id = BatchId(uuid4())
    redis.sadd("rq:workers:test", "rq:worker:1")
    job_queue.enqueue(batch_id, 5)

    redis.sadd("rq:workers:test", "rq:worker:2")
    job_queue.enqueue(batch_id, 5)

    assert 2 == len(queue(redis).get_job_ids())


def test_a_list_of_workers_of_another_type_keeps_no_batch_from_being_enqueued(redis: Redis, job_queue: RqJobQueue) -> None:
    redis.set("rq:workers:test", "x")

    job_queue.enqueue(BatchId(uuid4()), 5)

    assert 1 == len(queue(redis).get_job_ids())


def test_a_batch_is_enqueued_again_after_the_queue_was_flushed(redis: Redis, job_queue: RqJobQueue) -> None:
    batch_id = BatchId(uuid4())
    job_queue.enqueue(batch_id)
    redis.flushdb()

    job_queue.enqueue(batch_id)

    assert fetch(redis).args == [str(batch_id)]


@pytest.mark.parametrize(("silent_seconds", "again"), [(1, False), (60, True)])
def test_started_job_is_replaced_only_when_its_worker_is_silent(
    redis: Redis, job_queue: RqJobQueue, silent_seconds: int, *, again: bool
) -> None:
    batch_id = BatchId(uuid4())
    job_queue.enqueue(batch_id)
    job = fetch(redis)
    queue(redis).remove(job)
    job.set_status(JobStatus.STARTED)
    job.heartbeat(datetime.now(UTC) - timedelta(seconds=silent_seconds), ttl=600)

    job_queue.enqueue(batch_id)

    assert again == (len(queue(redis).get_job_ids()) == 1)


def test_job_that_is_queued_in_name_only_is_replaced(redis: Redis, job_queue: RqJobQueue) -> None:
    batch_id = BatchId(uuid4())
    job_queue.enqueue(batch_id)
    job = fetch(redis)
    queue(redis).remove(job)
    job.enqueued_at = datetime.now(UTC) - timedelta(seconds=60)
    job.save()

    job_queue.enqueue(batch_id)

    assert fetch(redis).id != job.id


def test_finished_or_failed_job_does_not_block_the_next(redis: Redis, job_queue: RqJobQueue) -> None:
    batch_id = BatchId(uuid4())
    job_queue.enqueue(batch_id)
    job = fetch(redis)
    queue(redis).remove(job)
    job.set_status(JobStatus.FAILED)

    job_queue.enqueue(batch_id)

    assert fetch(redis).id != job.id


@pytest.mark.parametrize(
    "latest", [b"\xff\xfe", b"", b"a:b", b"../../x", b"x" * 5000, b"no-such-job"], ids=lambda value: repr(value[:10])
)
def test_a_note_that_cannot_be_read_keeps_no_batch_from_being_enqueued(
    redis: Redis, job_queue: RqJobQueue, latest: bytes
) -> None:
    batch_id = BatchId(uuid4())
    redis.set(f"brightrun:test:latest-job:{batch_id}:0", latest)

    job_queue.enqueue(batch_id)

    assert fetch(redis).args == [str(batch_id)]


def test_a_note_of_another_type_keeps_no_batch_from_being_enqueued(redis: Redis, job_queue: RqJobQueue) -> None:
    batch_id = BatchId(uuid4())
    redis.rpush(f"brightrun:test:latest-job:{batch_id}:0", "a")

    job_queue.enqueue(batch_id)

    assert fetch(redis).args == [str(batch_id)]


@pytest.mark.parametrize(
    "fields",
    [
        {"status": b"\xff"},
        {"status": "dancing"},
        {"status": "started", "last_heartbeat": "soon"},
        {"status": "started", "last_heartbeat": b"\xff"},
        {"status": "queued", "enqueued_at": "x" * 100_000},
        {"data": b"\xff"},
    ],
    ids=repr,
)
def test_a_job_that_cannot_be_read_counts_as_dead(redis: Redis, job_queue: RqJobQueue, fields: dict[str, str]) -> None:
    batch_id = BatchId(uuid4())
    job_queue.enqueue(batch_id)
    job = fetch(redis)
    queue(redis).remove(job)
    redis.delete(job.key)
    redis.hset(job.key, mapping=fields)  # type: ignore[arg-type]

    job_queue.enqueue(batch_id)

    assert fetch(redis).id != job.id


def test_queue_that_is_away_says_what_to_do() -> None:
    redis = connect_redis("redis://127.0.0.1:9", retries=0)

    with pytest.raises(QueueUnavailable, match="brightrun doctor"):
        RqJobQueue(redis=redis, queue_name="test").enqueue(BatchId(uuid4()))
