"""Cleans RQ's bookkeeping of a queue, its lists of job ids and workers: RQ stops at an entry that it cannot read."""

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
"""Longer lists are not the product's work; they are started anew, and the database finds again what they held."""
NEVER = -1
"""What Redis answers for a key that does not expire."""
LONGEST_LOCK_SECONDS = 15 * 60
"""RQ's lock of its bookkeeping expires within this time."""
_JOB = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_EXECUTION = re.compile(rb"[A-Za-z0-9_-]{1,64}:[0-9a-f]{32}")
_WORKER = re.compile(Worker.redis_worker_namespace_prefix.encode() + rb"[A-Za-z0-9_-]{1,64}")


def throw_out_foreign_entries(queue: Queue) -> None:
    """Remove entries that do not have RQ's form, and whole keys of a wrong type.

    The queue's own entries are checked when they are taken; the lists of all queues and workers belong to other programs,
    too.
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
        redis.delete(queue.registry_cleaning_key)  # Not RQ's lock: it would block the bookkeeping for ever.
    for key in (queue.key, queue.intermediate_queue_key):
        require_type(redis, key, b"list")
    for key in (workers, REDIS_WORKER_KEYS, queue.redis_queues_keys):
        require_type(redis, key, b"set")


def require_type(redis: Redis, key: str, kind: bytes) -> bool:
    """Remove a key of a wrong type; return whether the type was right."""
    if (found := cast("bytes", redis.type(key))) in (kind, b"none"):
        return True
    log.warning("foreign_key_removed", key=key, type=found.decode())
    redis.delete(key)
    return False


def _is_readable(redis: Redis, key: str, length: object) -> bool:
    """Remove a list that is too long to be read; return whether it can be read."""
    if cast("int", length) <= MOST_ENTRIES:
        return True
    log.warning("book_begun_anew", key=key, entries=length)
    redis.delete(key)
    return False


def _find_foreign(key: str, entries: object, form: "re.Pattern[bytes]") -> list[str]:
    foreign = [entry for entry in cast("Iterable[bytes]", entries) if form.fullmatch(entry) is None]
    if foreign:
        log.warning("foreign_entries_removed", key=key, entries=len(foreign))
    return cast("list[str]", foreign)  # bytes, which Redis accepts as well; only its type annotations do not say so
