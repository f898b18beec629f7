"""Connections to Redis: they survive an outage, and notice one quickly."""

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry

WORKER_RETRIES = 60
PAGE_RETRIES = 1


def connect_redis(url: str, *, retries: int) -> Redis:
    """Return a client; `retries` waits of up to 2 s each survive a restart (a worker's) or give up soon (a page's)."""
    return Redis.from_url(  # pyright: ignore[reportUnknownMemberType] - redis-py leaves its keyword arguments untyped
        url,
        retry=Retry(ExponentialBackoff(cap=2, base=0.1), retries),
        retry_on_error=[RedisConnectionError, RedisTimeoutError],
        health_check_interval=15,
        socket_connect_timeout=3,
        socket_keepalive=True,
    )


def connect_async_redis(url: str) -> AsyncRedis:
    """Return a client for data that may be lost: it gives up immediately, so that a call to Claude never waits for Redis."""
    return AsyncRedis.from_url(  # pyright: ignore[reportUnknownMemberType] - redis-py leaves its keyword arguments untyped
        url, socket_connect_timeout=1, socket_timeout=1, health_check_interval=15
    )
