"""The embedded services by themselves: data, keys, privileges, restart."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from core.adapters.supabase.migrations import apply_migrations
from core.config import CONNECTION_FILE, Settings, load_settings
from core.embedded.plan import SERVICES, StackPlan
from core.embedded.stack import Stack, reload_api, start_stack
from core.errors import ConfigurationError, DatabaseRejected, StackError
from tests.support.stack import bare_settings

NOTES = """
create table public.notes (id int generated always as identity primary key, owner uuid default auth.uid(), text text);
alter table public.notes enable row level security;
create policy own on public.notes for all to authenticated using (owner = auth.uid()) with check (owner = auth.uid());
create table public.results (id int primary key);
alter table public.results enable row level security;
create policy read on public.results for select to authenticated using (true);
create policy write on public.results for insert to authenticated with check (true);
revoke insert, update, delete on public.results from anon, authenticated;
create function public.who() returns json language plpgsql as $$
begin return json_build_object('uid', auth.uid(), 'role', current_user); end $$;
insert into storage.buckets (id, name, public) values ('reports', 'reports', false);
create policy own on storage.objects for all to authenticated
  using (bucket_id = 'reports' and (storage.foldername(name))[1] = auth.uid()::text)
  with check (bucket_id = 'reports' and (storage.foldername(name))[1] = auth.uid()::text);
"""


def plan_services(home: Path, migrations: Path) -> StackPlan:
    return StackPlan(bare_settings(home), SERVICES, migrate=partial(apply_migrations, folder=migrations))


@pytest.fixture(scope="module")
def migrations(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one migration."""
    folder = tmp_path_factory.mktemp("migrations")
    (folder / "20260101000000_notes.sql").write_text(NOTES)
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, migrations: Path) -> Iterator[Stack]:
    with start_stack(plan_services(tmp_path_factory.mktemp("running") / "home", migrations)) as stack:
        yield stack


def sign_in(settings: Settings) -> httpx.Client:
    url, key = settings.require_supabase()
    assert settings.password is not None
    account = {"email": settings.email, "password": settings.password.get_secret_value()}
    reply = httpx.post(f"{url}/auth/v1/token?grant_type=password", json=account, headers={"apikey": key})
    token = reply.raise_for_status().json()["access_token"]
    return httpx.Client(base_url=url, headers={"apikey": key, "authorization": f"Bearer {token}"})


def test_data_files_and_addresses_survive_a_restart(tmp_path: Path, migrations: Path) -> None:
    plan = plan_services(tmp_path / ("a home # with ; odd % name " + "and long" * 12), migrations)
    with start_stack(plan) as first, sign_in(first.settings) as client:
        client.post("/rest/v1/notes", json={"text": "kept"}).raise_for_status()
        report = f"/storage/v1/object/reports/{client.post('/rest/v1/rpc/who', json={}).json()['uid']}/a.json"
        client.post(report, content=b"{}", headers={"content-type": "application/json"}).raise_for_status()
        assert (plan.folder.path / CONNECTION_FILE).stat().st_mode & 0o777 == 0o600
        assert load_settings(home=plan.folder.path).embedded
    assert not (plan.folder.path / CONNECTION_FILE).exists()

    with start_stack(plan) as second, sign_in(second.settings) as client:
        assert second.settings.supabase_url == first.settings.supabase_url
        assert [row["text"] for row in client.get("/rest/v1/notes").json()] == ["kept"]
        assert client.get(report).content == b"{}"


def test_roles_and_privileges_are_those_of_a_hosted_project(running: Stack) -> None:
    url, key = running.settings.require_supabase()
    with sign_in(running.settings) as client:
        assert client.post("/rest/v1/rpc/who", json={}).json()["role"] == "authenticated"
        # A revoke in a migration holds, although the API grants everything at its first request.
        assert client.post("/rest/v1/results", json={"id": 1}).json()["code"] == "42501"
        assert client.get("/rest/v1/results").json() == []
        assert client.post("/storage/v1/object/reports/elsewhere/a.json", content=b"{}").status_code >= 400
        assert httpx.get(f"{url}/rest/v1/notes").status_code == httpx.codes.UNAUTHORIZED
        assert httpx.get(f"{url}/rest/v1/notes", headers={"apikey": key}).json() == []
        secret = {"apikey": running.settings.require_secret_key()}
        assert httpx.post(f"{url}/rest/v1/results", json={"id": 2}, headers=secret).status_code == httpx.codes.CREATED
        assert client.get("/rest/v1/results").json() == [{"id": 2}]


def test_secrets_stay_out_of_logs_and_commands(running: Stack) -> None:
    settings = running.settings
    secrets = [settings.require_secret_key(), settings.require_db_url(), settings.require_redis()]
    seen = "".join(path.read_text(errors="replace") for path in running.folder.logs.iterdir())
    for path in running.folder.programs.glob("*.pid"):
        seen += Path(f"/proc/{path.read_text().split()[0]}/cmdline").read_text()
    assert "Server running" in seen
    assert not [secret for secret in secrets if secret in seen]


def test_new_tables_are_seen_after_a_migration_while_it_runs(running: Stack, tmp_path: Path, migrations: Path) -> None:
    for path in migrations.iterdir():
        (tmp_path / path.name).write_text(path.read_text())
    (tmp_path / "20260102000000_more.sql").write_text("create table public.more (id int);")
    assert apply_migrations(running.settings.require_db_url(), tmp_path) == ["20260102000000_more.sql"]
    reload_api(running.settings)
    with sign_in(running.settings) as client:
        assert client.get("/rest/v1/more").json() == []


def test_second_start_on_one_folder_is_refused(running: Stack, migrations: Path) -> None:
    plan = plan_services(running.folder.path, migrations)
    with pytest.raises(ConfigurationError, match=r"already runs in .*brightrun down"), start_stack(plan):
        pass


def test_what_does_not_start_is_named_and_nothing_stays(tmp_path: Path) -> None:
    plan = plan_services(tmp_path / "home", tmp_path)
    (tmp_path / "20260102000000_wrong.sql").write_text("select 1;\ncreate tabel x (id int);")
    with pytest.raises(DatabaseRejected, match=r"20260102000000_wrong\.sql, line 2"), start_stack(plan):
        pass
    (plan.folder.database / "postgresql.conf").write_text("nonsense = on\n")
    with pytest.raises(StackError, match=r"postgres did not start(.|\n)*nonsense"), start_stack(plan):
        pass
    assert not list(plan.folder.programs.glob("*.pid"))
