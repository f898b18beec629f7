"""Every table, view, function and bucket has an expectation, tried with real tokens: as owner, as another, as nobody."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest

from core.adapters.files.dataset_files import UploadedFile
from core.adapters.supabase.datasets import SupabaseDatasetStore
from core.adapters.supabase.diagnostics import SupabaseExperimentStore
from core.adapters.supabase.failures import BUCKET, SupabaseReportStore
from core.adapters.supabase.imports import SupabaseImportStore
from core.adapters.supabase.pages import SupabaseScaffoldingStore
from core.adapters.supabase.session import Analyst, open_service
from core.certificates import load_authorities
from core.config import Settings
from core.domain.datasets.importing import FileDigest
from core.domain.datasets.plans import ExportTarget, PlanPart
from core.domain.datasets.versions import CountedStatus
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan
from core.scaffolding_data import load_training_topics, load_variation_axes
from core.services.importing import ImportService
from tests.factories import make_old_data_set, make_selection, upload_reports
from tests.integration.catalogue import (
    AT_LAST,
    BUCKETS,
    CALLS,
    INNER,
    NEW_KEY,
    READING,
    WITHOUT_SEARCH_PATH,
    WORKER,
    Reading,
    World,
    make_dataset_request,
)
from tests.support.results import accept, fail
from tests.support.stack import sign_up
from tests.support.stores import lease, open_stores, record, submit

RIGHTS = ("select", "insert", "update", "delete")
MANY = 1_000
"""Rows that the API returns at most."""


@dataclass(frozen=True, kw_only=True)
class Somebody:
    """Sends requests to the API, with a session or without."""

    url: str
    key: str | None
    token: str | None = None

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = dict(headers)
        if self.key is not None:
            sent["apikey"] = self.key
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        return httpx.request(method, f"{self.url}{path}", headers=sent, json=body, timeout=60, verify=load_authorities())

    def call(self, function: str, arguments: dict[str, Any]) -> httpx.Response:
        return self.send("POST", f"/rest/v1/rpc/{function}", arguments)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One analyst who has something of everything, one who has nothing, and two visitors."""

    owner: Somebody
    owner_id: UUID
    stranger: Somebody
    visitors: tuple[Somebody, Somebody]
    world: World
    report_path: str
    secrets: frozenset[str]
    """Ids of what the owner has."""


@pytest.fixture(scope="module")
def scene(request: pytest.FixtureRequest, seeded: Settings) -> Iterator[Stage]:
    url, key = seeded.require_supabase()
    with ExitStack() as opened:
        stores = opened.enter_context(open_stores(seeded))
        analyst: Analyst = stores.analyst
        stranger = opened.enter_context(sign_up(seeded))
        draft = load_training_topics()[0].model_copy(
            update={"id": uuid4(), "topic_key": f"{NEW_KEY}_{uuid4().hex}", "updated_at": None, "is_active": False}
        )
        assert stores.editor.save(draft).outcome == "saved"
        axis = load_variation_axes()[0].model_copy(update={"id": uuid4(), "axis_key": f"{NEW_KEY}_{uuid4().hex}"})
        assert stores.editor.save(axis).outcome == "saved"
        batch, large_batch = submit(stores, make_selection()), submit(stores, make_selection(3, 5, 20))
        items = lease(stores, batch, 2)
        record(stores, accept(items[0]), fail(items[1]))
        plan = ExperimentPlan(batch_id=batch, change=ExperimentChange(max_tokens=1_000))
        experiment = SupabaseExperimentStore(analyst=analyst).create(plan)
        imports = SupabaseImportStore(analyst=analyst)
        service = ImportService(store=imports, scaffolding=SupabaseScaffoldingStore(analyst=analyst))
        service.import_files([UploadedFile(name="old.jsonl", content=make_old_data_set())])
        begun = imports.begin("Begun", [FileDigest(digest=uuid4().hex * 2, name="a")]).import_id
        dataset, version, draft = make_dataset(seeded, analyst, batch)
        other = make_dataset_request()
        parts = [PlanPart.model_validate(part) for part in other["plan"]]
        other_dataset = SupabaseDatasetStore(analyst=analyst).create(other["name"], CountedStatus.ACCEPTED, parts)
        with open_service(url, seeded.require_secret_key()) as client:
            upload_reports(SupabaseReportStore(client=client))
        with psycopg.connect(seeded.require_db_url()) as connection:
            alert = _read_one(
                connection,
                "insert into public.alerts (rule, subject, severity, message, advice, created_by)"
                " values ('new_pattern', 'catalogue', 'warning', 'm', 'a', %s) returning id",
                analyst.user_id,
            )
            spool = _read_one(
                connection,
                "insert into public.spools (id, host, files, oldest_at, heard_at)"
                " values (%s, 'gone', 1, now(), now() - interval '1 hour') returning id",
                uuid4(),
            )
            conversation = _read_one(connection, "select id from public.conversations where batch_id = %s", batch)
            connection.execute(
                "insert into public.conversation_edits (conversation_id, turn_place, content_before, edited_by)"
                " values (%s, 0, 'Before', %s)",
                (conversation, analyst.user_id),
            )
            failure, path = connection.execute(
                "select id, raw_file_path from public.failed_generations where run_id = %s", (batch,)
            ).fetchone() or (None, None)
            item_ids = connection.execute("select id from public.batch_items where created_by = %s", (analyst.user_id,))
            secrets = {str(row[0]) for row in item_ids.fetchall()}
        assert begun is not None
        world = World(
            batch=batch, large_batch=large_batch, conversation=conversation, failure=failure, experiment=experiment.id,
            alert=alert, spool=spool, import_id=begun, dataset=dataset, version=version, draft=draft,
            other_dataset=other_dataset,
        )  # fmt: skip
        secrets |= {str(value) for name, value in vars(world).items() if name != "spool"} | {
            str(analyst.user_id),
            analyst.email,
        }
        yield Stage(
            owner=Somebody(url=url, key=key, token=_read_token(analyst)),
            owner_id=analyst.user_id,
            stranger=Somebody(url=url, key=key, token=_read_token(stranger)),
            visitors=(Somebody(url=url, key=key), Somebody(url=url, key=None)),
            world=world,
            report_path=str(path),
            secrets=frozenset(secrets),
        )
        # The database is shared by the session.
        with psycopg.connect(seeded.require_db_url()) as connection:
            for statement in FORGET:
                connection.execute(statement, (NEW_KEY,))


