"""The reconciler's heartbeat, in Redis, for the System page."""

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from redis import Redis
from redis.exceptions import RedisError

from core.adapters.queue.redis_reading import read_moment, read_text

log = structlog.get_logger(__name__)

FORGET_AFTER_SECONDS = 24 * 3600
MOST_BYTES = 100


@dataclass(frozen=True, kw_only=True)
class RedisPulse:
    """One key for each queue: when any of its reconcilers last ran."""

    redis: Redis
    queue_name: str

    def beat(self) -> None:
        """Note the time; without Redis nobody sees it, and nothing else is lost."""
        try:
            self.redis.set(_key(self.queue_name), datetime.now(UTC).isoformat(), ex=FORGET_AFTER_SECONDS)
        except RedisError as error:
            log.warning("pulse_not_noted", error=str(error))


def read_pulse(redis: Redis, queue_name: str) -> datetime | None:
    """Return when a reconciler last ran; None if none has recently, or if the value cannot be read."""
    return read_moment(read_text(redis, _key(queue_name), MOST_BYTES))


def _key(queue_name: str) -> str:
    return f"brightrun:{queue_name}:reconciled-at"
