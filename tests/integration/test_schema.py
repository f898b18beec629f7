"""The migrations as a whole: what they replace, and what they make."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core.adapters.supabase.migrations import apply_migrations, read_migrations
from core.config import Settings
from core.embedded.plan import REPOSITORY
from core.errors import ConfigurationError
from tests.support.schema import QUERIES, list_differences, make_database, read_schema, run_files

MIGRATIONS = REPOSITORY / "migrations"
SCHEMA = sorted((MIGRATIONS / "schema").glob("*.sql"))
"""Every object once, by subject, to be read; databases are made by the migrations."""
FIRST_MIGRATIONS = Path(__file__).with_name("first_migrations")
"""The 32 files of Bright Run 0.1.0, which the baseline replaces: databases that they made exist."""
LAST_OF_BASELINE = "20261126000010"
LET_IN_INVISIBLE_NAMES = "20261127000100"
"""Those before it did."""
REWORDED_REASONS = "20261128000010"
PLANTED = {
    "alter view public.batch_progress reset (security_invoker)": "tables and views",
    "alter table public.batches alter column concurrency set default 4": "columns",
    "alter type public.batch_changes add attribute budget_usd numeric": "columns",
    "alter index public.idx_conversations_words alter column 1 set statistics 100": "columns",
    "grant insert (name) on public.personas to authenticated": "columns",
    "alter table public.personas validate constraint personas_name_line": "constraints",
    "comment on constraint batches_effort_check on public.batches is 'Effort: low.'": "constraints",
    "comment on index public.idx_batches_open is 'Open batches'": "indexes",
    'alter policy "Users read their batches" on public.batches using (true)': "policies",
    "alter function public.is_line(text) volatile": "functions",
    "alter function public.is_line(text) reset search_path": "functions",
    "alter function public.save_persona(jsonb) security invoker": "functions",
    "comment on function public.is_line(text) is 'A line'": "functions",
    "grant execute on function public.pause_batch(uuid, text) to authenticated": "functions",
    "alter table public.personas disable trigger note_author": "triggers",
    "drop trigger note_author on public.personas": "triggers",
    "create type public.colour as enum ('red')": "types",
    "update storage.buckets set public = true": "buckets",
    "delete from public.alert_evaluations": "rows",
}
"""A small change of each kind, and where it is seen."""


@pytest.fixture(name="url")
def empty_database(stack: Settings) -> Iterator[str]:
    with make_database(stack.require_db_url()) as url:
        yield url


@pytest.fixture(name="read_url", scope="module")
def database_of_the_schema(stack: Settings) -> Iterator[str]:
    with make_database(stack.require_db_url()) as url:
        run_files(url, SCHEMA)
        yield url


def read_history(url: str) -> list[tuple[str, str]]:
    with psycopg.connect(url) as connection:
        query = "select version, name from supabase_migrations.schema_migrations order by version"
        return connection.execute(query).fetchall()


def copy_baseline(folder: Path) -> Path:
    for migration in read_migrations(MIGRATIONS):
        if migration.version <= LAST_OF_BASELINE:
            (folder / migration.path.name).write_text(migration.text)
    return folder


def test_the_baseline_makes_what_the_files_made_that_it_replaces(stack: Settings, url: str, tmp_path: Path) -> None:
    with make_database(stack.require_db_url()) as old:
        apply_migrations(old, FIRST_MIGRATIONS)
        apply_migrations(url, copy_baseline(tmp_path))

        assert list_differences(old, url) == []


def test_the_schema_that_is_read_is_what_the_migrations_make(url: str, read_url: str) -> None:
    apply_migrations(url, MIGRATIONS)

    assert list_differences(url, read_url) == []


def test_a_small_difference_of_any_kind_is_found(url: str, read_url: str) -> None:
    run_files(url, SCHEMA)
    found: dict[str, list[str]] = {}
    with psycopg.connect(url, autocommit=True) as connection:
        before = read_schema(url)
        for change in PLANTED:
            connection.execute(change.encode())
            after = read_schema(url)
            found[change] = [kind for kind in QUERIES if after[kind] != before[kind]]
            before = after

    assert {change: [kind] for change, kind in PLANTED.items()} == found
    assert set(QUERIES) == set(PLANTED.values())
    assert {line.partition(",")[0] for line in list_differences(url, read_url)} == set(QUERIES)


@pytest.mark.parametrize("path", SCHEMA, ids=lambda path: path.stem)
def test_every_object_of_the_schema_says_what_it_is_for(path: Path) -> None:
    text = path.read_text()
    unsaid = [
        name
        for line, kind, name in re.findall(r"^(.*)\ncreate (function|table|view|type) (public\.\w+)", text, re.MULTILINE)
        if not line.startswith("-- ") and f"comment on {kind} {name} is" not in text
    ]

    assert unsaid == []


def test_a_database_of_the_replaced_files_is_taken_over_with_its_rows(stack: Settings, url: str) -> None:
    apply_migrations(url, FIRST_MIGRATIONS)
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into public.training_topics (topic_key, name, category, complexity_level) "
            "values ('t', 'T', 'c', 'beginner')"
        )

    apply_migrations(url, MIGRATIONS)

    with make_database(stack.require_db_url()) as fresh:
        apply_migrations(fresh, MIGRATIONS)
        assert read_history(fresh) == read_history(url)
        assert list_differences(fresh, url) == []
    with psycopg.connect(url) as connection:
        assert connection.execute("select name from public.training_topics").fetchall() == [("T",)]


def test_names_that_nobody_sees_are_mended_where_nobody_can_edit_them(url: str, tmp_path: Path) -> None:
    for migration in read_migrations(MIGRATIONS):
        if migration.version < LET_IN_INVISIBLE_NAMES:
            (tmp_path / migration.path.name).write_text(migration.text)
    apply_migrations(url, tmp_path)
    with psycopg.connect(url) as connection:
        connection.execute("insert into auth.users (id) values (gen_random_uuid())")
        connection.execute(
            "insert into public.batches (name, conversation_category, model, max_tokens, structured_outputs, selection,"
            " snapshot, created_by) select '\u3164', 'core', '\u202em', 1, true, '{}', '{}', id from auth.users"
        )
        connection.execute(
            "with arc as (insert into public.emotional_arcs (arc_key, name, tier, starting_emotion, starting_intensity_min,"
            " starting_intensity_max, ending_emotion, ending_intensity_min, ending_intensity_max, arc_strategy,"
            " typical_turn_count_min, typical_turn_count_max, complexity_baseline)"
            " values ('a', 'A', 'template', 'e', 0, 1, 'e', 0, 1, 's', 1, 2, 1) returning id)"
            " insert into public.prompt_templates (template_key, name, emotional_arc_id, system_prompt, user_prompt)"
            " select k, '\u00ad', id, 's', u from arc, (values ('readable', 'u'), ('unreadable', '\u2800')) t(k, u)"
        )

    apply_migrations(url, MIGRATIONS)

    with psycopg.connect(url) as connection:
        assert connection.execute("update public.batches set status = 'paused' returning name, model").fetchall() == [
            ("not given", "m")
        ]
        switched_off = "update public.prompt_templates set is_active = false where template_key = 'readable' returning name"
        assert connection.execute(switched_off).fetchall() == [("not given",)]


def test_reasons_of_batches_are_worded_as_new_ones_are(url: str, tmp_path: Path) -> None:
    for migration in read_migrations(MIGRATIONS):
        if migration.version < REWORDED_REASONS:
            (tmp_path / migration.path.name).write_text(migration.text)
    apply_migrations(url, tmp_path)
    old = ["Paused by itself: 4 of 5 failed.", "Paused by the analyst.", "Stopped."]
    with psycopg.connect(url) as connection:
        connection.execute("insert into auth.users (id) values (gen_random_uuid())")
        connection.execute(
            "insert into public.batches (name, conversation_category, model, max_tokens, selection, snapshot, created_by,"
            " status_reason) select r, 'core', 'm', 1, '{}', '{}', u.id, r from auth.users u, unnest(%s::text[]) r",
            (old,),
        )

    apply_migrations(url, MIGRATIONS)

    with psycopg.connect(url) as connection:
        reasons = connection.execute("select name, status_reason from public.batches").fetchall()
    assert dict(reasons) == {
        old[0]: "Paused automatically: 4 of 5 failed.",
        old[1]: "Paused by you.",
        old[2]: "Stopped.",
    }


def test_a_database_of_some_of_the_replaced_files_is_left_alone_with_a_word(url: str, tmp_path: Path) -> None:
    for path in sorted(FIRST_MIGRATIONS.glob("*.sql"))[:20]:
        (tmp_path / path.name).write_text(path.read_text())
    apply_migrations(url, tmp_path)
    before = read_history(url)

    with pytest.raises(ConfigurationError, match=r"has 20 of the 32 migrations .* Run `brightrun migrate` of"):
        apply_migrations(url, MIGRATIONS)

    assert before == read_history(url)


def test_a_database_without_a_record_of_its_migrations_is_left_alone_with_a_word(url: str) -> None:
    run_files(url, SCHEMA)

    with pytest.raises(ConfigurationError, match=r"no record of the migrations .* `supabase migration repair"):
        apply_migrations(url, MIGRATIONS)
