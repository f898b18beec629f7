"""Token counts through a worker, since the pages do not have Claude's key."""

from dataclasses import dataclass

import structlog
from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.results import Result
from rq.serializers import JSONSerializer

from core.adapters.queue.rq_jobs import TOKEN_COUNT_TIMEOUT_SECONDS, TOKEN_COUNT_TTL_SECONDS
from core.domain.batches.queue_jobs import MOST_REQUEST_BYTES, JobFunction
from core.domain.batches.work import ChatRequest

log = structlog.get_logger(__name__)

WAIT_SECONDS = 3
"""A worker that is busy with a batch does not answer in time; an estimate is used then."""
MOST_TOKENS = 10_000_000
"""More than any model reads; a larger number is not a count."""


@dataclass(frozen=True, kw_only=True)
class RqTokenCounter:
    """Implements TokenCounter with a job that nobody misses if it is late."""

    redis: Redis
    queue_name: str

    def count_tokens(self, request: ChatRequest) -> int | None:
        """Ask a worker and wait briefly."""
        request_json = request.model_dump_json()
        if len(request_json) > MOST_REQUEST_BYTES:
            return None  # The worker would refuse it.
        try:
            queue = Queue(self.queue_name, connection=self.redis, serializer=JSONSerializer)
            job = queue.enqueue(  # pyright: ignore[reportUnknownMemberType] - RQ types its functions loosely
                JobFunction.COUNT_TOKENS.value,
                request_json,
                at_front=True,
                ttl=WAIT_SECONDS,
                job_timeout=TOKEN_COUNT_TIMEOUT_SECONDS,
                result_ttl=TOKEN_COUNT_TTL_SECONDS,
                failure_ttl=TOKEN_COUNT_TTL_SECONDS,
            )
            result = job.latest_result(timeout=WAIT_SECONDS)
        except RedisError:
            return None  # Home and System report that the queue is away; here an estimate is enough.
        except Exception as error:  # noqa: BLE001 - RQ raises a dozen kinds for a result that somebody else wrote
            log.warning("token_count_unreadable", error=type(error).__name__)
            return None
        if result is None or result.type is not Result.Type.SUCCESSFUL:
            return None
        return read_token_count(result.return_value)


def read_token_count(value: object) -> int | None:
    """Return a worker's count; None for anything else."""
    return value if type(value) is int and 0 <= value <= MOST_TOKENS else None
