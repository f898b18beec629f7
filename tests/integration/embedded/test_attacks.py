"""What gets past the doors of the running stack: nothing that the product does not use, whoever asks."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql
from redis import Redis
from redis.exceptions import AuthenticationError, ResponseError

from core.config import Settings, child_environment
from core.embedded.addresses import choose_ports
from core.embedded.application import check_address, pages_program
from core.embedded.folder import StackFolder
from core.embedded.plan import REPOSITORY
from core.embedded.postgres import prepare_database
from core.embedded.state import obtain_secrets, read_state

ROOT_ON_LINUX = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root on Linux gives up root")


def folder_of(stack: Settings) -> StackFolder:
    return StackFolder(stack.home)


def port_of(stack: Settings) -> int:
    return int(stack.require_supabase()[0].rpartition(":")[2])


def exchange(port: int, request: str) -> str:
    """Send bytes as they are, as no HTTP client would, and return everything that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode(errors="replace")


def ask(stack: Settings, line: str, host: str | None = None, headers: str = "") -> str:
    """Return the status of a request with the secret key: whatever that opens is open."""
    port = port_of(stack)
    key = f"apikey: {stack.require_secret_key()}\r\n"
    answer = exchange(
        port, f"{line} HTTP/1.1\r\nHost: {host or f'127.0.0.1:{port}'}\r\n{key}{headers}Connection: close\r\n\r\n"
    )
    assert "database" not in answer
    return answer.split(" ")[1]


@pytest.mark.parametrize(
    "line",
    [
        "GET /_system/config",
        "GET /_system/info",
        "GET /_system/introspect",
        "GET /_system/ping",
        "POST /_system/config",
        "GET //_system/config",
        "GET /%5fsystem/config",
        "GET /%5Fsystem%2Fconfig",
        "GET /_SYSTEM/config",
        "GET /rest/v1/../../_system/config",
        "GET /rest/v1/%2e%2e/%2e%2e/_system/config",
        "GET /rest/v1/personas/../../../_system/config",
        "GET /rest/v1\\..\\..\\_system\\config",
        "GET /rest/v1/personas;/_system/config",
        "GET /rest/v1/rpc/../../../_system/config",
        "GET /storage/v1/object/a/../../../../_system/config",
        "GET http://127.0.0.1/_system/config",
        "GET http://127.0.0.1/rest/v1/../../_system/config",
        "GET /",
        "GET /favicon.ico",
        "GET /static/main.js",
        "GET /static/../../package.json",
        "GET /auth/v1/authorize?provider=github",
        "GET /auth/v1/callback",
        "GET /auth/v1/verify?type=recovery&token=1",
        "POST /auth/v1/otp",
        "POST /auth/v1/magiclink",
        "PUT /auth/v1/user",
        "GET /storage/v1/status",
        "GET /storage/v1/bucket",
        "POST /storage/v1/bucket",
        "GET /storage/v1/object/public/failed-generation-files/a.json",
        "GET /storage/v1/object/sign/failed-generation-files/a.json?token=1",
        "PUT /storage/v1/object/upload/sign/failed-generation-files/a.json?token=1",
        "OPTIONS /rest/v1/personas",
        "TRACE /rest/v1/personas",
    ],
)
def test_api_has_no_path_that_the_product_does_not_use(stack: Settings, line: str) -> None:
    assert ask(stack, line) in ("400", "404")


def test_api_switches_to_no_other_protocol(stack: Settings) -> None:
    assert ask(stack, "GET /_system/config", headers="Upgrade: websocket\r\n") == "404"
    assert (
        ask(stack, "GET /rest/v1/personas", headers="Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n") == "200"
    )
    port = port_of(stack)
    assert exchange(port, f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") == ""
    assert "200" not in exchange(port, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")


def test_second_request_of_a_connection_is_looked_at_like_the_first(stack: Settings) -> None:
    good = f"GET /rest/v1/personas HTTP/1.1\r\nHost: 127.0.0.1\r\napikey: {stack.require_secret_key()}\r\n\r\n"
    bad = "GET /_system/config HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    foreign = f"GET /rest/v1/personas HTTP/1.1\r\nHost: evil.example\r\napikey: {stack.require_secret_key()}\r\n\r\n"
    last = "GET /_system/config HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    statuses = re.findall(r"HTTP/1\.1 (\d+) ", exchange(port_of(stack), good + bad + good + foreign + last))
    assert statuses == ["200", "404", "200", "421", "404"]


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil.example:80",
        "[::1]",
        "0",
        ",",
    ],
)
def test_api_answers_to_no_foreign_host(stack: Settings, host: str) -> None:
    assert ask(stack, "GET /rest/v1/personas", host) in ("400", "421")
    assert ask(stack, f"GET http://{host}/rest/v1/personas") in ("400", "421")


