"""`brightrun migrate` against a real database."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest

from core.adapters.supabase.migrations import apply_migrations
from core.config import Settings
from core.errors import ConfigurationError, DatabaseRejected, DatabaseUnavailable


@pytest.fixture
def database(stack: Settings) -> Iterator[str]:
    """Return the address of an empty database beside the stack's own."""
    name = f"migrations_{uuid4().hex}"
    with psycopg.connect(stack.require_db_url(), autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
        yield urlsplit(stack.require_db_url())._replace(path=f"/{name}").geturl()
        connection.execute(f'drop database "{name}" with (force)'.encode())


def put(folder: Path, version: int, name: str, text: str) -> Path:
    path = folder / f"{version:014d}_{name}.sql"
    path.write_text(text)
    return path


def rows(database: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database) as connection:
        return connection.execute(query.encode()).fetchall()


def test_applies_in_order_once_and_records_like_the_supabase_cli(database: str, tmp_path: Path) -> None:
    put(tmp_path, 2, "second", "insert into t values (1);")
    put(tmp_path, 1, "first", "create table t (id int); -- 100 % of it")
    assert apply_migrations(database, tmp_path) == ["00000000000001_first.sql", "00000000000002_second.sql"]
    assert apply_migrations(database, tmp_path) == []
    recorded = rows(database, "select version, name, array_length(statements, 1) from supabase_migrations.schema_migrations")
    assert recorded == [("00000000000001", "first", 1), ("00000000000002", "second", 1)]
    assert rows(database, "select id from t") == [(1,)]


def test_failed_file_is_named_with_its_line_and_leaves_nothing(database: str, tmp_path: Path) -> None:
    put(tmp_path, 1, "good", "create table good (id int);")
    put(tmp_path, 2, "bad", "create table bad (id int);\n\ninsert into nowhere values (1);\n")
    with pytest.raises(DatabaseRejected, match=r'_bad\.sql, line 3: relation "nowhere" does not exist'):
        apply_migrations(database, tmp_path)
    assert rows(database, "select to_regclass('good') is not null, to_regclass('bad') is null") == [(True, True)]
    assert rows(database, "select version from supabase_migrations.schema_migrations") == [("00000000000001",)]


def test_file_that_commits_is_refused(database: str, tmp_path: Path) -> None:
    put(tmp_path, 1, "commits", "create table t (id int); commit;")
    with pytest.raises(DatabaseRejected, match="ends the transaction"):
        apply_migrations(database, tmp_path)


def test_missing_file_is_an_error_and_a_changed_one_is_not_run_again(database: str, tmp_path: Path) -> None:
    path = put(tmp_path, 1, "first", "create table t (id int);")
    apply_migrations(database, tmp_path)
    path.write_text("create table t (id int, more int);")
    assert apply_migrations(database, tmp_path) == []
    path.unlink()
    with pytest.raises(ConfigurationError, match=r"00000000000001_first was applied .* not here"):
        apply_migrations(database, tmp_path)


@pytest.mark.parametrize("name", ["1_short.sql", "20260101000000-dash.sql"])
def test_wrong_file_name_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("select 1;")
    with pytest.raises(ConfigurationError, match="14 digits"):
        apply_migrations("postgresql://127.0.0.1:1/none", tmp_path)


def test_database_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable, match="SUPABASE_DB_URL"):
        apply_migrations("postgresql://127.0.0.1:1/none", tmp_path)