def make_dataset(settings: Settings, analyst: Analyst, batch: UUID) -> tuple[UUID, UUID, UUID]:
    """Make a data set of a batch that is there already, with a frozen version and one that is being written."""
    store = SupabaseDatasetStore(analyst=analyst)
    request = make_dataset_request()
    plan = [PlanPart.model_validate(part) for part in request["plan"]]
    dataset = store.create(request["name"], CountedStatus.ACCEPTED, plan)
    with psycopg.connect(settings.require_db_url()) as connection:
        connection.execute("update public.batches set dataset_id = %s where id = %s", (dataset, batch))
    version = store.begin_version(dataset)
    assert store.stage(version, list(enumerate(store.list_candidates(dataset, 10, None))))
    assert 1 == store.freeze(version, "0" * 64, {})
    store.note_export(version, ExportTarget.FOLDER, ["sharegpt"], None)
    return dataset, version, store.begin_version(dataset)


FORGET: tuple[LiteralString, ...] = (
    "delete from public.prompt_templates where starts_with(template_key, %s)",
    "delete from public.personas where starts_with(persona_key, %s)",
    "delete from public.emotional_arcs where starts_with(arc_key, %s)",
    "delete from public.training_topics where starts_with(topic_key, %s)",
)


def _read_one(connection: psycopg.Connection, query: LiteralString, value: object) -> UUID:
    row = connection.execute(query, (value,)).fetchone()
    assert row is not None
    return row[0]  # type: ignore[no-any-return]


def _read_token(analyst: Analyst) -> str:
    session = analyst.client.auth.get_session()
    assert session is not None
    return session.access_token


def read_rows(settings: Settings, query: LiteralString) -> list[tuple[Any, ...]]:
    with psycopg.connect(settings.require_db_url()) as connection:
        return connection.execute(query).fetchall()


def require_no_secret(scene: Stage, answer: httpx.Response, sent: object = None) -> None:
    """What somebody else is told holds nothing of the owner's but what they said themselves."""
    said = json.dumps(sent, default=str)
    assert not [secret for secret in scene.secrets if secret in answer.text and secret not in said]


def require_denied(answer: httpx.Response) -> None:
    assert answer.status_code in (401, 403, 404), answer.text
    assert "permission denied" in answer.text or answer.status_code == 401 or "Could not find" in answer.text, answer.text


# What there is.


def test_every_table_and_view_has_an_expectation(seeded: Settings) -> None:
    found = read_rows(
        seeded,
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')",
    )

    assert {name for (name,) in found} == set(READING)


def test_every_function_has_an_expectation(seeded: Settings) -> None:
    found = [
        name for (name,) in read_rows(seeded, "select proname from pg_proc where pronamespace = 'public'::regnamespace")
    ]

    assert sorted(found) == sorted([*CALLS, *WORKER, *INNER])


def test_every_bucket_has_an_expectation(seeded: Settings) -> None:
    assert {(name, False) for name in BUCKETS} == set(read_rows(seeded, "select id, public from storage.buckets"))


