"""Imports, as the database takes them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from core.adapters.files.dataset_files import UploadedFile
from core.adapters.supabase.failures import SupabaseReportStore
from core.adapters.supabase.session import open_service
from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId, BatchStatus, RetryChanges
from core.domain.batches.results import FailureFilters
from core.domain.datasets.importing import MOST_TOKENS, UNNAMED, ImportId
from core.domain.datasets.records import ConversationFilters
from core.domain.diagnosis.diagnosis import Bucket, Dimension, build_facts, diagnose
from core.domain.diagnosis.diagnosis_table import list_figures
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan
from core.domain.diagnosis.findings import StepKind
from core.domain.diagnosis.outcomes import ScaffoldingLabel
from core.errors import InvalidRequest
from core.ports.imports import ImportStore
from core.ports.results import FailureStore
from core.services.diagnostics import DiagnosticsService
from core.services.failures import get_report
from core.services.importing import ImportReport, ImportService
from tests.factories import TURNS, make_old_data_set, make_selection
from tests.support.results import accept, fail
from tests.support.stores import Stores, lease, list_batches, read, record, submit

CUT = (TURNS[0], "It isn't \\", *TURNS[2:])

WITH_IMPORTS = FailureFilters(with_imports=True)


@dataclass(frozen=True, kw_only=True)
class Imports:
    """The services over an analyst's stores."""

    stores: Stores
    service: ImportService
    diagnostics: DiagnosticsService
    failures: FailureStore

    @property
    def store(self) -> ImportStore:
        return self.stores.imports


@pytest.fixture
def imports(stores: Stores) -> Imports:
    return Imports(
        stores=stores,
        service=ImportService(store=stores.imports, scaffolding=stores.scaffolding),
        diagnostics=DiagnosticsService(store=stores.diagnostics),
        failures=stores.failures,
    )


