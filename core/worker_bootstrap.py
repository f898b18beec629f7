"""The composition root of the worker, separate from that of the pages, which need no Claude SDK."""

import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager

from core.adapters.alert_webhook import AlertWebhook
from core.adapters.claude.client import ClaudeModel, open_claude
from core.adapters.files.spool import SPOOL_FOLDER, FileSpool
from core.adapters.files.spooling import SpoolingWorkStore, SpoolReplay
from core.adapters.queue.redis_connection import PAGE_RETRIES, WORKER_RETRIES, connect_async_redis, connect_redis
from core.adapters.queue.redis_notices import RedisNotices
from core.adapters.queue.redis_pace_board import RedisPaceBoard
from core.adapters.queue.redis_pulse import RedisPulse
from core.adapters.queue.rq_job_queue import RqJobQueue
from core.adapters.queue.rq_worker import BatchWorker
from core.adapters.supabase.alerts import SupabaseAlertRecorder
from core.adapters.supabase.diagnostics import SupabaseFingerprintStore
from core.adapters.supabase.failures import SupabaseReportStore
from core.adapters.supabase.housekeeping import SupabaseHouseKeeping
from core.adapters.supabase.session import open_service, open_worker_client
from core.adapters.supabase.worker import SupabaseReconciler, SupabaseWorkStore
from core.config import Settings
from core.domain.batches.queue_jobs import QueuedJob
from core.domain.batches.retry import RetryLimits
from core.errors import ConfigurationError
from core.services.alerting import AlertingService
from core.services.fingerprints import FingerprintService
from core.services.generation import GenerationService
from core.services.reconciliation import ReconciliationService
from core.services.reports import ReportService
from core.services.retention import RetentionService
from core.services.waiting_replies import WaitingRepliesService

SIMULATED_KEY = "simulated"
"""The key for the simulated Claude, which accepts any."""


@asynccontextmanager
async def open_generation(settings: Settings, worker: str) -> AsyncGenerator[GenerationService]:
    """Open what one job needs, inside the job: connections do not survive RQ's fork, nor another event loop."""
    url, _ = settings.require_supabase()
    async with (
        connect_async_redis(settings.require_redis()) as redis,
        open_worker_client(url, settings.require_secret_key()) as client,
        open_model(settings) as model,
    ):
        yield GenerationService(
            store=SpoolingWorkStore(
                inner=SupabaseWorkStore(client=client), spool=FileSpool(folder=settings.home / SPOOL_FOLDER)
            ),
            model=model,
            worker=worker,
            pace_board=RedisPaceBoard(redis=redis),
            lease_seconds=settings.lease_seconds,
            retry_limits=RetryLimits(max_attempts=settings.max_attempts, max_seconds=settings.max_retry_seconds),
        )


@asynccontextmanager
async def open_model(settings: Settings) -> AsyncGenerator[ClaudeModel]:
    """Open Claude alone; raises ConfigurationError without a key."""
    key = settings.anthropic_api_key
    if key is None and not settings.simulated:
        raise ConfigurationError("Set ANTHROPIC_API_KEY, or use the stack on this machine with its simulated Claude.")
    async with open_claude(
        api_key=SIMULATED_KEY if key is None else key.get_secret_value(),
        base_url=settings.anthropic_base_url,
        timeout_seconds=settings.request_timeout_seconds,
        simulated=settings.simulated,
    ) as model:
        yield model


def open_worker(settings: Settings, run: Callable[[QueuedJob], int | None]) -> BatchWorker:
    """Build the RQ worker, which does jobs by `run`; raises ConfigurationError for a setting that they would miss."""
    settings.require_supabase()
    settings.require_secret_key()
    return BatchWorker(settings.queue_name, connect_redis(settings.require_redis(), retries=WORKER_RETRIES), run)


@contextmanager
def open_reconciliation(settings: Settings) -> Generator[ReconciliationService]:
    """Open the reconciler, which re-enqueues orphaned batches."""
    url, _ = settings.require_supabase()
    with open_service(url, settings.require_secret_key()) as client:
        redis = connect_redis(settings.require_redis(), retries=WORKER_RETRIES)
        queue = RqJobQueue(redis=redis, queue_name=settings.queue_name)
        reconciler = SupabaseReconciler(client=client)
        spool = SpoolReplay(spool=FileSpool(folder=settings.home / SPOOL_FOLDER), recorder=reconciler)
        house, host = SupabaseHouseKeeping(client=client), socket.gethostname()
        yield ReconciliationService(
            reconciler=reconciler,
            spool=spool,
            queue=queue,
            reports=ReportService(store=SupabaseReportStore(client=client)),
            pulse=RedisPulse(redis=redis, queue_name=settings.queue_name),
            notices=RedisNotices(redis=redis, queue_name=settings.queue_name),
            host=host,
            waiting=WaitingRepliesService(spool=spool, house=house, host=host),
            retention=RetentionService(house=house, keep_days=settings.keep_replies_days),
            fingerprints=FingerprintService(store=SupabaseFingerprintStore(client=client)),
        )


@contextmanager
def open_alerting(settings: Settings) -> Generator[AlertingService]:
    """Open the alert evaluation with its own connections: it runs in a thread beside the reconciliation."""
    url, _ = settings.require_supabase()
    with open_service(url, settings.require_secret_key()) as client:
        redis = connect_redis(settings.require_redis(), retries=PAGE_RETRIES)
        yield AlertingService(
            notices=RedisNotices(redis=redis, queue_name=settings.queue_name),
            recorder=SupabaseAlertRecorder(client=client),
            storage_limit_bytes=settings.storage_limit_bytes,
            sender=None if settings.alert_webhook_url is None else AlertWebhook(url=settings.alert_webhook_url),
        )
