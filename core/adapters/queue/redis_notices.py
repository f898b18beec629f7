"""Notices from workers that need somebody's attention, kept in Redis until they expire; the alert evaluation reads them.

Anybody who knows the address can write to Redis, so what is read is checked, and a worker's log has it all as well.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import structlog
from pydantic import ValidationError
from redis import Redis
from redis.exceptions import RedisError, ResponseError
from redis.typing import EncodableT, FieldT

from core.adapters.queue.redis_reading import read_fields
from core.domain.batches.queue_jobs import RefusedJob
from core.domain.diagnosis.notices import HostWithStuckResults, Notices, RefusedJobs, clean_host

log = structlog.get_logger(__name__)

REFUSALS_LAST = timedelta(hours=24)
STUCK_LASTS = timedelta(minutes=10)
"""Each reconciler renews its host's count every few seconds."""
MOST_BYTES = 1000
MOST_HOSTS = 50


@dataclass(frozen=True, kw_only=True)
class RedisNotices:
    """Implements NoticeBoard: one key for all refused jobs of a queue, one for each host whose results are stuck."""

    redis: Redis
    queue_name: str

    def note_refused(self, job: RefusedJob) -> None:
        """Count a refused job; the count expires a day after the last one."""
        key = self._refused_key
        last: dict[FieldT, EncodableT] = {
            "function": job.function,
            "reason": job.reason,
            "last_at": datetime.now(UTC).isoformat(),
        }
        with self.redis.pipeline() as pipeline:  # pyright: ignore[reportUnknownMemberType] - redis-py leaves arguments untyped
            pipeline.hincrby(key, "count", 1)
            pipeline.hset(key, mapping=last)
            pipeline.expire(key, REFUSALS_LAST)
            try:
                pipeline.execute()
            except ResponseError:  # The key, or the count in it, was replaced by something else.
                self.redis.delete(key)
                self.redis.hset(key, mapping={**last, "count": 1})
                self.redis.expire(key, REFUSALS_LAST)

    def note_stuck_results(self, host: str, files: int) -> None:
        """Note how many results wait on a host for somebody's attention; without Redis nobody learns of it here."""
        name = clean_host(host)
        try:
            if files:
                self.redis.set(f"{self._host_prefix}{name}", files, ex=STUCK_LASTS)
            else:
                self.redis.delete(f"{self._host_prefix}{name}")
        except RedisError as error:
            log.warning("stuck_results_not_noted", error=str(error))

    def read(self) -> Notices:
        """Return the recent notices; none while Redis is away."""
        try:
            return Notices(refused=self._read_refused(), stuck=self._read_stuck())
        except RedisError as error:
            log.warning("notices_not_read", error=str(error))
            return Notices()

    def _read_refused(self) -> RefusedJobs | None:
        found = read_fields(self.redis, self._refused_key, list(RefusedJobs.model_fields), MOST_BYTES)
        if not found:
            return None
        try:
            return RefusedJobs.model_validate(found)
        except ValidationError:
            log.warning("notice_unreadable", key=self._refused_key)
            return None

    def _read_stuck(self) -> tuple[HostWithStuckResults, ...]:
        hosts: dict[str, HostWithStuckResults] = {}
        for key in self.redis.scan_iter(match=f"{self._host_prefix}*", count=1000):  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
            name = clean_host(cast("bytes", key).decode(errors="replace").removeprefix(self._host_prefix))
            try:
                files = cast("bytes | None", self.redis.getrange(cast("bytes", key), 0, 10))
                hosts[name] = HostWithStuckResults.model_validate({"host": name, "files": files})
            except (ResponseError, ValidationError):
                log.warning("notice_unreadable", host=name)
            if len(hosts) >= MOST_HOSTS:
                break
        return tuple(hosts[name] for name in sorted(hosts))

    @property
    def _refused_key(self) -> str:
        return f"brightrun:{self.queue_name}:refused-jobs"

    @property
    def _host_prefix(self) -> str:
        return f"brightrun:{self.queue_name}:stuck-results:"
