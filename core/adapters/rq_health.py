"""What RQ knows: queue depth, jobs, workers. Reading it changes nothing (RQ's own counts clean up as they go)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, Worker
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker import BaseWorker

from core.adapters.redis_pace_board import PACE_PREFIX
from core.adapters.redis_pulse import read_pulse
from core.domain.batch import BatchId
from core.domain.health import QueueHealth, WorkerHealth
from core.domain.pacing import Pace
from core.errors import QueueUnavailable

MOST_MODELS = 50


@dataclass(frozen=True, kw_only=True)
class RqProbe:
    """Implements QueueProbe."""

    redis: Redis
    queue_name: str

    def read_queue(self) -> QueueHealth:
        try:
            queue = Queue(self.queue_name, connection=self.redis, serializer=JSONSerializer)
            workers = Worker.all(  # pyright: ignore[reportUnknownMemberType] - RQ leaves the serializer untyped
                queue=queue, serializer=JSONSerializer
            )
            return QueueHealth(
                waiting_jobs=queue.count,
                started_jobs=StartedJobRegistry(queue=queue).get_job_count(cleanup=False),
                failed_jobs=FailedJobRegistry(queue=queue).get_job_count(cleanup=False),
                workers=tuple(sorted((_describe(worker) for worker in workers), key=lambda worker: worker.name)),
                paces=self._read_paces(),
                reconciled_at=read_pulse(self.redis, self.queue_name),
            )
        except RedisError as error:
            message = f"The queue does not answer ({error}). On this machine: `brightrun doctor`. Hosted: check REDIS_URL."
            raise QueueUnavailable(message) from error

    def _read_paces(self) -> dict[str, Pace]:
        paces: dict[str, Pace] = {}
        for key in self.redis.scan_iter(match=f"{PACE_PREFIX}*", count=1000):  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            text = self.redis.get(key)  # pyright: ignore[reportUnknownArgumentType]
            if not isinstance(key, bytes) or not isinstance(text, bytes) or len(paces) >= MOST_MODELS:
                continue
            try:
                paces[key.decode().removeprefix(PACE_PREFIX)] = Pace.model_validate_json(text)
            except ValidationError:
                continue  # written by another version
        return paces


def _describe(worker: BaseWorker) -> WorkerHealth:
    heartbeat = worker.last_heartbeat
    return WorkerHealth(
        name=f"{worker.hostname or 'unknown host'}:{worker.pid or '?'}",
        state=str(worker.get_state()),
        batch_id=_find_batch(worker.get_current_job_id()),
        last_heartbeat_at=None if heartbeat is None else _aware(heartbeat),
        successful_jobs=worker.successful_job_count,
        failed_jobs=worker.failed_job_count,
    )


def _find_batch(job_id: str | None) -> BatchId | None:
    """Return the batch of a job, which is named after it."""
    try:
        return None if job_id is None else BatchId(UUID(job_id.partition("_")[0]))
    except ValueError:
        return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
