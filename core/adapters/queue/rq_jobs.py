"""Jobs and queue as the worker takes them from RQ: read completely, checked, and run by our own functions.

RQ imports any function and callbacks that a job names, calls its webhooks, and stops at a job that it cannot read. So
nothing of a job's hash reaches RQ except what `read_job` has accepted, and a few times and states.
"""

import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

import structlog
from redis import Redis
from rq import Queue
from rq.exceptions import DequeueTimeout, InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.utils import get_version

from core.adapters.queue.redis_notices import RedisNotices
from core.adapters.queue.redis_reading import read_hash
from core.domain.batches.queue_jobs import BatchJob, QueuedJob, RefusedJob, TokenCountJob, clean_name, read_job

log = structlog.get_logger(__name__)

MOST_JOB_BYTES = 2_000_000
JOB_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
BATCH_TIMEOUT_SECONDS = -1
"""A batch takes as long as it needs; leases reveal a dead worker."""
TOKEN_COUNT_TIMEOUT_SECONDS = 60
FAILED_BATCH_JOB_TTL_SECONDS = 600
TOKEN_COUNT_TTL_SECONDS = 60

_KEPT = ("data", "origin", "status", "created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat", "worker_name")
_IGNORED = ("description", "timeout", "ttl", "result_ttl", "failure_ttl", "exc_info")
"""Fields that RQ also writes for our jobs, but for which the worker has its own values."""
_EMPTY = ("success_callback_name", "failure_callback_name", "stopped_callback_name", "group_id")
"""Fields that RQ writes for every job, empty unless something was requested."""
_FIELDS = (*_KEPT, *_IGNORED, *_EMPTY)


class JobRefused(NoSuchJobError):
    """A job that is not ours; for RQ's own bookkeeping it does not exist."""

    def __init__(self, refused: RefusedJob) -> None:
        super().__init__(refused.reason)
        self.refused = refused


class CheckedJob(Job):
    """A job of which RQ sees only what was checked."""

    call: QueuedJob
    run: Callable[[QueuedJob], Any]
    """Runs a job; set in the process that runs it."""

    @classmethod
    def fetch(cls, id: str, connection: Redis | None = None, serializer: object = None) -> "CheckedJob":  # noqa: A002, ARG003 - RQ's signature
        """Return a job; raise NoSuchJobError if there is none, or JobRefused if it is not ours."""
        if JOB_ID.fullmatch(id) is None:
            raise JobRefused(RefusedJob(function="?", reason="its id is not one of ours"))
        job = cls(id, connection=connection, serializer=JSONSerializer)  # pyright: ignore[reportUnknownMemberType] - RQ leaves the serializer untyped
        job.refresh()
        return job

    def refresh(self) -> None:
        """Read the job from Redis, within a limit."""
        fields = read_hash(self.connection, self.key, _FIELDS, MOST_JOB_BYTES)
        if fields is None:
            reason = "webhooks, repetition, dependencies or other fields that no job of ours has, or too large"
            raise JobRefused(RefusedJob(function="?", reason=reason))
        if not fields:
            raise NoSuchJobError(f"No such job: {self.key}")
        self.restore(fields)

    def restore(self, raw_data: Mapping[Any, bytes]) -> None:
        """Adopt the checked fields; raise JobRefused for anything else."""
        fields = {name.decode() if isinstance(name, bytes) else str(name): value for name, value in raw_data.items()}
        function, arguments = _read_call(fields)
        if any(value for name, value in fields.items() if name not in {*_KEPT, *_IGNORED}):
            raise JobRefused(
                RefusedJob(function=clean_name(function), reason="it asks for a callback or belongs to a group")
            )
        call = read_job(self.id, function, arguments)
        if isinstance(call, RefusedJob):
            raise JobRefused(call)
        data = json.dumps((function, None, arguments, {})).encode()
        try:
            super().restore({name: fields[name] for name in _KEPT if name in fields} | {"data": data})  # pyright: ignore[reportUnknownMemberType]
        except (ValueError, OverflowError) as error:
            raise JobRefused(RefusedJob(function=function, reason="a time or state in it cannot be read")) from error
        self.call = call
        self.description = function
        match call:
            case BatchJob():
                self.timeout, self.result_ttl = BATCH_TIMEOUT_SECONDS, 0
                self.failure_ttl = FAILED_BATCH_JOB_TTL_SECONDS
            case TokenCountJob():
                self.timeout, self.result_ttl = TOKEN_COUNT_TIMEOUT_SECONDS, TOKEN_COUNT_TTL_SECONDS
                self.failure_ttl = TOKEN_COUNT_TTL_SECONDS

    def get_status(self, refresh: bool = True) -> JobStatus:  # noqa: FBT001, FBT002 - RQ's signature
        """Return the job's state; an unreadable one counts as gone."""
        try:
            return super().get_status(refresh)
        except ValueError as error:
            raise InvalidJobOperation(f"The state of job {self.id} cannot be read.") from error

    @property
    def func(self) -> Callable[..., Any]:
        """Return the worker's own function; RQ would import what the job names."""
        return lambda *_arguments: self.run(self.call)


