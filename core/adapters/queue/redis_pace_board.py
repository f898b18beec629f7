"""The pace that workers share, in Redis; if it is lost, they learn it again."""

from dataclasses import dataclass, field

import structlog
from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import RedisError

from core.domain.batches.pacing import Pace

log = structlog.get_logger(__name__)

PACE_PREFIX = "brightrun:pace:"
MOST_PACE_BYTES = 5000
FORGET_AFTER_SECONDS = 600
"""Rate limits of ten minutes ago say nothing about the present."""


@dataclass(frozen=True, kw_only=True)
class RedisPaceBoard:
    """One key for each model. While Redis is away each worker continues with its own pace."""

    redis: Redis
    known: dict[str, Pace] = field(default_factory=dict)

    async def read(self, model: str) -> Pace | None:
        """Return the pace that was learnt last; None if there is no recent one."""
        try:
            text = await self.redis.getrange(pace_key(model), 0, MOST_PACE_BYTES)
        except RedisError as error:
            log.warning("pace_not_read", error=str(error))
            return self.known.get(model)
        try:
            return Pace.model_validate_json(text) if text else None
        except ValidationError:
            return None  # written by another version, or by somebody else

    async def write(self, model: str, pace: Pace) -> None:
        """Share a pace."""
        self.known[model] = pace
        try:
            await self.redis.set(pace_key(model), pace.model_dump_json(), ex=FORGET_AFTER_SECONDS)
        except RedisError as error:
            log.warning("pace_not_shared", error=str(error))


def pace_key(model: str) -> str:
    """Return the key of a model's pace."""
    return f"{PACE_PREFIX}{model}"
