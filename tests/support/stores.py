"""All stores of one analyst over the real Supabase API, with a worker beside them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import psycopg
import pytest

from core.adapters.supabase.conversations import SupabaseConversationStore
from core.adapters.supabase.diagnostics import SupabaseDiagnosticStore, SupabaseExperimentStore
from core.adapters.supabase.failures import SupabaseFailureStore
from core.adapters.supabase.imports import SupabaseImportStore
from core.adapters.supabase.monitor import SupabaseMonitorStore, SupabaseOverviewStore
from core.adapters.supabase.pages import SupabaseBatchStore, SupabaseScaffoldingStore
from core.adapters.supabase.scaffolding import SupabaseScaffoldingEditor
from core.adapters.supabase.session import Analyst, open_service, open_worker_client
from core.adapters.supabase.worker import SupabaseReconciler, SupabaseWorkStore
from core.config import Settings
from core.domain.batches.batch import BatchId, BatchProgress, Selection
from core.domain.batches.estimate import estimate_batch
from core.domain.batches.monitor import BatchFilters
from core.domain.batches.results import FailureFilters, FailureRow
from core.domain.batches.work import ItemResult, LeasedItem, LeaseRequest, RecordOutcome
from core.domain.datasets.records import ConversationFilters, ListedConversation
from core.ports.work import WorkStore
from tests.factories import make_selection, make_settings
from tests.support.results import fail
from tests.support.stack import sign_up

Result = TypeVar("Result")


class Worker(Protocol):
    """Runs a function with a work store."""

    def __call__(self, use: Callable[[WorkStore], Awaitable[Result]]) -> Result: ...


@dataclass(frozen=True, kw_only=True)
class Stores:
    """What one analyst sees, and the worker's and the reconciler's side of it."""

    settings: Settings
    analyst: Analyst
    scaffolding: SupabaseScaffoldingStore
    editor: SupabaseScaffoldingEditor
    batches: SupabaseBatchStore
    monitor: SupabaseMonitorStore
    overview: SupabaseOverviewStore
    failures: SupabaseFailureStore
    conversations: SupabaseConversationStore
    diagnostics: SupabaseDiagnosticStore
    experiments: SupabaseExperimentStore
    imports: SupabaseImportStore
    work: Worker
    reconciler: SupabaseReconciler


CLOSE_BATCHES = """
update public.batches set status = 'cancelled', completed_at = now()
where created_by = %s and status in ('queued', 'processing')
"""


@contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """Sign a new analyst up and open everything of theirs; close their batches afterwards, which workers would help."""
    url, _ = settings.require_supabase()
    with (
        sign_up(settings) as analyst,
        open_service(url, settings.require_secret_key()) as client,
        open_worker(settings) as work,
    ):
        stores = Stores(
            settings=settings,
            analyst=analyst,
            scaffolding=SupabaseScaffoldingStore(analyst=analyst),
            editor=SupabaseScaffoldingEditor(analyst=analyst),
            batches=SupabaseBatchStore(analyst=analyst),
            monitor=SupabaseMonitorStore(analyst=analyst),
            overview=SupabaseOverviewStore(analyst=analyst),
            failures=SupabaseFailureStore(analyst=analyst),
            conversations=SupabaseConversationStore(analyst=analyst),
            diagnostics=SupabaseDiagnosticStore(analyst=analyst),
            experiments=SupabaseExperimentStore(analyst=analyst),
            imports=SupabaseImportStore(analyst=analyst),
            work=work,
            reconciler=SupabaseReconciler(client=client),
        )
        try:
            yield stores
        finally:
            with psycopg.connect(settings.require_db_url(), autocommit=True) as connection:
                connection.execute(CLOSE_BATCHES, (analyst.user_id,))


@contextmanager
def open_worker(settings: Settings) -> Iterator[Worker]:
    """Open a worker's connection in an event loop of its own, which runs while the worker works."""
    url, _ = settings.require_supabase()
    with asyncio.Runner() as runner:
        opening = open_worker_client(url, settings.require_secret_key())
        client = runner.run(opening.__aenter__())

        async def wait(answer: Awaitable[Result]) -> Result:
            return await answer

        def work(use: Callable[[WorkStore], Awaitable[Result]]) -> Result:
            return runner.run(wait(use(SupabaseWorkStore(client=client))))

        try:
            yield work
        finally:
            runner.run(opening.__aexit__(None, None, None))


@pytest.fixture
def stores(seeded: Settings) -> Iterator[Stores]:
    """The stores of an analyst that no other test knows."""
    with open_stores(seeded) as opened:
        yield opened


def submit(
    stores: Stores,
    selection: Selection | None = None,
    *,
    name: str = "A batch",
    picks: list[int] | None = None,
    **settings: object,
) -> BatchId:
    selection = selection or make_selection()
    estimate = estimate_batch(selection.planned, concurrency=3)
    return stores.batches.submit(name, selection, make_settings(**settings), estimate, picks).batch_id


def read(stores: Stores, batch_id: BatchId) -> BatchProgress:
    progress = stores.batches.get(batch_id)
    assert progress is not None
    assert progress.planned == progress.accepted + progress.failed + progress.cancelled + progress.running + progress.queued
    return progress


def ask(worker: str = "test:1", wanted: int = 10, lease_seconds: float = 30) -> LeaseRequest:
    """Ask for items as a worker that has none."""
    return LeaseRequest(worker=worker, wanted=wanted, lease_seconds=lease_seconds)


def lease(stores: Stores, batch_id: BatchId, wanted: int = 10, lease_seconds: float = 30) -> tuple[LeasedItem, ...]:
    return stores.work(lambda store: store.lease(batch_id, ask("test:1", wanted, lease_seconds))).items


async def send(store: WorkStore, *results: ItemResult) -> tuple[RecordOutcome, ...]:
    """Record results as a worker does."""
    return await store.record(await store.keep(results))


def record(stores: Stores, *results: ItemResult) -> list[str]:
    return [outcome.outcome for outcome in stores.work(lambda store: send(store, *results))]


def fail_some(stores: Stores, *settings: dict[str, object]) -> BatchId:
    """Record one failure for each dictionary of attempt settings, oldest first."""
    batch_id = submit(stores, make_selection(1, 1, len(settings)), concurrency=len(settings))
    for item, attempt in zip(lease(stores, batch_id), settings, strict=True):
        record(stores, fail(item, **attempt))
    return batch_id


def list_batches(stores: Stores) -> tuple[BatchProgress, ...]:
    """Return the analyst's batches, newest first."""
    return stores.monitor.list_batches(BatchFilters(), 100, 0).batches


def list_conversations(stores: Stores, batch_id: BatchId) -> tuple[ListedConversation, ...]:
    return stores.conversations.list_page(ConversationFilters(batch_id=batch_id), page_size=10).rows


def list_failures(stores: Stores, batch_id: BatchId) -> tuple[FailureRow, ...]:
    return stores.failures.list_page(FailureFilters(batch_id=batch_id), page_size=10).rows
