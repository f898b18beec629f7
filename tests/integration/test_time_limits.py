"""How long a question of each role may take. A lock stands for a heavy question; a time limit knows no difference."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest

from core.adapters.supabase.diagnostics import SupabaseExperimentStore
from core.adapters.supabase.functions import call_function
from core.adapters.supabase.imports import SupabaseImportStore
from core.adapters.supabase.session import Analyst, open_service
from core.config import Settings
from core.domain.datasets.importing import ImportId
from core.errors import DatabaseUnavailable, InvalidRequest

HELD_SECONDS = 3.0


@pytest.fixture
def short_limit(seeded: Settings) -> Iterator[None]:
    """A limit that a test can wait for."""
    with psycopg.connect(seeded.require_db_url(), autocommit=True) as connection:
        connection.execute("alter role authenticated set statement_timeout = '500ms'")
        try:
            yield
        finally:
            connection.execute("alter role authenticated set statement_timeout = '8s'")


@contextmanager
def hold(settings: Settings, *tables: str) -> Iterator[Callable[[], None]]:
    """Let every question about these tables wait until what is given back is called."""
    with psycopg.connect(settings.require_db_url()) as connection:
        for table in tables:
            connection.execute(f"lock table public.{table} in access exclusive mode")  # pyright: ignore[reportArgumentType]
        yield connection.rollback


def test_visitors_and_analysts_have_the_limits_of_hosted_supabase_and_the_worker_none(seeded: Settings) -> None:
    with psycopg.connect(seeded.require_db_url()) as connection:
        found = connection.execute(
            "select rolname, rolconfig from pg_roles where rolname in ('anon', 'authenticated', 'service_role')"
        ).fetchall()

    assert {
        "anon": ["statement_timeout=3s"],
        "authenticated": ["statement_timeout=8s"],
        "service_role": None,
    } == dict(found)


def ask_table(analyst: Analyst) -> object:
    return SupabaseExperimentStore(analyst=analyst).list_recent(10)


def ask_function(analyst: Analyst) -> object:
    return call_function(analyst.client, "list_imported_names", wanted_kind="topic")


@pytest.mark.usefixtures("short_limit")
@pytest.mark.parametrize("ask", [ask_table, ask_function])
def test_a_heavy_question_of_an_analyst_is_stopped_with_a_word(
    seeded: Settings, analyst: Analyst, ask: Callable[[Analyst], object]
) -> None:
    with hold(seeded, "experiments", "imported_names"):
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="took longer for this than it allows"):
            ask(analyst)

    assert time.monotonic() - began < 20.0


@pytest.mark.usefixtures("short_limit")
def test_the_worker_is_not_cut_short(seeded: Settings) -> None:
    url, _ = seeded.require_supabase()
    with open_service(url, seeded.require_secret_key()) as client, hold(seeded, "experiments") as let_go:
        timer = threading.Timer(HELD_SECONDS, let_go)
        timer.start()
        rows = client.table("experiments").select("id").limit(1).execute().data
        timer.join()

    assert isinstance(rows, list)


@pytest.mark.usefixtures("short_limit")
def test_a_function_with_a_limit_of_its_own_has_that(seeded: Settings, analyst: Analyst) -> None:
    """finish_import may take minutes."""
    store = SupabaseImportStore(analyst=analyst)
    with hold(seeded, "imports") as let_go, ThreadPoolExecutor(1) as executor:
        finishing = executor.submit(store.finish, ImportId(uuid4()))
        time.sleep(HELD_SECONDS)
        assert not finishing.done()
        let_go()
        with pytest.raises(InvalidRequest, match="This import is gone"):
            finishing.result(timeout=60)
