"""RQ's forking worker, set up so that a death is noticed in seconds (RQ's defaults need minutes)."""

import os
import signal

from redis import Redis
from rq import Queue, Worker
from rq.job import Job
from rq.serializers import JSONSerializer

from core.process import die_with_parent


class BatchWorker(Worker):
    """Works off the doorbell. One queue only: RQ's bookkeeping of half-taken jobs relies on it."""

    def __init__(self, queue_name: str, connection: Redis) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - RQ leaves some arguments untyped
            [Queue(queue_name, connection=connection, serializer=JSONSerializer)],
            connection=connection,
            serializer=JSONSerializer,
            job_monitoring_interval=2,
            maintenance_interval=5,
            worker_ttl=20,
        )

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002 - RQ's signature
        """Let a started job's sign of life lapse after four missed heartbeats."""
        return self.job_monitoring_interval * 4

    def setup_work_horse_signals(self) -> None:
        """Make the job's process die with its worker, so that no orphan goes on calling Claude."""
        super().setup_work_horse_signals()
        die_with_parent(signal.SIGKILL)

    def handle_warm_shutdown_request(self) -> None:
        """Pass SIGTERM on to the job, which then takes no more items."""
        super().handle_warm_shutdown_request()
        if self.horse_pid:
            os.kill(self.horse_pid, signal.SIGTERM)
