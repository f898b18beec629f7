"""The migrations as a whole: what they replace, and what they make."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from core.adapters.migrations import apply_migrations, read_migrations
from core.config import Settings
from core.embedded.plan import REPOSITORY
from core.errors import ConfigurationError
from tests.support.schema import make_database, read_schema

MIGRATIONS = REPOSITORY / "migrations"
FIRST_MIGRATIONS = Path(__file__).with_name("first_migrations")
"""The 32 files of Bright Run 0.1.0, which the baseline replaces: databases that they made exist."""
LAST_OF_BASELINE = "20261126000010"


@pytest.fixture(name="url")
def empty_database(stack: Settings) -> Iterator[str]:
    with make_database(stack.require_db_url()) as url:
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

        assert read_schema(old) == read_schema(url)


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
        assert read_schema(fresh) == read_schema(url)
    with psycopg.connect(url) as connection:
        assert connection.execute("select name from public.training_topics").fetchall() == [("T",)]


def test_a_database_of_some_of_the_replaced_files_is_left_alone_with_a_word(url: str, tmp_path: Path) -> None:
    for path in sorted(FIRST_MIGRATIONS.glob("*.sql"))[:20]:
        (tmp_path / path.name).write_text(path.read_text())
    apply_migrations(url, tmp_path)
    before = read_history(url)

    with pytest.raises(ConfigurationError, match=r"has 20 of the 32 migrations .* Run `brightrun migrate` of"):
        apply_migrations(url, MIGRATIONS)

    assert before == read_history(url)
