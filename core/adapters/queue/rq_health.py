"""The health of queue, jobs and workers, read from Redis without changing anything; unreadable entries are left out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import cast

from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq import Queue, Worker
from rq.executions import WORKER_EXECUTIONS_KEY_TEMPLATE
from rq.registry import FailedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from core.adapters.queue.redis_pace_board import MOST_PACE_BYTES, PACE_PREFIX
from core.adapters.queue.redis_pulse import read_pulse
from core.adapters.queue.redis_reading import decode, read_fields, read_moment, read_text
from core.domain.batches.batch import BatchId
from core.domain.batches.pacing import Pace
from core.domain.batches.queue_jobs import find_batch
from core.domain.diagnosis.health import QueueHealth, WorkerHealth
from core.errors import QueueUnavailable

MOST_MODELS = 50
MOST_WORKERS = 200
MOST_WORKER_BYTES = 2000
MOST_NAME_LENGTH = 80
_WORKER_KEY = re.compile(re.escape(Worker.redis_worker_namespace_prefix) + r"[A-Za-z0-9_-]{1,64}")
_WORKER_FIELDS = ("hostname", "pid", "state", "last_heartbeat", "successful_job_count", "failed_job_count")


@dataclass(frozen=True, kw_only=True)
class RqProbe:
    """Implements QueueProbe."""

    redis: Redis
    queue_name: str

    def read_queue(self) -> QueueHealth:
        try:
            queue = Queue(self.queue_name, connection=self.redis, serializer=JSONSerializer)
            return QueueHealth(
                waiting_jobs=queue.count,
                started_jobs=StartedJobRegistry(queue=queue).get_job_count(cleanup=False),
                failed_jobs=FailedJobRegistry(queue=queue).get_job_count(cleanup=False),
                workers=tuple(sorted(self._read_workers(), key=lambda worker: worker.name)),
                paces=self._read_paces(),
                reconciled_at=read_pulse(self.redis, self.queue_name),
                began_at=self._find_beginning(),
            )
        except ResponseError as error:
            message = f"A key of the queue holds something else ({error}). A running worker puts that right within seconds."
            raise QueueUnavailable(message) from error
        except RedisError as error:
            message = f"The queue does not answer ({error}). On this machine: `brightrun doctor`. Hosted: check REDIS_URL."
            raise QueueUnavailable(message) from error

    def _find_beginning(self) -> datetime | None:
        try:
            told = cast("Mapping[str, object]", self.redis.info("server"))  # pyright: ignore[reportUnknownMemberType]
        except ResponseError:  # Some hosts do not let everybody ask.
            return None
        seconds = told.get("uptime_in_seconds")
        return datetime.now(UTC) - timedelta(seconds=seconds) if isinstance(seconds, int) else None

    def _read_workers(self) -> list[WorkerHealth]:
        key = WORKERS_BY_QUEUE_KEY % self.queue_name
        members = cast("Iterable[bytes]", self.redis.sscan_iter(key))  # pyright: ignore[reportUnknownMemberType]
        names = [name for member in islice(members, MOST_WORKERS) if (name := decode(member)) is not None]
        found = [self._read_worker(name) for name in names if _WORKER_KEY.fullmatch(name)]
        return [worker for worker in found if worker is not None]

    def _read_worker(self, key: str) -> WorkerHealth | None:
        """Return a worker as it announced itself; None if it is gone or cannot be read."""
        fields = read_fields(self.redis, key, _WORKER_FIELDS, MOST_WORKER_BYTES)
        if not fields:
            return None
        name = f"{fields.get('hostname') or 'unknown host'}:{fields.get('pid') or '?'}"
        try:
            return WorkerHealth(
                name=name[:MOST_NAME_LENGTH],
                state=fields.get("state", "?")[:MOST_NAME_LENGTH],
                batch_id=self._find_batch_of(key),
                last_heartbeat_at=read_moment(fields.get("last_heartbeat")),
                successful_jobs=_read_count(fields.get("successful_job_count")),
                failed_jobs=_read_count(fields.get("failed_job_count")),
            )
        except ValidationError:
            return None

    def _find_batch_of(self, worker_key: str) -> BatchId | None:
        name = worker_key.removeprefix(Worker.redis_worker_namespace_prefix)
        try:
            execution = cast("bytes | None", self.redis.srandmember(WORKER_EXECUTIONS_KEY_TEMPLATE.format(name)))
        except ResponseError:  # A key of another type.
            return None
        job_id = None if execution is None else decode(execution)
        return None if job_id is None else find_batch(job_id.partition(":")[0])

    def _read_paces(self) -> dict[str, Pace]:
        paces: dict[str, Pace] = {}
        for key in cast("Iterable[bytes]", self.redis.scan_iter(match=f"{PACE_PREFIX}*", count=1000)):  # pyright: ignore[reportUnknownMemberType]
            model, text = decode(key), read_text(self.redis, key, MOST_PACE_BYTES)
            if model is None or text is None:
                continue
            try:
                paces[model.removeprefix(PACE_PREFIX)[:MOST_NAME_LENGTH]] = Pace.model_validate_json(text)
            except ValidationError:
                continue  # written by another version, or by somebody else
            if len(paces) >= MOST_MODELS:
                break
        return paces


def _read_count(text: str | None) -> int:
    return int(text) if text is not None and re.fullmatch(r"[0-9]{1,12}", text) else 0