def test_api_answers_to_its_own_names(stack: Settings) -> None:
    assert ask(stack, "GET /rest/v1/personas", "127.0.0.1") == "200"
    assert ask(stack, "GET /rest/v1/personas", f"localhost:{port_of(stack)}") == "200"


@pytest.mark.parametrize("header", ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"])
def test_api_answers_no_page_in_a_browser(stack: Settings, header: str) -> None:
    assert ask(stack, "GET /rest/v1/personas", headers=f"{header}\r\n") == "403"


@pytest.mark.parametrize("schema", ["auth", "storage", "supabase_migrations", "pg_catalog", "information_schema"])
@pytest.mark.parametrize("table", ["users", "objects", "schema_migrations", "pg_authid", "tables"])
def test_api_shows_no_schema_but_public(stack: Settings, schema: str, table: str) -> None:
    assert ask(stack, f"GET /rest/v1/{table}", headers=f"Accept-Profile: {schema}\r\n") in ("403", "404", "406")


def test_api_reads_no_body_without_end(stack: Settings) -> None:
    assert ask(stack, "POST /rest/v1/rpc/x", headers="Transfer-Encoding: chunked\r\n") == "411"
    assert ask(stack, "POST /rest/v1/rpc/x", headers=f"Content-Length: {2**40}\r\n") == "413"
    assert ask(stack, "POST /auth/v1/token?grant_type=password", headers=f"Content-Length: {2**20}\r\n") == "413"


def test_database_password_of_the_api_is_in_no_log_argument_or_address(stack: Settings) -> None:
    folder = folder_of(stack)
    secrets = obtain_secrets(folder)
    shown = "".join(path.read_text(errors="replace") for path in folder.logs.iterdir())
    shown += (folder.api / "supabase" / "config.toml").read_text()
    shown += "".join(
        Path(f"/proc/{path.read_text().split()[0]}/cmdline").read_text() for path in folder.programs.glob("*.pid")
    )
    assert "Server running" in shown
    for secret in (secrets.api_database_password, secrets.database_password, secrets.secret_key, secrets.jwt_secret):
        assert secret not in shown


# The database, for somebody who has the password of the API's role after all.


@pytest.fixture(params=["supabase_api", "anon", "authenticated", "service_role"])
def intruder(stack: Settings, request: pytest.FixtureRequest) -> Iterator[psycopg.Connection]:
    """Return a connection of the API's login that has become one of the roles that it may become."""
    password = obtain_secrets(folder_of(stack)).api_database_password
    port = read_state(folder_of(stack)).ports["postgres"]
    with psycopg.connect(
        host="127.0.0.1", port=port, dbname="postgres", user="supabase_api", password=password, autocommit=True
    ) as connection:
        connection.execute(sql.SQL("set role {}").format(sql.Identifier(request.param)))
        yield connection


ATTACKS = {
    "replace what definers call": "create or replace function auth.uid() returns uuid language sql as 'select null::uuid'",
    "function in auth": "create function auth.f() returns int language sql as 'select 1'",
    "function in public": "create function public.f() returns int language sql as 'select 1'",
    "function in storage": "create function storage.f() returns int language sql as 'select 1'",
    "function in pg_temp": "create function pg_temp.f() returns int language sql as 'select 1'",
    "operator in public": "create operator public.= (leftarg = text, rightarg = text, function = texteq)",
    "table in public": "create table public.t (a int)",
    "table in pg_temp": "create temporary table batches (a int)",
    "type in pg_temp": "create domain pg_temp.uuid as text",
    "table from a query": "select 1 as a into temporary t",
    "schema": "create schema s",
    "extension": "create extension pg_stat_statements",
    "trigger that a definer sets off": "create trigger t before insert on public.batches for each row "
    "when (pg_read_file('/etc/passwd') is not null) execute function suppress_redundant_updates_trigger()",
    "rule": "create rule r as on insert to public.batches do instead nothing",
    "policy": "create policy p on public.batches using (true)",
    "no row-level security": "alter table public.batches disable row level security",
    "owner of what definers call": "alter function auth.uid() owner to supabase_api",
    "superuser by role": "set role postgres",
    "superuser by session": "set session authorization postgres",
    "superuser by setting": "select set_config('role', 'postgres', false)",
    "more rights": "alter role supabase_api createrole",
    "new role": "create role r",
    "read a file": "select pg_read_file('/etc/passwd')",
    "read a file as a large object": "select lo_import('/etc/passwd')",
    "list a folder": "select pg_ls_dir('.')",
    "run a program": "copy (select 1) to program 'true'",
    "run a program to read": "copy public.batches from program 'true'",
    "write a file": "copy (select 1) to '/tmp/brightrun-attack'",
    "load a library": "load 'auto_explain'",
    "change the server": "alter system set log_statement = 'all'",
    "no triggers": "set session_replication_role = replica",
    "no event triggers": "set event_triggers = off",
    "open the door": "alter event trigger refuse_definitions disable",
    "remove the door": "drop event trigger refuse_definitions",
    "read password hashes": "select * from pg_authid",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_login_of_the_api_defines_nothing_and_becomes_nobody_else(intruder: psycopg.Connection, attack: str) -> None:
    with pytest.raises(psycopg.Error, match=r"permission denied|must be owner|not allowed"):
        intruder.execute(ATTACKS[attack].encode())


UNTRUSTED_OWNERS = """
select o.what from (
    select 'function ' || p.oid::regprocedure as what, p.proowner as owner from pg_proc p
    union all select 'relation ' || c.oid::regclass, c.relowner from pg_class c
    union all select 'type ' || t.oid::regtype, t.typowner from pg_type t
    union all select 'operator ' || op.oid::regoperator, op.oprowner from pg_operator op
    union all select 'schema ' || n.nspname, n.nspowner from pg_namespace n
    union all select 'database ' || d.datname, d.datdba from pg_database d
) o join pg_roles r on r.oid = o.owner where not r.rolsuper and r.rolname <> 'pg_database_owner'
"""
CREATORS = """
select r.rolname || ' in ' || n.nspname from pg_roles r, pg_namespace n
where not r.rolsuper and r.rolname !~ '^pg_' and has_schema_privilege(r.oid, n.oid, 'create')
union all
select r.rolname || ' in ' || d.datname from pg_roles r, pg_database d
where not r.rolsuper and r.rolname !~ '^pg_' and d.datname = current_database()
  and (has_database_privilege(r.oid, d.oid, 'create') or has_database_privilege(r.oid, d.oid, 'temporary'))
"""


def find(stack: Settings, query: str) -> list[str]:
    with psycopg.connect(stack.require_db_url()) as connection:
        return [row[0] for row in connection.execute(query.encode())]


def test_nobody_but_the_superuser_owns_or_creates_anything(stack: Settings) -> None:
    assert find(stack, UNTRUSTED_OWNERS) == []
    assert find(stack, CREATORS) == []


def test_login_of_the_api_is_in_the_three_roles_of_requests_and_in_no_other(stack: Settings) -> None:
    query = """select roleid::regrole::text from pg_auth_members
        where member::regrole::text in ('supabase_api', 'anon', 'authenticated', 'service_role') order by 1"""
    assert find(stack, query) == ["anon", "authenticated", "service_role"]
    rights = "select (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls or rolinherit)::text"
    assert find(stack, f"{rights} from pg_roles where rolname = 'supabase_api'") == ["false"]


def test_folder_of_an_earlier_version_is_put_right_at_the_next_start(stack: Settings) -> None:
    with psycopg.connect(stack.require_db_url()) as connection:
        connection.execute("drop event trigger refuse_definitions")
        for statement in (
            "grant create, temporary on database postgres to supabase_api",
            "alter schema auth owner to supabase_api",
            "alter function auth.uid() owner to supabase_api",
            "alter function auth.jwt() owner to supabase_api",
            "alter table auth.users owner to supabase_api",
            "alter table storage.objects owner to supabase_api",
        ):
            connection.execute(statement)
    assert find(stack, UNTRUSTED_OWNERS) != []
    prepare_database(stack.require_db_url(), obtain_secrets(folder_of(stack)))
    test_nobody_but_the_superuser_owns_or_creates_anything(stack)
    assert find(stack, "select evtname::text from pg_event_trigger") == ["refuse_definitions"]


@ROOT_ON_LINUX
def test_database_server_has_no_right_of_root(stack: Settings, tmp_path: Path) -> None:
    pid = (folder_of(stack).programs / "postgres.pid").read_text().split()[0]
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    assert {status[name].strip("0") for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {""}
    assert "0" not in status["Uid"].split()
    assert "0" not in status["Gid"].split() + status["Groups"].split()
    secret = tmp_path / "secret"
    secret.write_text("of root")
    secret.chmod(0o600)
    with (
        psycopg.connect(stack.require_db_url()) as connection,  # the superuser itself
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="Permission denied"),
    ):
        connection.execute("select pg_read_file(%s)", [str(secret)])


# Guessing.


def test_codes_and_links_of_a_recovery_are_not_in_the_log(stack: Settings) -> None:
    url, key = stack.require_supabase()
    log = folder_of(stack).logs / "api.log"
    before = len(log.read_text())
    address = f"{uuid4()}@example.com"
    with httpx.Client(base_url=url, headers={"apikey": key}) as client:
        client.post("/auth/v1/signup", json={"email": address, "password": str(uuid4())}).raise_for_status()
        client.post("/auth/v1/recover", json={"email": address}).raise_for_status()
    deadline = time.monotonic() + 30
    while "Reset Your Password" not in (said := log.read_text()[before:]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.2)
    said = log.read_text()[before:].replace(address, "")
    assert not re.search(r"\d{6}|token|[0-9a-f]{32}|http", said), said


def guess(client: httpx.Client, address: str, password: str) -> httpx.Response:
    return client.post("/auth/v1/token?grant_type=password", json={"email": address, "password": password})


@pytest.fixture
def visitor(stack: Settings) -> Iterator[httpx.Client]:
    url, key = stack.require_supabase()
    with httpx.Client(base_url=url, headers={"apikey": key}, timeout=60) as client:
        yield client


def test_password_guesses_of_one_account_are_slowed_down_and_of_others_are_not(visitor: httpx.Client) -> None:
    address, password, other = f"{uuid4()}@example.com", str(uuid4()), f"{uuid4()}@example.com"
    for account in (address, other):
        visitor.post("/auth/v1/signup", json={"email": account, "password": password}).raise_for_status()
    assert [guess(visitor, address, "wrong").status_code for _ in range(5)] == [400] * 5

    refused = guess(visitor, address.upper(), password)
    assert refused.status_code == 429
    assert "Wait 1 s" in refused.json()["msg"]
    assert guess(visitor, other, password).status_code == 200

    time.sleep(float(refused.headers["retry-after"]))
    assert guess(visitor, address, "wrong").status_code == 400
    assert int(guess(visitor, address, "wrong").headers["retry-after"]) == 2
    time.sleep(2)
    assert guess(visitor, address, password).status_code == 200
    assert guess(visitor, address, "wrong").status_code == 400


def test_guesses_at_once_are_not_more_than_one_after_the_other(visitor: httpx.Client) -> None:
    address = f"{uuid4()}@example.com"
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda number: guess(visitor, address, str(number)).status_code, range(60)))
    assert statuses.count(429) > 40


