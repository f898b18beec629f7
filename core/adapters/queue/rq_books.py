"""RQ's books of a queue: lists of job ids and workers. RQ stops at an entry that it cannot read; none of ours is such."""

import re
from collections.abc import Iterable
from typing import cast

import structlog
from redis import Redis
from rq import Queue, Worker
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.worker_registration import REDIS_WORKER_KEYS, WORKERS_BY_QUEUE_KEY

log = structlog.get_logger(__name__)

MOST_ENTRIES = 10_000
"""Longer books than this are nobody's work; they are begun anew, and what they forget is found again in the database."""
NEVER = -1
"""Redis says so of a key that does not expire."""
LONGEST_LOCK_SECONDS = 15 * 60
"""RQ's lock of its books expires within this time."""
_JOB = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_EXECUTION = re.compile(rb"[A-Za-z0-9_-]{1,64}:[0-9a-f]{32}")
_WORKER = re.compile(Worker.redis_worker_namespace_prefix.encode() + rb"[A-Za-z0-9_-]{1,64}")


def throw_out_foreign_entries(queue: Queue) -> None:
    """Remove what is not of the form that RQ gives it, and keys of a wrong type whole.

    The queue's own entries are checked as they are taken; the lists of all queues and workers are other programs', too.
    """
    redis = queue.connection
    workers = WORKERS_BY_QUEUE_KEY % queue.name
    _put_keys_right(queue, workers)
    taken = queue.intermediate_queue_key
    if _is_readable(redis, taken, redis.llen(taken)):
        for entry in _find_foreign(taken, redis.lrange(taken, 0, -1), _JOB):
            redis.lrem(taken, 0, entry)
    if _is_readable(redis, workers, redis.scard(workers)):
        for entry in _find_foreign(workers, redis.smembers(workers), _WORKER):
            redis.srem(workers, entry)
    for registry, form in ((StartedJobRegistry, _EXECUTION), (FinishedJobRegistry, _JOB), (FailedJobRegistry, _JOB)):
        key = registry(queue=queue).key
        require_type(redis, key, b"zset")
        if _is_readable(redis, key, redis.zcard(key)):
            entries = redis.zrange(key, 0, -1)  # pyright: ignore[reportUnknownMemberType] - redis-py leaves arguments untyped
            for entry in _find_foreign(key, entries, form):
                redis.zrem(key, entry)


def _put_keys_right(queue: Queue, workers: str) -> None:
    redis = queue.connection
    ttl = redis.ttl(queue.registry_cleaning_key)
    if ttl == NEVER or ttl > LONGEST_LOCK_SECONDS:
        redis.delete(queue.registry_cleaning_key)  # No lock of RQ's: it would keep the books closed.
    for key in (queue.key, queue.intermediate_queue_key):
        require_type(redis, key, b"list")
    for key in (workers, REDIS_WORKER_KEYS, queue.redis_queues_keys):
        require_type(redis, key, b"set")


def require_type(redis: Redis, key: str, kind: bytes) -> bool:
    """Remove a key of a wrong type; return whether nothing had to be removed."""
    if (found := cast("bytes", redis.type(key))) in (kind, b"none"):
        return True
    log.warning("foreign_key_removed", key=key, type=found.decode())
    redis.delete(key)
    return False


def _is_readable(redis: Redis, key: str, length: object) -> bool:
    """Begin a book anew that is too long to be read."""
    if cast("int", length) <= MOST_ENTRIES:
        return True
    log.warning("book_begun_anew", key=key, entries=length)
    redis.delete(key)
    return False


def _find_foreign(key: str, entries: object, form: "re.Pattern[bytes]") -> list[str]:
    foreign = [entry for entry in cast("Iterable[bytes]", entries) if form.fullmatch(entry) is None]
    if foreign:
        log.warning("foreign_entries_removed", key=key, entries=len(foreign))
    return cast("list[str]", foreign)  # bytes, which Redis takes as well; only its types do not say so
