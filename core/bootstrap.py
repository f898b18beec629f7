"""The composition root of pages, and of commands that need as much. It knows services and adapters, as the other two do."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.adapters.queue.redis_connection import PAGE_RETRIES, connect_redis
from core.adapters.queue.rq_health import RqProbe
from core.adapters.queue.rq_job_queue import RqJobQueue
from core.adapters.queue.rq_token_counter import RqTokenCounter
from core.adapters.supabase.alerts import SupabaseAlertStore
from core.adapters.supabase.conversations import SupabaseConversationStore
from core.adapters.supabase.datasets import SupabaseDatasetStore
from core.adapters.supabase.diagnostics import SupabaseDiagnosticStore, SupabaseExperimentStore
from core.adapters.supabase.failures import SupabaseFailureStore
from core.adapters.supabase.health import SupabaseProbe
from core.adapters.supabase.imports import SupabaseImportStore
from core.adapters.supabase.migrations import read_migrations
from core.adapters.supabase.monitor import SupabaseMonitorStore, SupabaseOverviewStore
from core.adapters.supabase.pages import SupabaseBatchStore, SupabaseScaffoldingStore
from core.adapters.supabase.scaffolding import SupabaseScaffoldingEditor
from core.adapters.supabase.session import Analyst, sign_in
from core.config import PageSettings
from core.domain.unreadable import UnreadableRow
from core.ports.alerts import AlertStore
from core.ports.batches import OverviewStore
from core.ports.claude import TokenCounter
from core.ports.results import ConversationStore, FailureStore
from core.services.batches import BatchService
from core.services.datasets import DatasetService
from core.services.diagnostics import DiagnosticsService
from core.services.experiments import ExperimentService
from core.services.health import HealthService
from core.services.importing import ImportService
from core.services.monitor import MonitorService
from core.services.scaffolding import ScaffoldingService
from core.services.scaffolding_editing import ScaffoldingEditingService

MIGRATIONS = Path(__file__).parents[1] / "migrations"


@dataclass(frozen=True, kw_only=True)
class PageServices:
    """What pages and command line work with: one analyst's view."""

    user_email: str
    scaffolding: ScaffoldingService
    scaffolding_editing: ScaffoldingEditingService
    tokens: TokenCounter
    batches: BatchService
    monitor: MonitorService
    overview: OverviewStore
    alerts: AlertStore
    health: HealthService
    failures: FailureStore
    conversations: ConversationStore
    datasets: DatasetService
    diagnostics: DiagnosticsService
    experiments: ExperimentService
    imports: ImportService
    list_unreadable: Callable[[], tuple[UnreadableRow, ...]] = tuple
    """Returns the rows of the last reads that could not be read and were left out."""
    release: Callable[[], None] = lambda: None
    """Closes the connections."""

    def close(self) -> None:
        """Close the connections behind the services."""
        self.release()


def open_page_services(settings: PageSettings, email: str, password: str) -> PageServices:
    """Sign an analyst in and build their services; raises NotSignedIn, DatabaseUnavailable or ConfigurationError."""
    url, publishable_key = settings.require_supabase()
    analyst = sign_in(url, publishable_key, email, password)
    return build_page_services(settings, analyst)


def open_local_services(settings: PageSettings) -> PageServices:
    """Sign the configured analyst in (BRIGHTRUN_EMAIL and BRIGHTRUN_PASSWORD; the one-machine stack sets them)."""
    settings.require_supabase()
    return open_page_services(settings, *settings.require_account())


def build_page_services(settings: PageSettings, analyst: Analyst) -> PageServices:
    """Build the services of a signed-in analyst."""
    scaffolding = SupabaseScaffoldingStore(analyst=analyst)
    redis = connect_redis(settings.require_redis(), retries=PAGE_RETRIES)
    queue = RqJobQueue(redis=redis, queue_name=settings.queue_name)

    health = HealthService(
        database=SupabaseProbe(analyst=analyst),
        queue=RqProbe(redis=redis, queue_name=settings.queue_name),
        storage_limit_bytes=settings.storage_limit_bytes,
        shipped_migrations=tuple(migration.version for migration in read_migrations(MIGRATIONS)),
    )

    conversations = SupabaseConversationStore(analyst=analyst)
    batches = BatchService(
        batches=SupabaseBatchStore(analyst=analyst), scaffolding=scaffolding, queue=queue, simulated=settings.simulated
    )

    def release() -> None:
        health.close()
        analyst.close()
        redis.close()

    return PageServices(
        user_email=analyst.email,
        scaffolding=ScaffoldingService(store=scaffolding),
        scaffolding_editing=ScaffoldingEditingService(store=scaffolding, editor=SupabaseScaffoldingEditor(analyst=analyst)),
        tokens=RqTokenCounter(redis=redis, queue_name=settings.queue_name),
        batches=batches,
        monitor=MonitorService(store=SupabaseMonitorStore(analyst=analyst)),
        overview=SupabaseOverviewStore(analyst=analyst),
        alerts=SupabaseAlertStore(analyst=analyst),
        health=health,
        failures=SupabaseFailureStore(analyst=analyst),
        conversations=conversations,
        datasets=DatasetService(store=SupabaseDatasetStore(analyst=analyst), conversations=conversations, batches=batches),
        diagnostics=DiagnosticsService(store=SupabaseDiagnosticStore(analyst=analyst)),
        experiments=ExperimentService(store=SupabaseExperimentStore(analyst=analyst), queue=queue),
        imports=ImportService(store=SupabaseImportStore(analyst=analyst), scaffolding=scaffolding),
        list_unreadable=analyst.unreadable.list_all,
        release=release,
    )