@pytest.mark.parametrize(
    "query", ["grant_type=pkce", "grant_type=refresh_token&grant_type=password", "", "grant%5Ftype=password"]
)
def test_no_other_spelling_of_a_sign_in_is_free(visitor: httpx.Client, query: str) -> None:
    account = {"email": f"{uuid4()}@example.com", "password": "wrong"}
    statuses = [visitor.post(f"/auth/v1/token?{query}", json=account).status_code for _ in range(8)]
    assert statuses[-1] == 429


@pytest.mark.parametrize("kind", ["token", "token_hash"])
def test_guesses_of_codes_are_slowed_down(visitor: httpx.Client, kind: str) -> None:
    address = f"{uuid4()}@example.com"

    def try_code(number: int) -> int:
        body = {"email": address, "type": "recovery", kind: f"{number:06}"}
        return visitor.post("/auth/v1/verify", json=body).status_code

    assert try_code(1) == 403
    assert [try_code(number) for number in range(2, 9)][-1] == 429


def test_codes_cannot_be_asked_for_without_end(visitor: httpx.Client) -> None:
    address = f"{uuid4()}@example.com"
    assert [visitor.post("/auth/v1/recover", json={"email": address}).status_code for _ in range(8)][-1] == 429


# The other parts that listen.


@pytest.fixture
def queue(stack: Settings) -> Iterator[Redis]:
    with Redis.from_url(stack.require_redis()) as client:
        yield client


