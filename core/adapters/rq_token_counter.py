"""Token counts by way of a worker, since the pages hold no key of Claude's."""

from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.results import Result
from rq.serializers import JSONSerializer

from core.domain.work import ChatRequest
from core.errors import QueueUnavailable

JOB_FUNCTION = "worker.count_tokens"
WAIT_SECONDS = 3
"""A worker that is busy with a batch does not answer in time; an estimate has to do then."""
FORGET_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class RqTokenCounter:
    """Implements TokenCounter with a job that nobody misses when it is late."""

    redis: Redis
    queue_name: str

    def count_tokens(self, request: ChatRequest) -> int | None:
        """Ask a worker and wait a moment; raises QueueUnavailable."""
        try:
            queue = Queue(self.queue_name, connection=self.redis, serializer=JSONSerializer)
            job = queue.enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ types its functions loosely
                JOB_FUNCTION,
                request.model_dump_json(),
                at_front=True,
                ttl=WAIT_SECONDS,
                job_timeout=FORGET_SECONDS,
                result_ttl=FORGET_SECONDS,
                failure_ttl=FORGET_SECONDS,
            )
            result = job.latest_result(timeout=WAIT_SECONDS)
        except RedisError as error:
            raise QueueUnavailable(f"The queue does not answer ({error}).") from error
        if result is None or result.type is not Result.Type.SUCCESSFUL:
            return None
        return result.return_value if isinstance(result.return_value, int) else None
