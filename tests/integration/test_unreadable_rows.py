"""A row that is not what its record demands stops no list: it is left out and told, and the others are read."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.types.json import Jsonb

from core.adapters.supabase.alerts import SupabaseAlertStore
from core.adapters.supabase.conversations import SupabaseConversationStore
from core.adapters.supabase.diagnostics import SupabaseExperimentStore
from core.adapters.supabase.pages import SupabaseScaffoldingStore
from core.adapters.supabase.session import Analyst
from core.config import Settings
from core.domain.datasets.records import ConversationFilters
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan
from core.domain.paging import Direction
from core.domain.unreadable import phrase_unreadable
from core.errors import DatabaseRejected
from core.scaffolding_data import load_personas
from core.services.conversations import export_conversations
from tests.support.results import accept
from tests.support.stores import Stores, fail_some, lease, record, submit


@pytest.fixture
def analyst(stores: Stores) -> Analyst:
    return stores.analyst


@contextmanager
def open_database(settings: Settings) -> Iterator[psycopg.Connection]:
    """The database as whoever restores an older one: constraints can be taken away."""
    with psycopg.connect(settings.require_db_url()) as connection:
        yield connection


@contextmanager
def plant_persona(settings: Settings, key: str, demographics: dict[str, Any]) -> Iterator[None]:
    """Put in a persona as earlier versions let in."""
    constraint = "alter table public.personas add constraint personas_demographics_map"
    with open_database(settings) as connection:
        connection.execute("alter table public.personas drop constraint personas_demographics_map")
        row = load_personas()[0].model_dump(mode="json") | {"id": str(uuid4()), "persona_key": key, "created_at": "now"}
        connection.execute(
            "insert into public.personas select (jsonb_populate_record(null::public.personas, %s)).*",
            (Jsonb(row | {"demographics": demographics, "updated_at": datetime.now(UTC).isoformat()}),),
        )
        connection.execute(f"{constraint} check (public.is_text_map(demographics)) not valid")  # pyright: ignore[reportArgumentType]
    try:
        yield
    finally:
        with open_database(settings) as connection:
            connection.execute("delete from public.personas where persona_key = %s", (key,))


@pytest.mark.parametrize(
    "demographics", [{"age": 41}, {"age": {"years": "41"}}, {"age": ["41", None]}, {"age": None}], ids=str
)
def test_a_malformed_persona_is_left_out_and_told(
    seeded: Settings, analyst: Analyst, caplog: pytest.LogCaptureFixture, demographics: dict[str, Any]
) -> None:
    store = SupabaseScaffoldingStore(analyst=analyst)
    before = store.list_personas()

    with plant_persona(seeded, "malformed_one", demographics), caplog.at_level(logging.WARNING):
        read = store.list_personas()
        told = analyst.unreadable.list_all()
        store.list_personas()

    assert read == before
    assert "1 persona could not be read: malformed_one: demographics.age" in phrase_unreadable(told)
    assert ["1 persona could not be read"] == [message[:27] for message in caplog.messages if "persona" in message]
    store.list_personas()
    assert analyst.unreadable.list_all() == ()


def accept_some(stores: Stores, number: int) -> None:
    batch_id = submit(stores)
    for item in lease(stores, batch_id, number):
        record(stores, accept(item))


def break_conversation(settings: Settings, conversation_id: UUID) -> None:
    with open_database(settings) as connection:
        connection.execute("update public.conversations set turns = '[1, 2]' where id = %s", (conversation_id,))


def test_a_broken_conversation_does_not_end_an_export(seeded: Settings, stores: Stores, analyst: Analyst) -> None:
    accept_some(stores, 2)
    service = SupabaseConversationStore(analyst=analyst)
    oldest = service.list_page().rows[-1]
    break_conversation(seeded, oldest.id)

    for page_size in (1, 2, 500):
        assert 1 == len(list(export_conversations(service, ConversationFilters(), page_size=page_size)))
        assert ["conversation to export"] == [row.what for row in analyst.unreadable.list_all()]
    named = f"1 conversation could not be read: {re.escape(oldest.name[:20])}"
    with pytest.raises(DatabaseRejected, match=named):
        service.get(oldest.id)
    with pytest.raises(DatabaseRejected, match=named):
        service.open(oldest.id, uuid4())


def test_pages_go_on_behind_a_row_that_cannot_be_read(seeded: Settings, stores: Stores, analyst: Analyst) -> None:
    for _ in range(2):
        accept_some(stores, 2)
    service = SupabaseConversationStore(analyst=analyst)
    rows = service.list_page().rows
    with open_database(seeded) as connection:
        connection.execute("alter table public.conversations drop constraint conversations_tier_check")
        connection.execute("update public.conversations set tier = 'odd' where id = any (%s)", ([rows[0].id, rows[2].id],))
        try:
            connection.commit()
            first = service.list_page(page_size=2)
            second = service.list_page(page_size=2, cursor=first.next_cursor)
            back = service.list_page(page_size=2, cursor=second.previous_cursor, direction=Direction.NEWER)
        finally:
            connection.execute("update public.conversations set tier = 'template' where tier = 'odd'")
            connection.execute(
                "alter table public.conversations add constraint conversations_tier_check"
                " check (tier in ('template', 'scenario', 'edge_case'))"
            )

    assert [[rows[1].id], [rows[3].id], [rows[1].id]] == [[row.id for row in page.rows] for page in (first, second, back)]
    assert [str(rows[0].name)] == [row.key for row in analyst.unreadable.list_all()]


def test_a_broken_alert_hides_no_other(seeded: Settings, analyst: Analyst) -> None:
    with open_database(seeded) as connection:
        for subject, figures in (("whole", {"judged": 1}), ("broken", {"judged": [1]})):
            connection.execute(
                "insert into public.alerts (rule, subject, severity, message, advice, figures, created_by)"
                " values ('new_pattern', %s, 'warning', 'm', 'a', %s, %s)",
                (subject, Jsonb(figures), analyst.user_id),
            )

    board = SupabaseAlertStore(analyst=analyst).read()

    # Alerts of the whole installation, which other tests may have raised, have no subject.
    assert ["whole"] == [alert.subject for alert in board.open if alert.subject]
    assert ["alert"] == [row.what for row in analyst.unreadable.list_all()]


def test_a_broken_comparison_hides_no_other(seeded: Settings, stores: Stores, analyst: Analyst) -> None:
    batch_id = submit(stores)
    fail_some(stores, {}, {})
    accept_all = [accept(item) for item in lease(stores, batch_id)]
    record(stores, *accept_all)
    store = SupabaseExperimentStore(analyst=analyst)
    plans = [ExperimentPlan(batch_id=batch_id, change=ExperimentChange(max_tokens=limit)) for limit in (1_000, 2_000)]
    broken, whole = [store.create(plan) for plan in plans]
    with open_database(seeded) as connection:
        connection.execute("update public.experiments set change = '{\"model\": 5}' where id = %s", (broken.id,))

    assert [whole.id] == [each.id for each in store.list_recent(10)]
    assert ["comparison"] == [row.what for row in analyst.unreadable.list_all()]
    with pytest.raises(DatabaseRejected, match="comparison could not be read"):
        store.count_pairs(broken.id)