def test_queue_answers_nobody_without_its_password(stack: Settings) -> None:
    port = read_state(folder_of(stack)).ports["valkey"]
    with Redis(port=port) as stranger, pytest.raises(AuthenticationError):
        stranger.ping()


@pytest.mark.parametrize(
    "command",
    [
        "CONFIG SET dir /tmp",
        "CONFIG GET *",
        "MODULE LOAD /tmp/a.so",
        "DEBUG SLEEP 0",
        "REPLICAOF 127.0.0.1 1",
        "SLAVEOF NO ONE",
        "SHUTDOWN NOSAVE",
        "MONITOR",
        "SAVE",
        "BGREWRITEAOF",
        "ACL SETUSER default +@all",
        "ACL LIST",
        "CLIENT KILL TYPE normal",
        "CLIENT PAUSE 1000",
        "MIGRATE 127.0.0.1 1 a 0 1",
        "FUNCTION FLUSH",
        "SCRIPT FLUSH",
        "KEYS *",
    ],
)
def test_queue_takes_no_command_that_writes_files_loads_programs_or_listens_to_others(queue: Redis, command: str) -> None:
    with pytest.raises(ResponseError, match=r"no permissions|command not allowed"):
        queue.execute_command(*command.split())


def test_script_in_the_queue_may_do_no_more_than_its_sender(queue: Redis) -> None:
    assert queue.eval("return redis.call('PING')", 0)
    for forbidden in ("'KEYS', '*'", "'CLIENT', 'KILL', 'TYPE', 'normal'"):
        with pytest.raises(ResponseError, match=r"ACL failure|not allowed from script"):
            queue.eval(f"return redis.call({forbidden})", 0)


