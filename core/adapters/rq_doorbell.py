"""The doorbell on RQ. Only a batch id crosses it, as JSON; Postgres alone knows what is to be done."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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


@dataclass(frozen=True, kw_only=True)
class RqDoorbell:
    """Asks for a worker by an RQ job whose id is made of the batch's, so a batch has one job at most."""

    redis: Redis
    queue_name: str

    def ring(self, batch_id: BatchId) -> None:
        """Enqueue the batch's job unless it is queued or at work; raises QueueUnavailable."""
        try:
            queue = Queue(self.queue_name, connection=self.redis, serializer=JSONSerializer)
            job_id = f"batch-{batch_id}"
            if self._is_alive(queue, job_id):
                return
            queue.enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ types its functions loosely
                JOB_FUNCTION,
                str(batch_id),
                job_id=job_id,
                job_timeout=-1,  # a batch takes as long as it takes; leases notice a dead worker
                result_ttl=0,
                failure_ttl=FAILED_JOB_TTL_SECONDS,
            )
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
                alive = fresh or queue.get_job_position(job_id) is not None
            case JobStatus.STARTED:
                alive = job.last_heartbeat is not None and now - _aware(job.last_heartbeat) < SILENT_AFTER
            case _:
                alive = False
        if not alive:
            job.delete()
        return alive


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
