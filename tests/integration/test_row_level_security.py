"""Who may see and do what, tried through the API with real tokens."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import uuid4

import httpx
import psycopg
import pytest

from core.adapters.files.dataset_files import UploadedFile
from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.imports import SupabaseImportStore
from core.adapters.supabase.pages import SupabaseBatchStore, SupabaseScaffoldingStore
from core.adapters.supabase.session import Analyst, sign_in
from core.certificates import load_authorities
from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId
from core.domain.batches.estimate import estimate_batch
from core.domain.datasets.importing import FileDigest, ImportedName, ImportItem, Source
from core.errors import DatabaseRejected, InvalidRequest, NotFound, NotSignedIn
from core.services.importing import ImportService
from tests.factories import make_old_data_set, make_selection, make_settings
from tests.support.stack import sign_up

OWNED = ["batches", "batch_items", "generation_attempts", "conversations", "failed_generations", "alerts", "batch_progress"]
IMPORTED = ["batches", "batch_items", "failed_generations", "item_outcomes", "outcome_combinations", "failure_kinds"]
IMPORT_TABLES = ["imported_names", "import_files"]
STAGE_TABLES = ["imports", "import_rows"]
SCAFFOLDING = ["personas", "emotional_arcs", "training_topics", "prompt_templates"]
WORKER_FUNCTIONS = {
    "lease_items": {"target_batch_id": str(uuid4()), "worker": "w", "wanted": 1, "lease_seconds": 1},
    "record_results": {"results": []},
    "reconcile_batches": {},
    "begin_alert_evaluation": {"least_seconds": 0, "has_webhook": False},
    "save_alerts": {"evaluation": str(uuid4()), "raised": []},
    "claim_alert_webhooks": {"most": 5},
    "settle_alert_webhook": {"alert_id": str(uuid4()), "was_sent": True},
    "count_alert_facts": {},
}


@dataclass(frozen=True)
class Visitor:
    """Sends requests with a key, and a token if there is one."""

    url: str
    key: str
    token: str | None = None

    def send(self, method: str, path: str, **body: object) -> httpx.Response:
        headers = {"apikey": self.key} | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        return httpx.request(method, f"{self.url}{path}", headers=headers, json=body or None, verify=load_authorities())


@pytest.fixture
def owner(seeded: Settings) -> Iterator[Analyst]:
    with sign_up(seeded) as analyst:
        yield analyst


@pytest.fixture
def stranger(seeded: Settings) -> Iterator[Analyst]:
    with sign_up(seeded) as analyst:
        yield analyst


def submit(analyst: Analyst) -> BatchId:
    selection = make_selection()
    return (
        SupabaseBatchStore(analyst=analyst)
        .submit("Mine", selection, make_settings(), estimate_batch(2, concurrency=3), None)
        .batch_id
    )


def count(analyst: Analyst, table: str) -> int:
    return len(analyst.client.table(table).select("*").execute().data)


def test_batch_belongs_to_the_user_who_submitted_it(owner: Analyst) -> None:
    batch = SupabaseBatchStore(analyst=owner).get(submit(owner))

    assert batch is not None
    assert owner.user_id == batch.created_by


def test_stranger_cannot_control_it(owner: Analyst, stranger: Analyst) -> None:
    batch_id = submit(owner)

    with pytest.raises(NotFound):
        SupabaseBatchStore(analyst=stranger).control(batch_id, BatchAction.CANCEL)


def test_session_that_is_no_session_is_refused(seeded: Settings) -> None:
    url, key = seeded.require_supabase()

    assert Visitor(url, key, "not.a.token").send("GET", "/rest/v1/personas").status_code == 401


def test_nil_user_can_own_nothing(seeded: Settings) -> None:
    with psycopg.connect(seeded.require_db_url()) as connection, pytest.raises(psycopg.errors.IntegrityError):
        connection.execute(
            "insert into public.batches (name, conversation_category, model, max_tokens, selection, snapshot, created_by)"
            " values ('n', 'core', 'm', 1, '{}', '{}', '00000000-0000-0000-0000-000000000000')"
        )


def test_every_foreign_key_has_an_index_that_leads_with_it(seeded: Settings) -> None:
    """Deleting a user or a batch must not scan tables; scaffolding is never deleted, so its keys need none."""
    with psycopg.connect(seeded.require_db_url()) as connection:
        bare = connection.execute(
            """
            select c.conrelid::regclass::text, a.attname from pg_constraint c
            join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
            where c.contype = 'f' and c.connamespace = 'public'::regnamespace
              and c.confrelid not in ('public.personas'::regclass, 'public.emotional_arcs'::regclass,
                                      'public.training_topics'::regclass, 'public.prompt_templates'::regclass)
              and not exists (select 1 from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])
            """
        ).fetchall()

    assert bare == []


def test_errors_are_translated(owner: Analyst, seeded: Settings) -> None:
    url, key = seeded.require_supabase()
    with pytest.raises(DatabaseRejected), translate_errors():
        owner.client.table("batches").insert({"id": str(uuid4())}).execute()
    with pytest.raises(NotSignedIn, match="Check e-mail and password"):
        sign_in(url, key, owner.email, "wrong")


def import_file(analyst: Analyst) -> BatchId:
    service = ImportService(
        store=SupabaseImportStore(analyst=analyst), scaffolding=SupabaseScaffoldingStore(analyst=analyst)
    )
    batch_id = service.import_files([UploadedFile(name="old.jsonl", content=make_old_data_set())]).batch_id
    assert batch_id is not None
    return batch_id


def test_a_stranger_cannot_add_to_an_import_or_finish_it(owner: Analyst, stranger: Analyst) -> None:
    started = SupabaseImportStore(analyst=owner).begin("Mine", [FileDigest(digest="0" * 64, name="a")])
    assert started.import_id is not None

    theirs = SupabaseImportStore(analyst=stranger)
    with pytest.raises(InvalidRequest):
        theirs.stage(started.import_id, ())
    with pytest.raises(InvalidRequest):
        theirs.finish(started.import_id)


def test_an_import_cannot_name_what_another_analyst_imported(owner: Analyst, stranger: Analyst) -> None:
    import_file(owner)
    foreign = owner.client.table("imported_names").select("id").eq("kind", "template").limit(1).execute().data[0]["id"]
    given = ImportedName(name="not given")
    item = ImportItem(
        position=0, source=Source(file="a", conversation=0), persona=given, arc=given, topic=given,
        template=ImportedName(id=foreign, name="theirs"), model="m", turns=2,
    )  # fmt: skip
    store = SupabaseImportStore(analyst=stranger)
    started = store.begin("Claimed", [FileDigest(digest="1" * 64, name="a")])
    assert started.import_id is not None
    store.stage(started.import_id, [item])

    with pytest.raises(DatabaseRejected, match="scaffolding that is not there"):
        store.finish(started.import_id)
    assert count(stranger, "batches") == 0


def test_an_import_makes_no_conversation_and_touches_no_other_batch(owner: Analyst) -> None:
    other = submit(owner)
    before = SupabaseBatchStore(analyst=owner).get(other)

    import_file(owner)

    assert count(owner, "conversations") == 0
    assert count(owner, "generation_attempts") == 0
    assert before == SupabaseBatchStore(analyst=owner).get(other)