def test_every_part_listens_on_loopback_alone(stack: Settings) -> None:
    ports = {f"{port:04X}" for port in read_state(folder_of(stack)).ports.values()}
    listening = [
        line.split()[1] for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    addresses = {address.partition(":")[0] for address in listening if address.partition(":")[2] in ports}
    assert addresses <= {"0100007F"} | {a for a in addresses if a.endswith("0100007F")}


def test_supervisor_and_folders_are_for_their_owner_alone(stack: Settings) -> None:
    folder = folder_of(stack)
    socket_path = read_state(folder).supervisor_socket
    assert socket_path is not None
    for path in (folder.path, folder.programs, folder.logs, folder.api, folder.queue, socket_path.parent, socket_path):
        assert path.stat().st_mode & 0o077 == 0, path
    for path in (folder.secrets_file, folder.state_file, folder.connection_file, *folder.programs.glob("*.json")):
        assert path.stat().st_mode & 0o777 == 0o600, path


@pytest.fixture
def page_port(stack: Settings) -> Iterator[int]:
    """Return the port of pages that were started as `brightrun up` starts them."""
    port = choose_ports(["pages"], {})["pages"]
    program = pages_program(REPOSITORY, port, stack)
    environment = child_environment(**program.environment)
    process = subprocess.Popen(program.argv, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 120
        while (problem := check_address(f"http://127.0.0.1:{port}/_stcore/health")) is not None:
            assert time.monotonic() < deadline, problem
            time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait()


def open_page(port: int, host: str, origin: str) -> str:
    """Return the status of what a browser does when it opens a page: a WebSocket."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=="
        headers = f"Host: {host}\r\nOrigin: {origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n{key}"
        connection.sendall(f"GET /_stcore/stream HTTP/1.1\r\n{headers}\r\n\r\n".encode())
        return connection.recv(4096).decode().split(" ")[1]


def test_pages_open_under_their_own_names_alone(page_port: int) -> None:
    for name in (f"localhost:{page_port}", f"127.0.0.1:{page_port}"):
        assert open_page(page_port, name, f"http://{name}") == "101"
    foreign = f"evil.example:{page_port}"
    assert open_page(page_port, foreign, f"http://{foreign}") == "403"
    assert open_page(page_port, f"localhost:{page_port}", "http://evil.example") == "403"
