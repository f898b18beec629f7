"""The stores behind Bulk Generator and Scaffolding, in memory and on the real Supabase API."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import pytest

from core.adapters.memory import MemoryDatabase
from core.adapters.memory_scaffolding import MemoryScaffoldingEditor
from core.adapters.supabase.pages import SupabaseBatchStore, SupabaseScaffoldingStore
from core.adapters.supabase.scaffolding import SupabaseScaffoldingEditor
from core.adapters.supabase.session import open_worker_client
from core.adapters.supabase.worker import SupabaseWorkStore
from core.domain.batch import BatchId, Selection
from core.domain.estimate import estimate_batch
from core.domain.parsing import parse_conversation
from core.domain.work import ItemAccepted
from core.ports import BatchStore, ScaffoldingEditor, ScaffoldingStore, WorkStore
from tests.factories import make_attempt, make_conversation_json, make_memory, make_settings
from tests.integration.conftest import sign_up

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Stores:
    scaffolding: ScaffoldingStore
    editor: ScaffoldingEditor
    batches: BatchStore
    work: Callable[[Callable[[WorkStore], Awaitable[Any]]], Any]


@contextmanager
def open_stores(request: pytest.FixtureRequest, kind: str) -> Iterator[Stores]:
    if kind == "memory":
        database: MemoryDatabase = make_memory()
        editor = MemoryScaffoldingEditor(database=database)
        yield Stores(
            scaffolding=database, editor=editor, batches=database, work=lambda use: asyncio.run(_await(use(database)))
        )
        return
    settings = request.getfixturevalue("seeded")
    url, _ = settings.require_supabase()

    async def run(use: Callable[[WorkStore], Awaitable[Result]]) -> Result:
        async with open_worker_client(url, settings.require_secret_key()) as client:
            return await use(SupabaseWorkStore(client=client))

    with sign_up(settings) as analyst:
        yield Stores(
            scaffolding=SupabaseScaffoldingStore(analyst=analyst),
            editor=SupabaseScaffoldingEditor(analyst=analyst),
            batches=SupabaseBatchStore(analyst=analyst),
            work=lambda use: asyncio.run(run(use)),
        )


async def _await(awaitable: Awaitable[Result]) -> Result:
    return await awaitable


def submit(stores: Stores, selection: Selection, picks: list[int] | None = None) -> BatchId:
    estimate = estimate_batch(selection.planned, concurrency=3)
    return stores.batches.submit("A batch", selection, make_settings(), estimate, picks).batch_id


def accept(stores: Stores, batch_id: BatchId, wanted: int = 100, *, simulated: bool = True) -> list[tuple[UUID, UUID, UUID]]:
    """Accept so many items; return their combinations."""
    parsed = parse_conversation(make_conversation_json())
    items = stores.work(lambda store: store.lease(batch_id, "test:1", wanted, 30)).items
    results = [
        ItemAccepted(
            item=item,
            attempt=make_attempt(simulated=simulated),
            prompt_text="p",
            conversation=parsed.conversation,  # type: ignore[union-attr]
        )
        for item in items
    ]
    stores.work(lambda store: store.record(results))
    return [(item.persona_id, item.emotional_arc_id, item.training_topic_id) for item in items]
