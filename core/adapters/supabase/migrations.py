"""Apply the SQL files of `migrations/`, recorded where the Supabase CLI records them."""

import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
import structlog

from core.errors import ConfigurationError, DatabaseRejected, DatabaseUnavailable

FILE_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>\w+)\.sql")
SQUASHED_FILE = "squashed.txt"
"""In the folder of the migrations: the versions that the baseline has replaced, one per line; `#` begins a comment."""
BASELINE = "20261126"
"""The first characters of the baseline's versions."""
LOCK = 8_320_514_962_311_407
"""For all Bright Run migrations: any number that nothing else uses."""
RECORD_TABLE = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text primary key, statements text[], name text);
"""
log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Migration:
    """One file."""

    version: str
    name: str
    path: Path
    text: str


def apply_migrations(database_url: str, folder: Path) -> list[str]:
    """Apply what is not yet recorded, one transaction per file, and return the names of those files.

    Raises ConfigurationError for files that cannot be applied in order, DatabaseUnavailable, and DatabaseRejected with file
    and line. A failed file leaves nothing behind; the files before it stay applied.
    """
    migrations = read_migrations(folder)
    try:
        # Hosted poolers cannot keep prepared statements; migrations need none.
        connection = psycopg.connect(database_url, autocommit=True, connect_timeout=10, prepare_threshold=None)
    except psycopg.OperationalError as error:
        message = (
            f"The database cannot be reached: {str(error).strip()}. Check SUPABASE_DB_URL. The direct address of a hosted "
            "project needs IPv6; its session pooler does not."
        )
        raise DatabaseUnavailable(message) from error
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(f"SUPABASE_DB_URL is not a PostgreSQL address: {str(error).strip()}.") from error
    with connection:
        try:
            with connection.transaction():
                connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
                if not _has_table(connection, "supabase_migrations.schema_migrations"):
                    connection.execute(RECORD_TABLE)
                _refuse_unrecorded(connection)
                _adopt_squashed(connection, migrations, read_squashed(folder))
            _check_records(connection, migrations)
            return [m.path.name for m in migrations if _apply(connection, m)]
        except psycopg.OperationalError as error:
            message = f"The database went away: {str(error).strip()}. Run `brightrun migrate` again."
            raise DatabaseUnavailable(message) from error


def read_migrations(folder: Path) -> list[Migration]:
    """Return the files in the order of their versions; raise ConfigurationError for a wrong or duplicate name."""
    migrations: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise ConfigurationError(f"{path} is not named <14 digits>_<name>.sql. Rename it.")
        if migrations and migrations[-1].version == match["version"]:
            raise ConfigurationError(f"{path} has the same version as {migrations[-1].path.name}. Give it a later one.")
        migrations.append(Migration(match["version"], match["name"], path, path.read_text(encoding="utf-8")))
    return migrations


def read_squashed(folder: Path) -> frozenset[str]:
    """Return the versions that the baseline has replaced; none if the folder has no such list."""
    path = folder / SQUASHED_FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return frozenset(version for line in lines if (version := line.partition("#")[0].strip()))


def _refuse_unrecorded(connection: psycopg.Connection) -> None:
    """Report tables without a record of their migrations: the first file would only say that they exist."""
    recorded = connection.execute("select 1 from supabase_migrations.schema_migrations limit 1").fetchone()
    if recorded is None and _has_table(connection, "public.batches"):
        raise ConfigurationError(
            "This database has tables of Bright Run, but no record of the migrations that made them. If all migrations of "
            "this checkout made it, record each with `supabase migration repair --status applied <version>`; otherwise "
            "restore supabase_migrations.schema_migrations from a backup, or use an empty database."
        )


def _adopt_squashed(connection: psycopg.Connection, migrations: list[Migration], squashed: frozenset[str]) -> None:
    """Rewrite the history of a database made by the files that the baseline replaced, as `supabase migration repair` would.

    Both make the same schema (a test holds that), so nothing of the database itself is touched.
    """
    rows = connection.execute("select version from supabase_migrations.schema_migrations").fetchall()
    replaced = squashed & {version for (version,) in rows}
    if not replaced:
        return
    if replaced != squashed:
        raise ConfigurationError(
            f"This database has {len(replaced)} of the {len(squashed)} migrations of Bright Run 0.1.0, so it cannot be "
            "taken over as it is. Run `brightrun migrate` of the last checkout that has "
            f"migrations/{max(squashed)}_*.sql, then this one again."
        )
    baseline = [migration for migration in migrations if migration.version.startswith(BASELINE)]
    connection.execute("delete from supabase_migrations.schema_migrations where version = any(%s)", (sorted(squashed),))
    for migration in baseline:
        _record(connection, migration)
    log.info("history_rewritten", replaced=len(squashed), baseline=len(baseline))


def _check_records(connection: psycopg.Connection, migrations: list[Migration]) -> None:
    """Compare the applied versions with the files: a missing file is an error, a changed one is only reported, never run
    again.
    """
    files = {migration.version: migration for migration in migrations}
    rows = connection.execute("select version, statements, name from supabase_migrations.schema_migrations order by version")
    for version, statements, name in rows.fetchall():
        migration = files.get(version)
        if migration is None:
            applied = f"Migration {version}_{name} was applied to this database"
            raise ConfigurationError(f"{applied}, but its file is not here. Update your checkout.")
        # The Supabase CLI records single statements, which cannot be compared with the file's text.
        if statements is not None and len(statements) == 1 and _bare(statements[0]) != _bare(migration.text):
            log.warning("migration_changed_after_it_was_applied", file=migration.path.name, advice="write a new migration")


def _apply(connection: psycopg.Connection, migration: Migration) -> bool:
    """Apply and record one file; return false if it was recorded already, perhaps by another process just now."""
    try:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            query = "select 1 from supabase_migrations.schema_migrations where version = %s"
            if connection.execute(query, (migration.version,)).fetchone() is not None:
                return False
            connection.execute(migration.text.encode())
            if connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
                raise DatabaseRejected(f"{migration.path} ends the transaction it runs in. Remove its commit or rollback.")
            _record(connection, migration)
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise DatabaseRejected(_describe(error, migration)) from error
    log.info("migration_applied", file=migration.path.name)
    return True


def _record(connection: psycopg.Connection, migration: Migration) -> None:
    connection.execute(
        "insert into supabase_migrations.schema_migrations (version, statements, name) values (%s, %s, %s)",
        (migration.version, [migration.text], migration.name),
    )


def _describe(error: psycopg.Error, migration: Migration) -> str:
    """Say where the error is: the database gives a position in the text, or the function it was in."""
    place = str(migration.path)
    position = error.diag.statement_position
    if position is not None:
        place += f", line {migration.text.count(chr(10), 0, int(position) - 1) + 1}"
    details = [error.diag.message_detail, error.diag.message_hint, error.diag.context]
    message = error.diag.message_primary or str(error)
    return f"{place}: {message}. Nothing of this file was applied. " + " ".join(text for text in details if text)


def _has_table(connection: psycopg.Connection, name: str) -> bool:
    row = connection.execute("select to_regclass(%s)", (name,)).fetchone()
    return row is not None and row[0] is not None


def _bare(text: str) -> str:
    return text.strip().rstrip(";").strip()
