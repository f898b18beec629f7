"""Whatever an analyst writes is refused with a word, or read by everybody who reads it."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from core.adapters.supabase.diagnostics import SupabaseExperimentStore
from core.adapters.supabase.failures import SupabaseFailureStore
from core.adapters.supabase.imports import SupabaseImportStore
from core.adapters.supabase.monitor import SupabaseMonitorStore
from core.adapters.supabase.pages import SupabaseBatchStore, SupabaseScaffoldingStore
from core.adapters.supabase.session import Analyst, open_worker_client
from core.adapters.supabase.worker import SupabaseWorkStore
from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId
from core.domain.batches.estimate import estimate_batch
from core.domain.batches.monitor import BatchFilters
from core.domain.batches.results import FailureFilters
from core.domain.record import Record
from core.errors import InvalidRequest
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics
from tests.factories import make_selection, make_settings
from tests.integration.acting import ActingAnalyst, act_as
from tests.support.calls import CALLS, make_item, make_new, make_request, require_word
from tests.support.stores import Stores, fail_some

UNKNOWN_ID = str(uuid4())
HOSTILE: tuple[Any, ...] = (
    None, 41, -1, 1.5, 1e300, 10**30, True, "", "   ", "\u200b", "two\nlines", "bell\u0007", "x" * 300, "x" * 150_000,
    "NaN", "Infinity", "-Infinity", "{}", "[1]", '{"a"}', "2026-02-30T00:00:00Z", UNKNOWN_ID,
    [], [None], ["a", None], [1], [True], [{"a": 1}], [["a"], ["b"]], ["x" * 3_000], ["x"] * 200, ["bell\u0007"],
    # Strangers' habits: lists of PostgreSQL (with lower bounds, too), numbers and flags as texts, what nobody sees.
    "{a,b}", "[5:6]={a,b}", "[5:6]={1,2}", '["a"]', "1", "true", "0x1", [1, 2], [[]], [{}], [""], ["[5:6]={a,b}"], [0, "1"],
    "\u00ad", "\u3164", "\u2800", "\u200e", "\u200f", "\u202eabc", "a\u2066b", "\U000e0041", "\U0001f3f4\U000e0067",
    ["\u202eabc"],
    {}, {"age": 41}, {"age": None}, {"age": {"years": "41"}}, {"age": ["41"]}, {"": "41"}, {"age": "x" * 3_000},
    {"\u3164": "41"}, {"age": "\u202e41"},
    "Ada\u200b", "\U00013441", "a\U000e0101", ["\u200b"], ["a", ""], [0.5], -(10**30), ["x" * 2_000] * 40,
)  # fmt: skip


def spoil(valid: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each field with each hostile value, and each field left out."""
    for name in valid:
        yield {key: value for key, value in valid.items() if key != name}
        for value in HOSTILE:
            yield valid | {name: value}


@dataclass(frozen=True, kw_only=True)
class Kind:
    function: str
    table: str
    record: Record
    read: str


KINDS = (
    Kind(function="save_persona", table="personas", record=load_personas()[0], read="list_personas"),
    Kind(function="save_arc", table="emotional_arcs", record=load_emotional_arcs()[0], read="list_arcs"),
    Kind(function="save_topic", table="training_topics", record=load_training_topics()[0], read="list_topics"),
    Kind(function="save_template", table="prompt_templates", record=load_prompt_templates()[0], read="list_templates"),
)
FORGET = {
    "personas": "delete from public.personas where id = any (%s)",
    "emotional_arcs": "delete from public.emotional_arcs where id = any (%s)",
    "training_topics": "delete from public.training_topics where id = any (%s)",
    "prompt_templates": "delete from public.prompt_templates where id = any (%s)",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.function)
def test_scaffolding_is_refused_or_read(seeded: Settings, analyst: Analyst, acting: ActingAnalyst, kind: Kind) -> None:
    fresh = make_new(kind.record)
    key = next(name for name in fresh if name.endswith("_key"))
    saved: list[str] = []
    try:
        for payload in (fresh, *spoil(fresh)):
            renewed = payload
            for name in ("id", key):
                if payload.get(name) == fresh[name]:
                    renewed = renewed | {name: str(uuid4()) if name == "id" else f"new_{uuid4().hex}"}
            answer = acting.call(CALLS[kind.function], renewed)
            if require_word(answer, "saved"):
                saved.append(answer["id"])
        store = SupabaseScaffoldingStore(analyst=analyst)
        read = {str(row.id) for row in getattr(store, kind.read)()}
    finally:
        with psycopg.connect(seeded.require_db_url()) as connection:
            connection.execute(FORGET[kind.table], (saved,))

    assert len(saved) > len(fresh)
    assert set(saved) <= read
    assert analyst.unreadable.list_all() == ()