class CheckedQueue(Queue):
    """A queue whose foreign jobs are refused: counted for an alert, logged and dropped."""

    @classmethod
    def dequeue_any(  # noqa: PLR0917 - RQ's signature
        cls,
        queues: Iterable[Queue],
        timeout: int | None,
        connection: Redis,
        job_class: object = None,  # noqa: ARG003
        serializer: object = None,  # noqa: ARG003
        death_penalty_class: object = None,  # noqa: ARG003
    ) -> tuple[Job, Queue] | None:
        """Return the next job of our one queue. After a refused one DequeueTimeout lets the worker send its heartbeat."""
        (queue,) = queues
        while (job_id := cls._take(connection, queue.key, timeout)) is not None:
            try:
                job = _fetch(connection, queue, job_id)
            except JobRefused as error:
                _throw_away(connection, queue, job_id, error.refused)
                raise DequeueTimeout(timeout, [queue.key]) from None
            except NoSuchJobError:
                continue  # It has expired in the queue, like token counts that nobody waits for.
            return job, queue
        return None

    @classmethod
    def _take(cls, connection: Redis, key: str, timeout: int | None) -> bytes | None:
        if get_version(connection) >= (6, 2, 0):
            taken: Any = cls.lmove(connection, key, timeout)
        else:
            taken = cls.lpop([key], timeout, connection=connection)  # pyright: ignore[reportUnknownMemberType]
        return None if taken is None else cast("bytes", taken[1])

    def move_dependents_to_ready(self, *_: object, **__: object) -> dict[str, list[str]]:
        """Do nothing: none of our jobs depends on another, so a job that claims to is ignored."""
        return {}


def _fetch(connection: Redis, queue: Queue, job_id: bytes) -> CheckedJob:
    job = CheckedJob.fetch(job_id.decode(errors="replace"), connection=connection)
    if job.origin != queue.name:
        raise JobRefused(RefusedJob(function=job.description or "?", reason="it belongs to another queue"))
    return job


def _throw_away(connection: Redis, queue: Queue, job_id: bytes, refused: RefusedJob) -> None:
    name = job_id.decode(errors="replace")
    log.warning("job_refused", job_id=clean_name(name), function=refused.function, reason=refused.reason)
    RedisNotices(redis=connection, queue_name=queue.name).note_refused(refused)
    connection.lrem(queue.intermediate_queue_key, 1, cast("str", job_id))
    if JOB_ID.fullmatch(name) is not None:
        connection.delete(CheckedJob.key_for(name))


def _read_call(fields: Mapping[str, bytes]) -> tuple[str, list[object]]:
    """Return function and arguments of a job; raise JobRefused if there is anything more, or less."""
    try:
        call = json.loads(_decompress(fields.get("data", b"")))
    except (ValueError, RecursionError, zlib.error):
        call = None
    match call:
        case [str(function), None, [*arguments], {**others}] if not others:
            return function, cast("list[object]", arguments)  # pyright: ignore[reportUnknownArgumentType] - JSON
        case [str(function), *_]:
            reason = "it is more than a function and a list of arguments"
            raise JobRefused(RefusedJob(function=clean_name(function), reason=reason))
        case _:
            raise JobRefused(RefusedJob(function="?", reason="what it calls cannot be read"))


def _decompress(data: bytes) -> bytes:
    """Decompress RQ's data, up to the largest size of a job."""
    decompressor = zlib.decompressobj()
    plain = decompressor.decompress(data, MOST_JOB_BYTES)
    if not decompressor.eof:
        raise zlib.error("too large, or cut off")
    return plain
