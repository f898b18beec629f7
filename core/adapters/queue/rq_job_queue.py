"""The job queue on RQ. A job holds a batch id as JSON and nothing else; only PostgreSQL knows what there is to do."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq import Queue
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from core.adapters.queue.redis_reading import read_fields, read_moment, read_text
from core.adapters.queue.rq_jobs import BATCH_TIMEOUT_SECONDS, FAILED_BATCH_JOB_TTL_SECONDS, JOB_ID
from core.domain.batches.batch import BatchId
from core.domain.batches.queue_jobs import JobFunction, name_job
from core.errors import QueueUnavailable

SILENT_AFTER = timedelta(seconds=15)
"""A started job whose worker has been silent for this long is dead; workers send a heartbeat every 2 s."""
LATEST_JOB_TTL_SECONDS = 30 * 24 * 3600
MOST_BYTES = 1000
MOST_JOBS = 16
"""For one batch; a job that finds nothing to do ends at once."""


@dataclass(frozen=True, kw_only=True)
class RqJobQueue:
    """Enqueues RQ jobs for a batch, one for each worker that could help it.

    Each job has a name of its own, and keys of ours name the latest ones of the batch: RQ can neither delete nor reuse the
    name of a job whose worker was killed without tripping over what that worker left. Two calls at the same moment may
    enqueue too many, which is harmless, since items are leased.
    """

    redis: Redis
    queue_name: str

    def enqueue(self, batch_id: BatchId, useful_jobs: int = MOST_JOBS) -> None:
        """Enqueue the jobs of the batch that are neither queued nor at work; raises QueueUnavailable."""
        try:
            queue = Queue(self.queue_name, connection=self.redis, serializer=JSONSerializer)
            for number in range(min(max(self._count_workers(), 1), useful_jobs, MOST_JOBS)):
                self._enqueue(queue, batch_id, f"brightrun:{self.queue_name}:latest-job:{batch_id}:{number}")
        except RedisError as error:
            message = f"The queue does not answer ({error}). On this machine: `brightrun doctor`. Hosted: check REDIS_URL."
            raise QueueUnavailable(message) from error

    def _enqueue(self, queue: Queue, batch_id: BatchId, latest_key: str) -> None:
        latest = read_text(self.redis, latest_key, MOST_BYTES)
        if latest is not None and JOB_ID.fullmatch(latest) and self._is_alive(queue, latest):
            return
        job_id = name_job(batch_id, uuid4().hex[:8])
        queue.enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ types its functions loosely
            JobFunction.RUN_BATCH.value,
            str(batch_id),
            job_id=job_id,
            job_timeout=BATCH_TIMEOUT_SECONDS,
            result_ttl=0,
            failure_ttl=FAILED_BATCH_JOB_TTL_SECONDS,
        )
        self.redis.set(latest_key, job_id, ex=LATEST_JOB_TTL_SECONDS)

    def _count_workers(self) -> int:
        """Return how many workers of the queue are registered; dead ones count until RQ's bookkeeping removes them."""
        try:
            return self.redis.scard(WORKERS_BY_QUEUE_KEY % self.queue_name)
        except ResponseError:  # Somebody replaced the key by something else; a worker's bookkeeping puts it right.
            return 1

    def _is_alive(self, queue: Queue, job_id: str) -> bool:
        """Return whether a worker has the job or will get it. An unreadable job is dead: enqueueing twice is harmless."""
        fields = ("status", "enqueued_at", "last_heartbeat")
        job = read_fields(self.redis, Job.key_for(job_id), fields, MOST_BYTES)
        match job.get("status"):
            case JobStatus.QUEUED | JobStatus.READY_TO_ENQUEUE:
                # A worker killed between taking and starting the job leaves it queued in name only.
                return _is_recent(job.get("enqueued_at")) or queue.get_job_position(job_id) is not None
            case JobStatus.STARTED:
                return _is_recent(job.get("last_heartbeat"))
            case _:
                return False


def _is_recent(moment: str | None) -> bool:
    found = read_moment(moment)
    return found is not None and datetime.now(UTC) - found < SILENT_AFTER