def test_every_table_has_row_level_security_and_every_view_the_readers_rights(seeded: Settings) -> None:
    found = read_rows(
        seeded,
        "select relname, relkind::text, relrowsecurity, coalesce('security_invoker=true' = any (reloptions), false)"
        " from pg_class where relkind in ('r', 'p', 'v', 'm', 'f')"
        " and relnamespace in ('public'::regnamespace, 'storage'::regnamespace)",
    )

    assert [] == [name for name, kind, is_guarded, is_invoker in found if not (is_invoker if kind == "v" else is_guarded)]


def test_every_function_names_its_schemas(seeded: Settings) -> None:
    bare = read_rows(
        seeded,
        "select proname, prosecdef from pg_proc where pronamespace = 'public'::regnamespace"
        " and not coalesce('search_path=\"\"' = any (proconfig), false)",
    )

    assert {(name, False) for name in WITHOUT_SEARCH_PATH} == set(bare)


def test_rights_over_functions_are_as_listed(seeded: Settings) -> None:
    found = read_rows(
        seeded,
        "select proname, has_function_privilege('anon', oid, 'execute'),"
        " has_function_privilege('authenticated', oid, 'execute'), has_function_privilege('service_role', oid, 'execute')"
        " from pg_proc where pronamespace = 'public'::regnamespace",
    )

    assert [] == [name for name, for_anon, _, _ in found if for_anon]
    assert set(CALLS) == {name for name, _, for_analyst, _ in found if for_analyst}
    assert WORKER <= {name for name, _, _, for_worker in found if for_worker}


def test_rights_over_tables_are_as_listed(seeded: Settings) -> None:
    found = read_rows(
        seeded,
        "select c.relname, r.role, v.verb from pg_class c"
        " cross join unnest(array['anon', 'authenticated']) r(role)"
        " cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) v(verb)"
        " where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f')"
        " and has_table_privilege(r.role, c.oid, v.verb)",
    )

    readable = {name for name, reading in READING.items() if reading is not Reading.HIDDEN}
    assert {(name, "authenticated", "select") for name in readable} == set(found)


def test_every_argument_that_can_be_large_has_a_limit(seeded: Settings) -> None:
    """A function that takes JSON, text, numbers or lists has a value that is too large for each, and what comes of it."""
    found = read_rows(
        seeded,
        "select p.proname, a.name from pg_proc p"
        " cross join unnest(p.proargnames, p.proargtypes::oid[]) a(name, type)"
        " where p.pronamespace = 'public'::regnamespace and has_function_privilege('authenticated', p.oid, 'execute')"
        " and a.type is not null"
        " and a.type not in ('uuid'::regtype, 'boolean'::regtype, 'timestamptz'::regtype)",
    )

    assert {(name, argument) for name, call in CALLS.items() for argument in call.limits} == set(found)


# What each may do.


@pytest.mark.parametrize("table", READING)
def test_rows_are_read_by_whom_they_are_for(scene: Stage, table: str) -> None:
    path = f"/rest/v1/{table}?select=*"
    owned, foreign = scene.owner.send("GET", path), scene.stranger.send("GET", path)

    match READING[table]:
        case Reading.SHARED:
            assert owned.json()
            assert owned.json() == foreign.json()
        case Reading.OWN:
            assert owned.json()
            assert foreign.json() == []
        case Reading.OFFERED:
            shipped = [row for row in owned.json() if row["created_by"] is None]
            assert 0 < len(shipped) < len(owned.json())
            assert [row for row in foreign.json() if row["created_by"] is None] == shipped
            assert not {row["id"] for row in foreign.json()} & (
                {row["id"] for row in owned.json()} - {row["id"] for row in shipped}
            )
        case Reading.HIDDEN:
            require_denied(owned)
            require_denied(foreign)
    require_no_secret(scene, foreign)
    for visitor in scene.visitors:
        require_denied(visitor.send("GET", path))


@pytest.mark.parametrize("table", READING)
def test_rows_are_written_by_nobody(scene: Stage, seeded: Settings, table: str) -> None:
    with psycopg.connect(seeded.require_db_url()) as connection:
        column = connection.execute(
            "select attname from pg_attribute where attrelid = to_regclass('public.' || %s) and attnum > 0 order by attnum",
            (table,),
        ).fetchone()
    assert column is not None
    path = f"/rest/v1/{table}?{column[0]}=not.is.null"
    for somebody in (scene.owner, scene.stranger, *scene.visitors):
        for answer in (
            somebody.send("POST", f"/rest/v1/{table}", {column[0]: None}),
            somebody.send("PATCH", path, {column[0]: None}),
            somebody.send("DELETE", path),
        ):
            assert answer.status_code >= 400, answer.text
            require_no_secret(scene, answer)


