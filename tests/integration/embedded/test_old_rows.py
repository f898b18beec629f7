"""Migrations over a database with rows that earlier versions let in: nothing fails, what can be mended is."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from core.adapters.supabase.migrations import apply_migrations, read_migrations
from core.config import Settings
from core.embedded.plan import REPOSITORY

FIRST_CHECKS = "20261127000050"
HOSTED = """
create schema auth;
create table auth.users (id uuid primary key default gen_random_uuid(), email text);
create function auth.uid() returns uuid language sql stable as
$$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
create schema storage;
create table storage.buckets (id text primary key, name text, public boolean);
create table storage.objects (id uuid primary key, bucket_id text, name text, metadata jsonb);
"""
OLD_ROWS = """
insert into auth.users (id) values ('00000000-0000-0000-0000-000000000001');
insert into public.personas (persona_key, name, archetype, age_range, occupation, income_range, demographics,
    financial_background, financial_situation, communication_style, emotional_baseline, typical_questions)
values
    ('figures', 'A', '', '', '', '', '{"age": 41, "home": {"rooms": 3}, "pets": null}', '', '', '', '', array['a', null]),
    ('tables', E'two\\nlines', 'a', 'a', 'a', 'a', '{}', 'a', 'a', 'a', 'a', array[['a', 'b'], ['c', 'd']]),
    ('long', repeat('x', 5000), 'a', 'a', 'a', 'a', '{}', 'a', 'a', 'a', E'bell\\x07', array[repeat('y', 5000)]);
insert into public.batches (name, conversation_category, model, max_tokens, budget_usd, canary_items, estimated_seconds,
    estimated_cost_usd, selection, snapshot, created_by)
values (E' \\t ', 'core', '', 500000, 'NaN', 2000000000, 'Infinity', 'NaN', '{}', '{}',
        '00000000-0000-0000-0000-000000000001'),
    (repeat('n', 300), 'core', 'm', 10, 5, 1, 1, 1, '{}', '{}', '00000000-0000-0000-0000-000000000001');
"""


@pytest.fixture
def old_database(stack: Settings, tmp_path: Path) -> Iterator[str]:
    """The address of a database as the version before the checks left it."""
    name = f"old_{uuid4().hex}"
    with psycopg.connect(stack.require_db_url(), autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
        url = urlsplit(stack.require_db_url())._replace(path=f"/{name}").geturl()
        for migration in read_migrations(REPOSITORY / "migrations"):
            if migration.version < FIRST_CHECKS:
                shutil.copy(migration.path, tmp_path)
        with psycopg.connect(url) as old:
            old.execute(HOSTED.encode())
        apply_migrations(url, tmp_path)
        yield url
        connection.execute(f'drop database "{name}" with (force)'.encode())


def test_old_rows_are_mended_or_left_and_stop_no_migration(old_database: str) -> None:
    with psycopg.connect(old_database) as connection:
        connection.execute(OLD_ROWS.encode())

    apply_migrations(old_database, REPOSITORY / "migrations")

    with psycopg.connect(old_database) as connection:
        personas = connection.execute(
            "select persona_key, demographics, typical_questions from public.personas order by persona_key"
        ).fetchall()
        batches = connection.execute(
            "select name, model, max_tokens, budget_usd, canary_items, estimated_seconds, estimated_cost_usd"
            " from public.batches order by length(name)"
        ).fetchall()
        # A batch lives on: whatever its row was, it can be changed.
        connection.execute("update public.batches set status = 'paused'")
    assert [
        ("figures", {"age": "41", "home": '{"rooms": 3}'}, ["a"]),
        ("long", {}, ["y" * 2_000]),
        ("tables", {}, ["a", "b", "c", "d"]),
    ] == personas
    assert ("not given", "not given", 128_000, None, 100_000, None, None) == batches[0]
    assert ("n" * 200, "m", 10) == batches[1][:3]
