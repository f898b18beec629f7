"""Databases as a hosted Supabase project has them before its first migration, and everything that migrations make in one."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

HOSTED_PROJECT = Path(__file__).with_name("hosted_project.sql")

OURS = "'public'::regnamespace"
ACL = "(select array_agg(entry::text order by entry::text)::text from aclexplode({}) entry)"
# Left out: names of columns in indexes and of NOT NULL constraints, which keep the name that a renamed column had.
QUERIES = {
    "tables and views": f"""
        select c.relname, c.relkind::text, c.relrowsecurity, c.reloptions::text, obj_description(c.oid, 'pg_class'),
            {ACL.format("c.relacl")}, case when c.relkind = 'v' then pg_get_viewdef(c.oid) end
        from pg_class c where c.relnamespace = {OURS} and c.relkind in ('r', 'v', 'm', 'S', 'p')""",
    "columns": f"""
        select c.relname, row_number() over (partition by c.oid order by a.attnum),
            case when c.relkind <> 'i' then a.attname end,
            format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text, a.attgenerated::text,
            pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), a.attstattarget, {ACL.format("a.attacl")}
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
        where c.relnamespace = {OURS} and c.relkind in ('r', 'v', 'i', 'c') and a.attnum > 0 and not a.attisdropped""",
    "constraints": f"""
        select conrelid::regclass::text, conname, convalidated, pg_get_constraintdef(oid),
            obj_description(oid, 'pg_constraint')
        from pg_constraint where connamespace = {OURS} and contype <> 'n'""",
    "indexes": f"""
        select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid), i.indisvalid,
            obj_description(i.indexrelid, 'pg_class')
        from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace = {OURS}""",
    "policies": """
        select schemaname, tablename, policyname, permissive, roles::text, cmd, qual, with_check
        from pg_policies where schemaname in ('public', 'storage')""",
    "functions": f"""
        select p.oid::regprocedure::text, pg_get_functiondef(p.oid), obj_description(p.oid, 'pg_proc'),
            {ACL.format("p.proacl")}
        from pg_proc p where p.pronamespace = {OURS}""",
    "triggers": """
        select tgrelid::regclass::text, tgname, tgenabled::text, pg_get_triggerdef(oid), obj_description(oid, 'pg_trigger')
        from pg_trigger where not tgisinternal""",
    "types": f"select typname, typtype::text from pg_type where typnamespace = {OURS} and typtype in ('c', 'e', 'd')",
    "buckets": "select id, name, public from storage.buckets",
    "rows": "select count(*) from public.alert_evaluations",
}


@contextmanager
def make_database(server_url: str) -> Iterator[str]:
    """Return the address of a new database beside the server's own, prepared like a hosted project."""
    name = f"schema_{uuid4().hex}"
    url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
        try:
            with psycopg.connect(url, autocommit=True) as fresh:
                fresh.execute(HOSTED_PROJECT.read_bytes())
            yield url
        finally:
            connection.execute(f'drop database "{name}" with (force)'.encode())


def run_files(url: str, paths: Iterable[Path]) -> None:
    """Run SQL files in their order, one transaction each."""
    with psycopg.connect(url, autocommit=True) as connection:
        for path in paths:
            connection.execute(path.read_bytes())


def read_schema(url: str) -> Mapping[str, list[tuple[object, ...]]]:
    """Return all that the migrations have made, by kind of object; two databases with the same answer are alike."""
    with psycopg.connect(url) as connection:
        return {kind: sorted(connection.execute(query.encode()).fetchall(), key=str) for kind, query in QUERIES.items()}


def list_differences(one_url: str, other_url: str) -> list[str]:
    """Return each row of `read_schema` that only one of two databases has."""
    one, other = read_schema(one_url), read_schema(other_url)
    return [
        f"{kind}, only in {where}: {row}"
        for kind in QUERIES
        for where, here, there in (("the first", one, other), ("the second", other, one))
        for row in here[kind]
        if row not in there[kind]
    ]