@pytest.mark.parametrize("function", sorted(CALLS, key=lambda name: name in AT_LAST))
def test_a_function_serves_its_owner_alone(scene: Stage, function: str) -> None:
    call = CALLS[function]
    arguments = call.arguments(scene.world)

    for visitor in scene.visitors:
        require_denied(visitor.call(function, arguments))
    foreign = scene.stranger.call(function, arguments)
    owned = scene.owner.call(function, call.arguments(scene.world))

    assert foreign.is_success, foreign.text
    assert call.stranger(foreign.json()), foreign.text
    require_no_secret(scene, foreign, arguments)
    assert owned.is_success, owned.text
    assert call.owner(owned.json()), owned.text


@pytest.mark.parametrize(("function", "argument"), [(name, each) for name, call in CALLS.items() for each in call.limits])
def test_what_is_too_large_is_refused_or_cut(scene: Stage, function: str, argument: str) -> None:
    call = CALLS[function]
    value, check = call.limits[argument]

    answer = scene.owner.call(function, call.arguments(scene.world) | {argument: value})

    assert answer.status_code in (200, 400), answer.text[:500]
    assert check(answer.json()), answer.text[:500]


@pytest.mark.parametrize("function", sorted([*WORKER, *INNER]))
def test_functions_of_the_worker_are_for_nobody_else(scene: Stage, seeded: Settings, function: str) -> None:
    with psycopg.connect(seeded.require_db_url()) as connection:
        row = connection.execute(
            "select coalesce(proargnames, '{}') from pg_proc where proname = %s and pronamespace = 'public'::regnamespace",
            (function,),
        ).fetchone()
    assert row is not None

    for somebody in (scene.owner, scene.stranger, *scene.visitors):
        answer = somebody.call(function, dict.fromkeys(row[0]))
        if "return type trigger" not in answer.text:  # No call at all.
            require_denied(answer)


@pytest.mark.parametrize("schema", ["auth", "storage", "supabase_migrations", "pg_catalog", "information_schema"])
@pytest.mark.parametrize("table", ["users", "objects", "schema_migrations", "pg_authid", "tables"])
def test_other_schemas_are_not_served(scene: Stage, schema: str, table: str) -> None:
    for somebody in (scene.owner, *scene.visitors):
        answer = somebody.send("GET", f"/rest/v1/{table}?select=*", **{"Accept-Profile": schema})

        assert answer.status_code >= 400, answer.text


def test_no_answer_has_more_rows_than_the_api_returns(seeded: Settings, scene: Stage) -> None:
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute(
            "insert into public.imported_names (created_by, kind, name)"
            " select %s, 'topic', 'Name ' || n from generate_series(1, 1500) n",
            (scene.owner_id,),
        )

    for path in ("/rest/v1/imported_names?select=id", "/rest/v1/imported_names?select=id&limit=100000"):
        assert MANY == len(scene.owner.send("GET", path).json())


@pytest.mark.parametrize("bucket", sorted(BUCKETS))
def test_a_report_is_downloaded_by_its_owner_alone(scene: Stage, bucket: str) -> None:
    path = f"/storage/v1/object/{bucket}/{scene.report_path}"

    assert scene.owner.send("GET", path).json()["error_report"]["failed_generation_id"] == str(scene.world.failure)
    for somebody in (scene.stranger, *scene.visitors):
        for way in (path, path.replace("/object/", "/object/public/"), path.replace("/object/", "/object/authenticated/")):
            answer = somebody.send("GET", way)
            assert answer.status_code in (400, 401, 403, 404), answer.text
            require_no_secret(scene, answer, scene.report_path)


@pytest.mark.parametrize("bucket", sorted(BUCKETS))
def test_a_bucket_is_written_and_listed_by_nobody(scene: Stage, bucket: str) -> None:
    path = f"/storage/v1/object/{bucket}/{scene.report_path}"
    for somebody in (scene.owner, scene.stranger, *scene.visitors):
        for answer in (
            somebody.send("POST", path, {"a": 1}),
            somebody.send("PUT", path, {"a": 1}),
            somebody.send("POST", f"/storage/v1/object/{bucket}/new.json", {"a": 1}),
            somebody.send("POST", "/storage/v1/bucket", {"id": "mine", "name": "mine", "public": True}),
            somebody.send("PUT", f"/storage/v1/bucket/{bucket}", {"public": True}),
        ):
            assert answer.status_code in (400, 401, 403, 404), answer.text
        somebody.send("DELETE", path)
    for somebody in (scene.stranger, *scene.visitors):
        found = somebody.send("POST", f"/storage/v1/object/list/{bucket}", {"prefix": "", "limit": 100})
        assert not found.is_success or found.json() == []

    assert scene.owner.send("GET", path).is_success  # Still there, as it was.


def test_the_bucket_is_the_one_that_reports_are_in() -> None:
    assert BUCKET in BUCKETS
