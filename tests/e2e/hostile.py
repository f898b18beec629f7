"""Hostile text, a server that counts who calls it, and a way to write the text into every field that a page may show."""

import importlib
import pkgutil
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb
from redis import Redis

import core.domain
from core.adapters.queue.redis_pace_board import pace_key
from core.config import load_settings
from core.domain.batches.pacing import Pace

HIT = "{HIT}"
"""Stands for an address of the counting server."""
EVERYTHING = (
    f"![i]({HIT}/image) [l]({HIT}/link) {HIT}/bare www.evil.example me@evil.example <img src={HIT}/html "
    "onerror=window.hostile=1><script>window.hostile=1</script> :red[r] $x^2$ :smile: `c` **b**"
)
KINDS = {
    "formula": '=HYPERLINK("{HIT}/formula","x")&WEBSERVICE("{HIT}/service") @SUM(1) +1 -1',
    "html": "<a href='{HIT}/a'>a</a><iframe src='{HIT}/f'></iframe><svg onload=window.hostile=1><b>b</b> &lt;i&gt; &copy;",
    "markdown": "# h > q 1. n - [x] t | a | b | ~~s~~ [^1] [r][1] ![](javascript:hostile=1) ![i]({HIT}/m) {HIT}/m. *i*",
    "streamlit": ":material/home: :material_home: :streamlit: :smile: :red-background[r] :help[{HIT}] :small[s] a -> b -- c",
    "latex": r"$$\href{{HIT}/latex}{x}$$ $x$ \(y\) \[z\] $5 and $6 {{ 1/0 }} %s %(x)s {0} \n \u0041",
    "letters": "\u202eevil\u202c \u2066x \u200b\u00a0 א ب \N{PILE OF POO} ﷽ Z̷͑a̴l̴g̶o̷ " + "long" * 400,
}
OWN = frozenset(
    {
        # What is not shown but looked up: files, and codes that only this product writes.
        ("failed_generations", "raw_file_path"),
        ("generation_attempts", "response_body_encoding"),
        ("batch_items", "leased_by"),
    }
)


LONGEST_LINE = 200
"""Characters of a name, by the database's own checks."""


@dataclass(frozen=True)
class Column:
    """A column of texts, and how long they may be."""

    table: str
    name: str
    kind: str
    longest: int

    @property
    def table_name(self) -> sql.Identifier:
        return sql.Identifier("public", self.table)

    @property
    def column_name(self) -> sql.Identifier:
        return sql.Identifier(self.name)


@dataclass
class CountingServer:
    """Whoever asks it for anything is remembered."""

    address: str = ""
    hits: list[str] = field(default_factory=list)


@contextmanager
def run_counting_server() -> Iterator[CountingServer]:
    """Listen on this machine, on a port that no page has a reason to ask."""
    counter = CountingServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            counter.hits.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that is overridden
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    counter.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield counter
    finally:
        server.shutdown()
        server.server_close()


def plant(home: Path, text: str) -> int:
    """Write a text into every column of texts that takes it, and into what workers say in Redis; return how many columns."""
    settings = load_settings(home=home)
    with psycopg.connect(settings.require_db_url()) as connection:
        columns = connection.execute(
            "select table_name, column_name, udt_name, coalesce(character_maximum_length, 100000)"
            " from information_schema.columns join information_schema.tables using (table_schema, table_name)"
            " where table_schema = 'public'"
            " and table_type = 'BASE TABLE' and udt_name in ('text', 'varchar', '_text', 'jsonb') order by 1, 2"
        ).fetchall()
        _raise_alerts(connection, text)
        tables = sorted({table for table, *_ in columns})
        for table in tables:
            connection.execute(sql.SQL("alter table {} disable trigger user").format(sql.Identifier("public", table)))
        planted = sum(_plant_column(connection, Column(*column), text) for column in columns if column[:2] not in OWN)
        for table in tables:
            connection.execute(sql.SQL("alter table {} enable trigger user").format(sql.Identifier("public", table)))
        connection.execute("update public.batches set pace_limit = 1, pace_changed_at = now()")
    with closing(Redis.from_url(settings.require_redis())) as redis:
        now = datetime.now(UTC)
        redis.set(pace_key(text), Pace(limit=1, reason=text, changed_at=now).model_dump_json(), ex=600)
        key = f"rq:worker:{UUID(int=1).hex}"
        redis.sadd(f"rq:workers:{settings.queue_name}", key)
        redis.sadd("rq:workers", key)
        stamp = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        said = {
            "hostname": text,
            "pid": "1",
            "state": text,
            "birth": stamp,
            "last_heartbeat": stamp,
            "queues": settings.queue_name,
        }
        redis.hset(key, mapping=said)
        redis.expire(key, 600)
    return planted


