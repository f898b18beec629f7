"""The doorbell on RQ. Only a batch id crosses it, as JSON; Postgres alone knows what is to be done."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer

from core.domain.batch import BatchId
from core.errors import QueueUnavailable

JOB_FUNCTION = "worker.run_batch"
SILENT_AFTER = timedelta(seconds=15)
"""A started job whose worker has not been heard for this long is dead; workers say something every 2 s."""
FAILED_JOB_TTL_SECONDS = 600
LATEST_JOB_TTL_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, kw_only=True)
class RqDoorbell:
    """Asks for a worker by an RQ job, at most one for a batch.

    Every ring makes a job of its own name, and a key of ours names the batch's latest: RQ can neither delete nor reuse the
    name of a job whose worker was killed without tripping over what that worker left. Two rings at the same moment may make
    two jobs, which is harmless, since items are leased.
    """

    redis: Redis
    queue_name: str

    def ring(self, batch_id: BatchId) -> None:
        """Enqueue a job for the batch unless one is queued or at work; raises QueueUnavailable."""
        latest_key = f"brightrun:{self.queue_name}:latest-job:{batch_id}"
        try:
            queue = Queue(self.queue_name, connection=self.redis, serializer=JSONSerializer)
            latest = self.redis.get(latest_key)
            if isinstance(latest, bytes) and self._is_alive(queue, latest.decode()):
                return
            job_id = f"{batch_id}_{uuid4().hex[:8]}"
            queue.enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ types its functions loosely
                JOB_FUNCTION,
                str(batch_id),
                job_id=job_id,
                job_timeout=-1,  # a batch takes as long as it takes; leases notice a dead worker
                result_ttl=0,
                failure_ttl=FAILED_JOB_TTL_SECONDS,
            )
            self.redis.set(latest_key, job_id, ex=LATEST_JOB_TTL_SECONDS)
        except RedisError as error:
            message = f"The queue does not answer ({error}). On this machine: `brightrun doctor`. Hosted: check REDIS_URL."
            raise QueueUnavailable(message) from error

    def _is_alive(self, queue: Queue, job_id: str) -> bool:
        try:
            job = Job.fetch(  # pyright: ignore[reportUnknownMemberType] - RQ leaves the serializer untyped
                job_id, connection=self.redis, serializer=JSONSerializer
            )
        except NoSuchJobError:
            return False
        now = datetime.now(UTC)
        match job.get_status(refresh=False):
            case JobStatus.QUEUED | JobStatus.READY_TO_ENQUEUE:
                # A worker killed between taking the job and starting it leaves one that is queued in name only.
                fresh = job.enqueued_at is not None and now - _aware(job.enqueued_at) < SILENT_AFTER
                return fresh or queue.get_job_position(job_id) is not None
            case JobStatus.STARTED:
                return job.last_heartbeat is not None and now - _aware(job.last_heartbeat) < SILENT_AFTER
            case _:
                return False


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
