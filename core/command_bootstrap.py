"""The composition root of most commands. That of the pages loads diagnosis, health and alerts, which takes a second."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from core.adapters.queue.redis_connection import PAGE_RETRIES, connect_redis
from core.adapters.queue.rq_job_queue import RqJobQueue
from core.adapters.supabase.conversations import SupabaseConversationStore
from core.adapters.supabase.datasets import SupabaseDatasetStore
from core.adapters.supabase.failures import SupabaseReportStore
from core.adapters.supabase.monitor import SupabaseMonitorStore
from core.adapters.supabase.pages import SupabaseBatchStore, SupabaseScaffoldingStore
from core.adapters.supabase.session import open_service, sign_in
from core.config import PageSettings, Settings
from core.ports.results import ConversationStore, ReportStore
from core.services.batches import BatchService
from core.services.datasets import DatasetService
from core.services.monitor import MonitorService
from core.services.scaffolding import ScaffoldingService


@dataclass(frozen=True, kw_only=True)
class CommandServices:
    """What commands about batches and conversations work with: one analyst's view."""

    scaffolding: ScaffoldingService
    batches: BatchService
    monitor: MonitorService
    conversations: ConversationStore
    datasets: DatasetService


@contextmanager
def open_command_services(settings: PageSettings) -> Generator[CommandServices]:
    """Sign the configured analyst in; raises NotSignedIn, DatabaseUnavailable or ConfigurationError."""
    url, publishable_key = settings.require_supabase()
    analyst = sign_in(url, publishable_key, *settings.require_account())
    try:
        with connect_redis(settings.require_redis(), retries=PAGE_RETRIES) as redis:
            scaffolding = SupabaseScaffoldingStore(analyst=analyst)
            queue = RqJobQueue(redis=redis, queue_name=settings.queue_name)
            store = SupabaseBatchStore(analyst=analyst)
            batches = BatchService(batches=store, scaffolding=scaffolding, queue=queue, simulated=settings.simulated)
            conversations = SupabaseConversationStore(analyst=analyst)
            yield CommandServices(
                scaffolding=ScaffoldingService(store=scaffolding),
                batches=batches,
                monitor=MonitorService(store=SupabaseMonitorStore(analyst=analyst)),
                conversations=conversations,
                datasets=DatasetService(
                    store=SupabaseDatasetStore(analyst=analyst), conversations=conversations, batches=batches
                ),
            )
    finally:
        analyst.close()


@contextmanager
def open_report_store(settings: Settings) -> Generator[ReportStore]:
    """Open the failures of all analysts, with the service role's rights."""
    url, _ = settings.require_supabase()
    with open_service(url, settings.require_secret_key()) as client:
        yield SupabaseReportStore(client=client)