def _raise_alerts(connection: psycopg.Connection[Any], text: str) -> None:
    connection.execute("delete from public.alerts")
    connection.execute(
        "insert into public.alerts (rule, subject, severity, message, advice, created_by, acknowledged_at, acknowledged_by)"
        " select 'new_pattern', %(text)s || number, 'critical', %(text)s, %(text)s, owner.id, "
        " case when number = 3 then now() end, case when number = 3 then owner.id end"
        " from (select created_by as id from public.batches limit 1) owner, generate_series(1, 3) number",
        {"text": text},
    )


def _plant_column(connection: psycopg.Connection[Any], column: Column, text: str) -> bool:
    """Try it on all rows, then on those that have a value, whole and as one line; say whether the column took it."""
    if column.kind == "jsonb":
        return _plant_documents(connection, column, text)
    lengths = (column.longest, min(column.longest, LONGEST_LINE))
    for longest, condition in product(lengths, ("true", "old.{column} is not null")):
        query = sql.SQL(
            "update {table} old set {column} = {value}"
            " from (select ctid, row_number() over () as number from {table}) numbered"
            " where old.ctid = numbered.ctid and {condition}"
        ).format(
            table=column.table_name,
            column=column.column_name,
            value=sql.SQL("array[{}]" if column.kind == "_text" else "{}").format(
                sql.SQL("left({}, {}) || ' ' || numbered.number").format(text, max(longest - 8, 1))
            ),
            condition=sql.SQL(condition).format(column=column.column_name),
        )
        try:
            with connection.transaction():
                return connection.execute(query).rowcount > 0
        except psycopg.IntegrityError:
            continue  # A closed set, a key or a reference: what is no free text.
    return False


def _plant_documents(connection: psycopg.Connection[Any], column: Column, text: str) -> bool:
    names = {"table": column.table_name, "column": column.column_name}
    rows = connection.execute(sql.SQL("select ctid::text, {column} from {table} where {column} is not null").format(**names))
    changed = 0
    for place, document in rows.fetchall():
        query = sql.SQL("update {table} set {column} = %s where ctid = %s::tid").format(**names)
        try:
            with connection.transaction():
                connection.execute(query, [Jsonb(poison(document, text)), place])
                changed += 1
        except psycopg.IntegrityError:
            continue
    return changed > 0


def poison(document: Any, text: str, name: str = "") -> Any:
    """Return a document with a text in place of every free text in it; ids, times and words of closed sets stay."""
    match document:
        case dict():
            return {each: poison(value, text, each) for each, value in document.items()}
        case list():
            return [poison(value, text, name) for value in document]
        case str() if document not in CLOSED and not name.endswith("_key") and not _is_fixed(document):
            return text
        case _:
            return document


def _is_fixed(value: str) -> bool:
    for parse in (UUID, datetime.fromisoformat, float):
        try:
            parse(value)
        except ValueError:
            continue
        return True
    return False


def _list_closed() -> frozenset[str]:
    modules = [importlib.import_module(f"core.domain.{info.name}") for info in pkgutil.iter_modules(core.domain.__path__)]
    enums = {
        each for module in modules for each in vars(module).values() if isinstance(each, type) and issubclass(each, Enum)
    }
    return frozenset(str(member.value) for enum in enums for member in enum)


CLOSED = _list_closed()