@pytest.mark.parametrize("payload", [None, 41, "text", True, [], [{}]], ids=str)
@pytest.mark.parametrize("function", CALLS)
def test_what_is_no_object_is_refused(acting: ActingAnalyst, function: str, payload: Any) -> None:
    answer = acting.call(CALLS[function], psycopg.types.json.Jsonb(payload))  # pyright: ignore[reportArgumentType]

    assert not require_word(answer, "saved")


async def read_plans(settings: Settings, batch_ids: Sequence[str]) -> int:
    """Count the batches that a worker can begin."""
    url, _ = settings.require_supabase()
    async with open_worker_client(url, settings.require_secret_key()) as client:
        store = SupabaseWorkStore(client=client)
        return sum([await store.get_plan(BatchId(batch_id)) is not None for batch_id in batch_ids])  # type: ignore[arg-type]


def test_a_submission_is_refused_or_begun(seeded: Settings, analyst: Analyst, acting: ActingAnalyst) -> None:
    submitted: list[str] = []
    request = make_request()
    numbers = {name: value for name, value in request.items() if not isinstance(value, str | list)}
    for spoilt in (
        request,
        *spoil(request),
        *(request | {name: value} for name in numbers for value in (0, -5, 1e9, "1e400", "nan", "+inf")),
    ):
        answer = acting.call("select public.submit_batch(%s)", spoilt)
        if require_word(answer, "submitted"):
            submitted.append(answer["batch_id"])

    page = SupabaseMonitorStore(analyst=analyst).list_batches(BatchFilters(), 200, 0)

    assert len(submitted) == page.total > 20
    assert {str(batch.id) for batch in page.batches} <= set(submitted)
    assert analyst.unreadable.list_all() == ()
    assert len(submitted) == asyncio.run(read_plans(seeded, submitted))
    for batch in page.batches:
        assert batch.budget_usd is None or 0 < batch.budget_usd < 1_000_000
        assert batch.name.strip()
        assert batch.model.strip()


TOO_MUCH: dict[str, dict[str, Any]] = {
    "ids that are repeated": {"persona_ids": [str(make_selection().persona_ids[0])] * 220},
    "more ids than anybody has": {"topic_ids": [str(uuid4()) for _ in range(1_001)]},
    "ids that nobody knows": {"topic_ids": [str(uuid4())]},
    "picks outside of the grid": {"picks": [8]},
    "picks before the grid": {"picks": [-1]},
    "no picks": {"picks": []},
    "more picks than a batch holds": {"picks": [0] * 100_001},
    "a budget that is no number": {"budget_usd": "NaN"},
    "an endless budget": {"budget_usd": "Infinity"},
    "an endless estimate": {"estimated_seconds": "Infinity"},
    "a negative limit": {"limit": -1},
    "an empty model": {"model": ""},
    "a model of blanks": {"model": "  "},
    "a blank name": {"name": " \t "},
    "a name of megabytes": {"name": "x" * 5_000_000},
    "a name that rings": {"name": "a\u0007b"},
    "more tokens than any model has": {"max_tokens": 128_001},
    "a canary larger than any batch": {"canary_items": 100_001},
    "more calls than allowed": {"concurrency": 201},
    "an unknown way to skip": {"skip_existing": "some"},
}


@pytest.mark.parametrize("case", TOO_MUCH)
def test_a_submission_that_is_too_much_or_nothing_is_refused(acting: ActingAnalyst, case: str) -> None:
    answer = acting.call("select public.submit_batch(%s)", make_request() | TOO_MUCH[case])

    assert not require_word(answer, "submitted")


def test_the_word_reaches_whoever_submits(analyst: Analyst) -> None:
    store = SupabaseBatchStore(analyst=analyst)
    estimate = estimate_batch(2, concurrency=3)

    with pytest.raises(InvalidRequest, match="1 to 200 characters on one line"):
        store.submit("x" * 201, make_selection(), make_settings(), estimate, None)
    with pytest.raises(InvalidRequest, match="less than \\$1,000,000"):
        store.submit("A batch", make_selection(), make_settings(budget_usd=2e6), estimate, None)
    with pytest.raises(InvalidRequest, match="from 0 to 1"):
        store.submit("A batch", make_selection(), make_settings(), estimate, [0, 2])


def test_a_batch_as_large_as_allowed_is_written_from_its_picks(acting: ActingAnalyst) -> None:
    selection = make_selection(3, 5, 20)
    ids = selection.model_dump(mode="json", include={"persona_ids", "arc_ids", "topic_ids"})

    answer = acting.call("select public.submit_batch(%s)", make_request() | ids | {"picks": None})

    assert answer["planned"] == 300