def make_record(turns: tuple[str, ...] = TURNS, **members: object) -> dict[str, object]:
    messages = [{"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(turns)]
    return {"id": str(uuid4()), "messages": messages, **members}


def make_file(*records: dict[str, object], name: str = "old.jsonl") -> UploadedFile:
    return UploadedFile(name=name, content="\n".join(json.dumps(each) for each in records).encode())


def run(imports: Imports, *records: dict[str, object]) -> tuple[ImportReport, BatchId]:
    report = imports.service.import_files([make_file(*records)])
    assert report.batch_id is not None
    return report, report.batch_id


def test_more_names_than_one_answer_holds_are_all_known(imports: Imports) -> None:
    _, batch_id = run(imports, *(make_record(persona=f"Persona {n}", topic=f"Topic {n}") for n in range(600)))

    outcomes = imports.stores.diagnostics.count(FailureFilters(batch_id=batch_id), 10)

    assert 600 == len({outcomes.labels[each.persona_id].label for each in outcomes.combinations})
    assert 600 == len({outcomes.labels[each.training_topic_id].label for each in outcomes.combinations})


def test_odd_names_of_records_and_roles_are_cut_to_what_the_database_takes(imports: Imports) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant" * 10_000, "content": "It isn't \\"}]

    report, _ = run(imports, make_record(id="x" * 50_000), make_record() | {"id": "y" * 50_000, "messages": messages})

    assert (2, 1) == (report.conversations, report.flagged)


def test_the_template_whose_conversations_are_cut_is_named_first(imports: Imports) -> None:
    file = UploadedFile(name="old data.jsonl", content=make_old_data_set())

    report = imports.service.import_files([file])

    assert (144, 24, "Imported: old data.jsonl") == (report.conversations, report.flagged, report.name)
    assert (("lone_backslash", 24),) == report.patterns
    assert report.batch_id is not None
    found = imports.diagnostics.diagnose(FailureFilters(batch_id=report.batch_id))
    assert (24, 144) == (found.diagnosis.overall.failed, found.diagnosis.overall.judged)
    worst = found.suspects.suspects[0]
    assert ("template", "emotional_scene_old", 24, 49) == (
        worst.names[0].field, worst.names[0].value, worst.rate.failed, worst.rate.judged
    )  # fmt: skip
    assert worst == found.findings[0].suspect
    assert {row.label for row in found.diagnosis.list_rates(Dimension.MODEL)} == {"claude-sonnet-4-5"}
    assert ["Text ends at a lone backslash, where a quotation would open"] == [
        group.row.label for group in found.fingerprints
    ]
    assert 3 == len(found.fingerprints[0].examples)


@pytest.mark.parametrize(
    ("others", "clause"),
    [
        ({"max_tokens": 800, "output_tokens": 200}, "25-50 % of max output tokens used."),
        ({"output_tokens": 200}, "50 % of max output tokens used (of those with a count)."),
        ({"max_tokens": 800}, "50 % of max output tokens used (of those with a count)."),
    ],
)
def test_a_finding_says_where_failures_have_no_count(imports: Imports, others: dict[str, int], clause: str) -> None:
    cut = [make_record(CUT, template="bad", max_tokens=800, output_tokens=400) for _ in range(6)]
    cut += [make_record(CUT, template="bad", **others) for _ in range(6)]
    _, batch_id = run(imports, *cut, *(make_record(template="good") for _ in range(30)))

    finding = imports.diagnostics.diagnose(FailureFilters(batch_id=batch_id)).findings[0]

    assert clause in finding.figures


def test_an_imported_batch_is_closed_and_cost_nothing(imports: Imports) -> None:
    _, batch_id = run(imports, make_record(), make_record(CUT, model="claude-haiku-5", max_tokens=8_000, output_tokens=900))

    progress = read(imports.stores, batch_id)

    assert (BatchStatus.COMPLETED, True, 2, 1, 1) == (
        progress.status, progress.imported, progress.planned, progress.accepted, progress.failed
    )  # fmt: skip
    assert (0, 0.0, "several models", None, None) == (
        progress.attempts, progress.cost_usd, progress.model, progress.max_tokens, progress.structured_outputs
    )  # fmt: skip


def test_an_import_makes_failures_but_no_conversation(imports: Imports) -> None:
    _, batch_id = run(imports, make_record(), make_record(CUT))

    (row,) = imports.failures.list_page(FailureFilters(batch_id=batch_id)).rows

    assert ("truncation", "lone_backslash", "high", 1) == (
        row.failure_type, row.truncation_pattern, row.confidence, row.turn_index
    )  # fmt: skip
    assert ("not given", None, None) == (row.model, row.max_tokens, row.stop_reason)
    assert [] == list(imports.stores.conversations.list_page(ConversationFilters(), page_size=10).rows)


def test_the_raw_report_of_an_imported_failure_tells_where_it_is_from(imports: Imports) -> None:
    bad = make_record(CUT, stop_reason="end_turn", output_tokens=900, max_tokens=8_000, template="old \u2014 one")
    _, batch_id = run(imports, bad)
    (row,) = imports.failures.list_page(FailureFilters(batch_id=batch_id)).rows

    report = get_report(imports.failures, row.id)

    error = report["error_report"]
    assert (True, "lone_backslash", 7_100, 0.1125) == (
        error["imported"], error["truncation_pattern"], error["analysis"]["tokens_remaining"],
        error["analysis"]["share_of_limit_used"],
    )  # fmt: skip
    assert {"imported_from": {"file": "old.jsonl", "conversation": bad["id"]}} == report["raw_response"]
    assert CUT[1] == json.loads(report["extracted_content"])["turns"][1]["content"]
    assert "Turn 2 (assistant) stops at: It isn't \\" in error["truncation_details"]
    assert [] == report["attempts"]
    assert "old \u2014 one" == report["scaffolding_context"]["template_name"]


def test_names_are_matched_by_key_and_by_name_in_any_case(imports: Imports) -> None:
    persona = imports.stores.scaffolding.list_personas()[0]
    arc = next(arc for arc in imports.stores.scaffolding.list_arcs() if arc.conversation_category == "edge")
    _, batch_id = run(
        imports,
        make_record(persona=persona.persona_key, arc=arc.name.upper(), template="Foreign One"),
        make_record(persona=persona.name.upper(), arc=arc.arc_key, template="foreign one"),
        make_record(persona="Nobody we know", arc=str(arc.id)),
    )

    outcomes = imports.stores.diagnostics.count(FailureFilters(batch_id=batch_id), 10)

    found = [each for each in outcomes.combinations if each.id in outcomes.cells.combination]
    named = {(outcomes.labels[each.persona_id].label, outcomes.labels[each.template_id].label) for each in found}
    assert {(persona.name, "Foreign One"), ("Nobody we know", "not given")} == named
    assert {arc.id} == {each.emotional_arc_id for each in found}
    assert {"edge"} == {each.conversation_category for each in found}
    items = imports.stores.monitor.list_items(batch_id, None, 10, 0).items
    assert "Nobody we know" == items[2].persona
    names = {option.name for option in imports.failures.list_options().templates}
    assert "Foreign One (imported)" in names


def test_the_same_content_is_not_imported_twice(imports: Imports) -> None:
    file, other = make_file(make_record(CUT)), make_file(make_record(), name="other.jsonl")
    first = imports.service.import_files([file])

    again = imports.service.import_files([UploadedFile(name="renamed.jsonl", content=file.content)])
    both = imports.service.import_files([file, other])

    assert (None, 0) == (again.batch_id, again.conversations)
    assert [(first.batch_id, first.name)] == [(known.batch_id, known.batch_name) for known in again.known]
    assert (1, 0) == (both.conversations, both.flagged)
    assert [first.batch_id] == [known.batch_id for known in both.known]
    assert 2 == imports.diagnostics.diagnose(WITH_IMPORTS).diagnosis.overall.judged


def test_imports_are_in_no_rate_and_no_list_unless_they_are_asked_for(imports: Imports) -> None:
    _, batch_id = run(imports, make_record(CUT, persona="Foreign One"), make_record())
    persona = next(row for row in imports.failures.list_options().personas if row.name.startswith("Foreign One"))

    asked = (WITH_IMPORTS, FailureFilters(batch_id=batch_id), FailureFilters(persona_id=persona.id))

    assert (0, 0) == (imports.diagnostics.measure(FailureFilters()).judged, imports.failures.count().total)
    assert [2, 2, 1] == [imports.diagnostics.measure(filters).judged for filters in asked]
    assert [1, 1, 1] == [imports.failures.count(filters).total for filters in asked]


def test_an_interrupted_import_leaves_nothing_that_counts(imports: Imports) -> None:
    file = make_file(make_record(CUT))

    class Interrupted:
        name, size, hash_content = file.name, file.size, file.hash_content

        def read_entries(self, on_progress: object) -> Iterator[object]:
            yield from file.read_entries(lambda _: None)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        imports.service.import_files([Interrupted()])  # type: ignore[list-item]

    assert 0 == imports.diagnostics.diagnose(WITH_IMPORTS).diagnosis.overall.judged
    assert () == list_batches(imports.stores)
    assert 1 == imports.service.import_files([file]).conversations


def test_two_imports_of_one_file_at_once_make_one_batch(imports: Imports) -> None:
    file = make_file(make_record(CUT))
    slow = _Spy(imports.store, before_finish=lambda: imports.service.import_files([file]))

    report = ImportService(store=slow, scaffolding=imports.stores.scaffolding).import_files([file])

    assert report.batch_id is None
    (batch,) = list_batches(imports.stores)
    assert [batch.id] == [known.batch_id for known in report.known]


def test_an_import_that_is_finished_again_is_the_same_batch(imports: Imports) -> None:
    started = _Spy(imports.store, before_finish=lambda: None)
    report = ImportService(store=started, scaffolding=imports.stores.scaffolding).import_files([make_file(make_record(CUT))])

    assert report.batch_id == imports.store.finish(started.finished[0]).batch_id
    assert 1 == len(list_batches(imports.stores))


def test_a_finished_import_takes_nothing_more(imports: Imports) -> None:
    with pytest.raises(InvalidRequest, match="gone"):
        imports.store.stage(ImportId(uuid4()), ())
    with pytest.raises(InvalidRequest, match="gone"):
        imports.store.finish(ImportId(uuid4()))


def test_what_is_nested_without_end_is_named_and_the_rest_is_imported(imports: Imports) -> None:
    nested = "[" * 60_000 + "]" * 60_000
    good, cut = json.dumps(make_record()), json.dumps(make_record(CUT))
    file = UploadedFile(name="hostile.jsonl", content=f'{good}\n{nested}\n{{"messages": {nested}}}\n{cut}\n'.encode())

    report = imports.service.import_files([file])

    assert (2, 1, 2) == (report.conversations, report.flagged, report.unreadable)
    assert ["line 2", "line 3"] == [problem.place for problem in report.problems]
    assert all("nested more than 64 levels" in problem.reason for problem in report.problems)


def test_a_file_without_conversations_is_refused(imports: Imports) -> None:
    with pytest.raises(InvalidRequest, match=r"nothing was imported.*notes\.txt"):
        imports.service.import_files([UploadedFile(name="notes.txt", content=b"just a note")])

    assert () == list_batches(imports.stores)


@pytest.mark.parametrize("content", [b"[]", b'{"training_pairs": []}', b'{"_meta": {"version": 1}}\n{"_meta": {}}\n'])
def test_files_that_hold_no_conversation_are_said_to_hold_none(imports: Imports, content: bytes) -> None:
    files = [
        UploadedFile(name=name, content=content + b" " * index) for index, name in enumerate(("list.json", "more.json"))
    ]

    with pytest.raises(InvalidRequest, match=r"list\.json: it holds no conversation; more\.json: it holds no conversation$"):
        imports.service.import_files(files)


def test_a_file_without_conversations_is_told_beside_one_that_cannot_be_read(imports: Imports) -> None:
    files = [UploadedFile(name="notes.txt", content=b"a note"), UploadedFile(name="list.json", content=b"[]")]

    with pytest.raises(InvalidRequest, match=r"notes\.txt: not JSON.*; list\.json: it holds no conversation$"):
        imports.service.import_files(files)


def test_nothing_of_an_imported_batch_is_generated_again(imports: Imports) -> None:
    _, batch_id = run(imports, make_record(CUT), make_record())

    with pytest.raises(InvalidRequest, match="imported"):
        imports.stores.batches.retry_failed(batch_id, RetryChanges())
    with pytest.raises(InvalidRequest, match="imported"):
        imports.stores.experiments.create(ExperimentPlan(batch_id=batch_id, change=ExperimentChange(max_tokens=9_000)))
    for action in BatchAction:
        with pytest.raises(InvalidRequest):
            imports.stores.batches.control(batch_id, action)
    assert () == lease(imports.stores, batch_id)
    assert batch_id not in [waiting.batch_id for waiting in imports.stores.reconciler.reconcile()]


def test_imported_items_are_in_no_total_of_what_was_generated(imports: Imports) -> None:
    generated = submit(imports.stores)
    record(imports.stores, *(accept(item) for item in lease(imports.stores, generated)))
    history, overview = imports.stores.batches.list_history(), imports.stores.overview.read()

    run(imports, make_record(CUT), make_record(CUT), make_record())

    assert history == imports.stores.batches.list_history()
    assert overview == imports.stores.overview.read()
    assert 2 == overview.judged


def test_an_item_is_dated_by_when_it_was_made(imports: Imports) -> None:
    _, batch_id = run(
        imports,
        make_record(CUT, created_at="2025-03-01T10:00:00Z"),
        make_record(generated_at="2025-03-02"),
        make_record(created_at="2999-01-01"),
    )

    timeline = imports.diagnostics.diagnose(FailureFilters(batch_id=batch_id)).diagnosis.timeline

    assert [datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 3, 2, tzinfo=UTC)] == [row.start for row in timeline[:2]]
    assert (3, datetime.now(UTC).year) == (len(timeline), timeline[2].start.year)


def test_a_file_of_old_records_stands_for_itself_among_the_batches(imports: Imports) -> None:
    old = {"created_at": "2025-03-01T10:00:00Z"}
    run(imports, *(make_record(**old) for _ in range(30)))
    _, bad = run(imports, *(make_record(CUT, **old) for _ in range(30)))

    report = imports.diagnostics.diagnose(WITH_IMPORTS)

    rates = {row.key: row.rate for row in report.diagnosis.list_rates(Dimension.BATCH)}
    assert (30, 30) == (rates[str(bad)].failed, rates[str(bad)].judged)
    assert None not in rates
    assert ["batch"] == [suspect.names[0].field for suspect in report.suspects.named]


def test_a_file_of_several_models_is_counted_and_listed_by_each(imports: Imports) -> None:
    run(imports, *(make_record(CUT, model="gpt-4o") for _ in range(4)), make_record(CUT, model="claude-old"))

    for model, failed in (("gpt-4o", 4), ("claude-old", 1), ("several models", 0)):
        filters = FailureFilters(model=model, with_imports=True)
        assert (model, failed) == (model, imports.diagnostics.measure(filters).failed)
        assert (model, failed) == (model, imports.failures.count(filters).total)


def test_what_nobody_can_repeat_is_not_offered_for_comparison(imports: Imports) -> None:
    run(imports, *(make_record(CUT, template="bad") for _ in range(12)), *(make_record(template="good") for _ in range(30)))

    (finding,) = imports.diagnostics.diagnose(WITH_IMPORTS).findings

    assert [StepKind.CHECK_ESCAPING] == [step.kind for step in finding.next_steps]


def test_two_of_one_name_are_told_apart(imports: Imports) -> None:
    persona = imports.stores.scaffolding.list_personas()[0]
    _, batch_id = run(
        imports, make_record(CUT, persona=persona.name), make_record(CUT, persona="Zed"), make_record(persona="Zed")
    )
    outcomes = imports.stores.diagnostics.count(FailureFilters(batch_id=batch_id), 10)
    (zed,) = (key for key, each in outcomes.labels.items() if each.label == "Zed")
    labels = {**outcomes.labels, zed: ScaffoldingLabel(label=persona.name)}

    renamed = outcomes.model_copy(update={"labels": labels})
    rates = diagnose(renamed, build_facts(renamed), bucket=Bucket.DAY, zone=UTC, now=datetime.now(UTC)).list_rates(
        Dimension.PERSONA
    )

    assert {f"{persona.name} ({str(persona.id)[:8]})": 1, f"{persona.name} ({str(zed)[:8]})": 2} == {
        row.label: row.rate.judged for row in rates
    }
    assert {str(persona.id), str(zed)} == {row.key for row in rates}


def test_what_was_imported_lately_is_not_pruned_as_old(imports: Imports, seeded: Settings) -> None:
    _, batch_id = run(imports, make_record(CUT, created_at="2025-03-01T10:00:00Z"))
    url, _ = seeded.require_supabase()

    with open_service(url, seeded.require_secret_key()) as client:
        SupabaseReportStore(client=client).delete_older_than(datetime.now(UTC) - timedelta(days=1))

    assert 1 == imports.failures.count(FailureFilters(batch_id=batch_id)).total


def test_text_that_a_database_cannot_hold_is_kept_as_far_as_it_can(imports: Imports) -> None:
    _, batch_id = run(imports, make_record((TURNS[0], "half \ud83d and \x00 nothing,"), template="nul \x00 name"))

    (row,) = imports.failures.list_page(FailureFilters(batch_id=batch_id)).rows

    assert "trailing_comma" == row.truncation_pattern


@pytest.mark.parametrize(("limit", "used"), [(100, 25_000_000), (1, MOST_TOKENS), (8_000, 8_001)])
def test_a_record_that_used_more_tokens_than_its_limit_used_all_of_it(imports: Imports, limit: int, used: int) -> None:
    records = [make_record(CUT, template="Cut", max_tokens=limit, output_tokens=used) for _ in range(9)]
    _, batch_id = run(imports, *records, *(make_record(template="Whole") for _ in range(9)))

    report = imports.diagnostics.diagnose(FailureFilters(batch_id=batch_id))

    (finding,) = report.findings
    assert (1.0, 1.0) == (finding.evidence.share_low, finding.evidence.share_high)
    assert "100 % of max output tokens used" in finding.figures
    assert [(1.0, 0, 9)] == [(row.share_from, row.accepted, row.failed) for row in report.diagnosis.tokens]


def test_a_conversation_of_tens_of_thousands_of_turns_is_counted(imports: Imports) -> None:
    turns = 40_000
    _, batch_id = run(imports, make_record((*("Yes." for _ in range(turns - 1)), CUT[1])), make_record(("Yes.",) * turns))

    found = imports.diagnostics.diagnose(FailureFilters(batch_id=batch_id, turn_index=turns - 1)).diagnosis

    assert (1, 2) == (found.overall.failed, found.overall.judged)
    assert (turns - 1, 1, 2) == (found.turns[-1].turn_index, found.turns[-1].rate.failed, found.turns[-1].rate.judged)


def test_the_length_of_a_prompt_that_nobody_knows_is_in_no_span(imports: Imports) -> None:
    items = lease(imports.stores, submit(imports.stores, make_selection(1, 2, 9), concurrency=30), wanted=30)
    record(imports.stores, *(accept(item, prompt_length=8_250 + item.position % 2 * 100) for item in items))
    run(imports, *(make_record(CUT) for _ in range(20)), make_record())

    report = imports.diagnostics.diagnose(WITH_IMPORTS)

    lengths = [row for row in report.diagnosis.rates if row.dimension is Dimension.PROMPT_LENGTH]
    assert [("8,200-8,299", "8200..8300", 0, 9), ("from 8,300", "8300..", 0, 9), (UNNAMED, None, 20, 21)] == [
        (row.label, row.key, row.rate.failed, row.rate.judged) for row in lengths
    ]
    assert [("8,200-8,299", 9), ("from 8,300", 9), (UNNAMED, 21)] == [
        (row.value, row.judged) for row in list_figures(report.diagnosis) if row.dimension == "prompt_length"
    ]
    named = {name for suspect in report.suspects.named for name in (*suspect.names, *suspect.not_told_apart)}
    assert named
    assert not [name for name in named if name.field == Dimension.PROMPT_LENGTH]
    for filters, judged in (
        (FailureFilters(prompt_to=8_300, with_imports=True), 9),
        (FailureFilters(prompt_from=0, with_imports=True), 18),
    ):
        measured, listed = imports.diagnostics.measure(filters), imports.failures.count(filters)
        assert (judged, 0, 0) == (measured.judged, measured.failed, listed.total)


def test_what_records_do_not_name_leads_to_its_failures(imports: Imports) -> None:
    run(imports, *(make_record(CUT) for _ in range(3)), *(make_record(persona="Marcus Chen") for _ in range(3)))

    rates = imports.diagnostics.diagnose(WITH_IMPORTS).diagnosis.rates
    missing = next(row for row in rates if row.dimension is Dimension.PERSONA and row.label == UNNAMED)
    assert missing.key is not None
    assert (3, 3) == (missing.rate.failed, imports.failures.count(FailureFilters(persona_id=UUID(missing.key))).total)


def test_imports_alone_have_no_prompt_length_to_suspect(imports: Imports) -> None:
    run(imports, make_record(CUT), make_record())

    report = imports.diagnostics.diagnose(WITH_IMPORTS)

    (length,) = (row for row in report.diagnosis.rates if row.dimension is Dimension.PROMPT_LENGTH)
    assert (UNNAMED, None, 1, 2) == (length.label, length.key, length.rate.failed, length.rate.judged)
    names = {name.field for suspect in report.suspects.suspects for name in suspect.names}
    assert Dimension.PROMPT_LENGTH not in names


def test_only_the_failures_of_a_suspect_say_whether_they_are_simulated(imports: Imports) -> None:
    selection = make_selection(1, 2, 9)
    items = lease(imports.stores, submit(imports.stores, selection, concurrency=30), wanted=30)
    arc_id = selection.arc_ids[0]
    record(imports.stores, *(fail(each) if each.emotional_arc_id == arc_id else accept(each) for each in items))
    template_id = next(each.template_id for each in items if each.emotional_arc_id == arc_id)
    run(imports, *(make_record(CUT, template="Cut") for _ in range(9)), *(make_record(template="Whole") for _ in range(9)))

    def find_notes() -> list[str]:
        notes = [each.explanation.split(". ")[-1] for each in imports.diagnostics.diagnose(WITH_IMPORTS).findings]
        return sorted(note if "simulated" in note else "" for note in notes)

    notes = find_notes()
    run(imports, *(make_record(CUT, arc=str(arc_id), template=str(template_id)) for _ in range(9)))
    mixed = find_notes()

    assert ["", "These replies are simulated."] == notes
    assert "Some of these replies are simulated." in mixed


def test_a_conversation_in_pieces_is_one_item(imports: Imports) -> None:
    def pair(history: list[tuple[str, str]], said: str, answer: str) -> dict[str, object]:
        return {
            "conversation_metadata": {"conversation_id": "c1", "template": "T"},
            "conversation_history": [{"role": role, "content": text} for role, text in history],
            "current_user_input": said,
            "target_response": answer,
        }

    first = pair([], TURNS[0], TURNS[1])
    rest = pair([("user", TURNS[0]), ("assistant", TURNS[1])], TURNS[2], "It isn't \\")
    other = {
        **pair([], "Hello there, it is me.", "Good evening to you."),
        "conversation_metadata": {"conversation_id": "c2"},
    }
    report, batch_id = run(imports, first, other, rest)

    (row,) = imports.failures.list_page(FailureFilters(batch_id=batch_id)).rows
    progress = read(imports.stores, batch_id)

    assert (2, 6, 1) == (report.conversations, report.turns, report.flagged)
    assert (2, 1, 3) == (progress.planned, progress.failed, row.turn_index)


class _Spy:
    """A store to which something happens just before an import is finished."""

    def __init__(self, store: ImportStore, before_finish: object) -> None:
        self._store, self._before_finish = store, before_finish
        self.begin, self.stage = store.begin, store.stage
        self.finished: list[ImportId] = []

    def finish(self, import_id: ImportId) -> object:
        self._before_finish()  # type: ignore[operator]
        self.finished.append(import_id)
        return self._store.finish(import_id)
