"""RQ's forking worker: it runs only our jobs, and a death is noticed in seconds (RQ's defaults need minutes)."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import structlog
from redis import Redis
from redis.client import Pipeline
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue, Worker
from rq.exceptions import StopRequested
from rq.executions import Execution
from rq.job import Job
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.serializers import JSONSerializer
from rq.utils import now
from rq.worker_registration import clean_worker_registry, register

from core.adapters.queue.rq_books import require_type, throw_out_foreign_entries
from core.adapters.queue.rq_jobs import CheckedJob, CheckedQueue
from core.domain.batches.queue_jobs import QueuedJob
from core.process import die_with_parent

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0
"""After an unexpected error in the queue: one that persists must not cause a busy loop."""


class BatchWorker(Worker):
    """Runs the jobs of one queue only: RQ's bookkeeping of half-taken jobs relies on it.

    RQ features that others could use through Redis, and that we do not use, are turned off: commands (`rq:pubsub:*`),
    suspending, callbacks, webhooks, dependents, groups, rate limits and schedules.
    """

    job_class = CheckedJob
    queue_class = CheckedQueue

    def __init__(self, queue_name: str, connection: Redis, run: Callable[[QueuedJob], int | None]) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - RQ leaves some arguments untyped
            [CheckedQueue(queue_name, connection=connection, job_class=CheckedJob, serializer=JSONSerializer)],
            connection=connection,
            serializer=JSONSerializer,
            job_monitoring_interval=2,
            maintenance_interval=5,
            worker_ttl=20,
        )
        self._run = run

    def register_birth(self) -> None:
        """Announce the worker; RQ could not where somebody replaced its keys by something else."""
        for queue in self.queues:
            throw_out_foreign_entries(queue)
        super().register_birth()

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Run a job by our own function, in its own process."""
        if isinstance(job, CheckedJob):
            job.run = self._run
        return super().perform_job(job, queue, execution)

    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> tuple[Job, Queue] | None:
        """Wait for the next job; RQ would end the worker at an entry that it cannot read, again after each restart."""
        while True:
            try:
                return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)
            except StopRequested:
                raise
            except Exception:
                log.exception("queue_unreadable", retry_in_seconds=PAUSE_SECONDS)
                time.sleep(PAUSE_SECONDS)

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Run a job; if its bookkeeping fails, the reconciler enqueues its batch again."""
        try:
            super().execute_job(job, queue)
        except ResponseError:
            log.exception("job_not_booked", job_id=job.id)
            self._put_own_keys_right()
            self.connection.lrem(queue.intermediate_queue_key, 0, job.id)
            self.connection.delete(job.key)

    def run_maintenance_tasks(self) -> None:
        """Clean up RQ's bookkeeping. It only serves the System page, so an error in it must not stop work."""
        try:
            self.clean_registries()
        except (RedisConnectionError, RedisTimeoutError, StopRequested):
            raise
        except Exception:
            log.exception("maintenance_failed")
            self.last_cleaned_at = now()

    def clean_registries(self) -> None:
        """Clean up as RQ does, but only what our jobs need, and without entries of others."""
        for queue in self.queues:
            throw_out_foreign_entries(queue)
            register(self)  # Whoever emptied Redis removed this worker's registration, too.
            if not queue.acquire_maintenance_lock():
                continue
            try:
                for registry in (FinishedJobRegistry, StartedJobRegistry, FailedJobRegistry):
                    registry(queue=queue, job_class=CheckedJob).cleanup()  # pyright: ignore[reportUnknownMemberType]
                clean_worker_registry(queue)
                queue.intermediate_queue.cleanup(self, queue)
            finally:
                queue.release_maintenance_lock()
        self.last_cleaned_at = now()

    def set_state(self, state: str, pipeline: Pipeline | None = None) -> None:
        """Publish the worker's state, even where somebody replaced its keys by something else."""
        self._write_own_keys(lambda: super(BatchWorker, self).set_state(state, pipeline))

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Send a heartbeat, likewise."""
        self._write_own_keys(lambda: super(BatchWorker, self).heartbeat(timeout, pipeline))  # pyright: ignore[reportUnknownMemberType] - RQ leaves the pipeline untyped

    def maintain_heartbeats(self, job: Job, execution: Execution) -> None:
        """Send the heartbeats of worker and job, likewise."""
        self._write_own_keys(lambda: super(BatchWorker, self).maintain_heartbeats(job, execution))

    def register_death(self) -> None:
        """Remove the worker's registration, likewise."""
        self._write_own_keys(super().register_death)

    def _write_own_keys(self, write: Callable[[], None]) -> None:
        try:
            write()
        except ResponseError:  # Checking first would leave a moment in which a key may still change.
            self._put_own_keys_right()
            write()

    def _put_own_keys_right(self) -> None:
        require_type(self.connection, self.executions_key, b"set")
        if not require_type(self.connection, self.key, b"hash"):
            fields: Any = self.serialize()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - RQ leaves it untyped
            self.connection.hset(self.key, mapping=fields)

    def check_for_suspension(self, burst: bool) -> None:  # noqa: FBT001 - RQ's signature
        """Continue: anybody who knows REDIS_URL could suspend all workers by one key (`rq:suspended`)."""

    def subscribe(self) -> None:
        """Take no commands: anybody who knows REDIS_URL could send them (shut down, kill the job)."""

    def get_heartbeat_ttl(self, job: Job, working_time: float = 0.0) -> int:  # noqa: ARG002 - RQ's signature
        """Let a started job's heartbeat expire after four missed ones."""
        return self.job_monitoring_interval * 4

    def setup_work_horse_signals(self) -> None:
        """Make the job's process die with its worker, so that no orphan keeps calling Claude."""
        super().setup_work_horse_signals()
        die_with_parent(signal.SIGKILL)

    def handle_warm_shutdown_request(self) -> None:
        """Pass SIGTERM on to the job, which then takes no more items."""
        super().handle_warm_shutdown_request()
        if self.horse_pid:
            os.kill(self.horse_pid, signal.SIGTERM)