@pytest.mark.parametrize("budget", ["NaN", "Infinity", "-1", "0", "1e9"])
def test_a_new_budget_is_a_sum_of_money(acting: ActingAnalyst, budget: str) -> None:
    batch_id = acting.call("select public.submit_batch(%s)", make_request())["batch_id"]
    acting.call("select public.control_batch(%s, 'pause')", batch_id)

    answer = acting.call("select public.control_batch(%s, %s, %s::numeric)", batch_id, BatchAction.RESUME, budget)

    assert not require_word(answer, "done")


def test_retries_and_comparisons_are_refused_or_read(seeded: Settings, stores: Stores) -> None:
    fail_some(stores, {}, {})
    analyst: Analyst = stores.analyst
    batch_id = str(SupabaseMonitorStore(analyst=analyst).list_batches(BatchFilters(), 1, 0).batches[0].id)
    changes = {
        "name": "Again",
        "model": "m",
        "max_tokens": 5_000,
        "effort": "low",
        "structured_outputs": True,
        "template_id": None,
    }
    request = {"batch_id": batch_id, "scope": "judged", "change": {"model": "m"}, "name": "A or B", "items": {}, "limit": 2}
    made = 0
    with act_as(seeded, analyst.user_id) as acting:
        for spoilt in spoil(changes):
            answer = acting.call("select public.retry_failed_items(%s, %s)", batch_id, spoilt)
            if require_word(answer, "submitted"):
                made += 1  # What one retry works on no other one takes.
                acting.call("select public.control_batch(%s, 'cancel')", answer["batch_id"])
        compared = 0
        for spoilt in (*spoil(request), *(request | {"change": {name: value}} for name in changes for value in HOSTILE)):
            answer = acting.call("select public.create_experiment(%s)", spoilt)
            compared += require_word(answer, "created")

    experiments = SupabaseExperimentStore(analyst=analyst).list_recent(1_000)
    page = SupabaseMonitorStore(analyst=analyst).list_batches(BatchFilters(), 200, 0)
    assert (len(experiments), page.total) == (compared, 1 + made + compared)
    assert made > 5
    assert compared > 5
    assert analyst.unreadable.list_all() == ()


def test_what_is_imported_is_refused_or_read(analyst: Analyst, acting: ActingAnalyst) -> None:
    files = [{"digest": uuid4().hex * 2, "name": "a\u0007.jsonl"}]
    import_id = acting.call("select public.begin_import(%s)", {"name": "Old\tdata", "files": files})["import_id"]
    whole = make_item(0)
    position = 0
    for spoilt in (
        whole,
        *spoil(whole),
        *(whole | {"failure": failure} for failure in spoil(whole["failure"])),
        # An id that nobody knows is refused when the import is finished: test_row_level_security.py.
        *(whole | {"persona": named} for named in spoil({"id": None, "name": "P"}) if named.get("id") != UNKNOWN_ID),
    ):
        item = spoilt | {"position": position} if spoilt.get("position") == 0 else spoilt
        position += require_word(acting.call("select public.stage_import(%s, %s)", import_id, [item]), "staged")

    finished = SupabaseImportStore(analyst=analyst).finish(import_id)

    page = SupabaseMonitorStore(analyst=analyst).list_batches(BatchFilters(), 10, 0)
    assert [batch.id for batch in page.batches] == [finished.batch_id]
    assert page.batches[0].name == "Old data"
    failures = SupabaseFailureStore(analyst=analyst)
    total = failures.count(FailureFilters(batch_id=finished.batch_id)).total
    assert 50 < total <= page.batches[0].planned <= position
    assert len(failures.list_page(FailureFilters(batch_id=finished.batch_id), page_size=200).rows) == min(total, 200)
    assert analyst.unreadable.list_all() == ()


BAD_IMPORTS: dict[str, Any] = {
    "no files": {"name": "a", "files": []},
    "files that are no list": {"name": "a", "files": {"digest": "0" * 64}},
    "a file without a digest": {"name": "a", "files": [{"name": "a"}]},
    "a digest that is none": {"name": "a", "files": [{"digest": "x", "name": "a"}]},
    "more files than anybody has": {"name": "a", "files": [{"digest": "0" * 64, "name": "a"}] * 10_001},
    "nothing": {},
}


@pytest.mark.parametrize("case", BAD_IMPORTS)
def test_an_import_that_is_none_is_refused(acting: ActingAnalyst, case: str) -> None:
    assert not require_word(acting.call("select public.begin_import(%s)", BAD_IMPORTS[case]), "begun", "known")


def test_a_file_that_is_named_twice_is_imported_once(acting: ActingAnalyst) -> None:
    file = {"digest": uuid4().hex * 2, "name": "a"}
    import_id = acting.call("select public.begin_import(%s)", {"name": "", "files": [file, file]})["import_id"]
    acting.call("select public.stage_import(%s, %s)", import_id, [make_item(0)])

    assert acting.call("select public.finish_import(%s)", import_id)["outcome"] == "finished"
