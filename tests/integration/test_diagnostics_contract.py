"""Outcomes and experiments, as the database counts them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from core.adapters.supabase.diagnostics import SupabaseDiagnosticStore, SupabaseFingerprintStore
from core.adapters.supabase.session import open_service
from core.config import Settings
from core.domain.batches.batch import BatchId
from core.domain.batches.results import FailureFilters
from core.domain.batches.work import ItemReleased
from core.domain.diagnosis.diagnosis import Diagnosis, Dimension, TokenRow
from core.domain.diagnosis.diagnosis_table import list_figures
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan, ItemScope
from core.domain.scaffolding.records import TemplateId
from core.domain.verdict.reply import TokenUsage
from core.errors import InvalidRequest, NotFound
from core.services.diagnostics import DiagnosticsService
from core.services.experiments import ExperimentService
from core.services.fingerprints import FingerprintService
from tests.factories import make_attempt, make_selection, make_settings
from tests.fakes.queue import ScriptedQueue
from tests.support.results import accept
from tests.support.results import fail_short as fail
from tests.support.stack import sign_up
from tests.support.stores import Stores, lease, record, submit


@dataclass(frozen=True, kw_only=True)
class Services:
    stores: Stores
    diagnostics: DiagnosticsService
    experiments: ExperimentService


@pytest.fixture
def services(stores: Stores) -> Services:
    return Services(
        stores=stores,
        diagnostics=DiagnosticsService(store=stores.diagnostics),
        experiments=ExperimentService(store=stores.experiments, queue=ScriptedQueue()),
    )


def run_grid(stores: Stores) -> BatchId:
    """Two arcs, nine topics: of the first arc seven items are cut and one reaches the limit; the others are accepted."""
    selection = make_selection(1, 2, 9)
    batch_id = submit(stores, selection, concurrency=30)
    items = lease(stores, batch_id, wanted=30)
    guilty = [item for item in items if item.emotional_arc_id == selection.arc_ids[0]]
    results = [accept(item, prompt_length=8_750) for item in items if item not in guilty[:8]]
    record(stores, *results, *(fail(item) for item in guilty[:7]))
    record(stores, fail(guilty[7], stop_reason="max_tokens", output_tokens=24_576))
    return batch_id


def test_diagnosis_counts_rates_kinds_and_waste_and_names_the_arc(services: Services) -> None:
    batch_id = run_grid(services.stores)

    report = services.diagnostics.diagnose()

    diagnosis = report.diagnosis
    assert (diagnosis.overall.failed, diagnosis.overall.judged, diagnosis.simulated) == (8, 18, True)
    assert [(8, 9), (0, 9)] == [(row.rate.failed, row.rate.judged) for row in diagnosis.list_rates(Dimension.ARC)]
    assert [("end_turn", "lone_backslash", 7), ("max_tokens", "unexpected_stop_reason", 1)] == [
        (row.stop_reason, row.truncation_pattern, row.failures) for row in diagnosis.signatures
    ]
    assert str(batch_id) == diagnosis.list_rates(Dimension.BATCH)[0].key
    assert [8, 0] == [
        sum(c.rate.failed for c in diagnosis.arc_by_persona if c.row == row.label)
        for row in diagnosis.list_rates(Dimension.ARC)
    ]
    assert (18, 18) == (len(diagnosis.arc_by_topic), sum(cell.rate.judged for cell in diagnosis.arc_by_topic))
    assert [(0, 7), (10, 0), (0, 1)] == [(0, row.failed) if row.failed else (row.accepted, 0) for row in diagnosis.tokens]
    assert diagnosis.tokens[-1].share_from == diagnosis.tokens[-1].share_to == 1.0
    assert [(0, 18), (0, 18), (0, 18), (8, 18)] == [(row.rate.failed, row.rate.judged) for row in diagnosis.turns]
    assert sum(row.rate.judged for row in diagnosis.timeline) == 18
    assert all(row.start <= row.at <= datetime.now(UTC) for row in diagnosis.timeline)
    assert (18, 8) == (diagnosis.waste.attempts, diagnosis.waste.failed_attempts)
    assert pytest.approx((18 * 0.022, 8 * 0.022)) == (diagnosis.waste.cost_usd, diagnosis.waste.wasted_usd)
    assert pytest.approx((18 * 1.2, 8 * 1.2)) == (diagnosis.waste.duration_seconds, diagnosis.waste.wasted_seconds)
    (finding,) = report.findings
    assert {"arc", "template"} == {name.field for name in finding.suspect.names}
    assert "8 of 8 failures come from" in finding.headline
    assert finding.evidence.share_low == pytest.approx(0.0448, abs=2e-4)
    assert len(finding.evidence.request_ids) == 5
    assert [("truncation|end_turn|backslash", 7, 3), ("truncation|max_tokens|in_text", 1, 1)] == [
        (group.row.fingerprint, group.row.failures, len(group.examples)) for group in report.fingerprints
    ]


def test_filters_on_failures_keep_everything_judged_as_the_denominator(services: Services) -> None:
    run_grid(services.stores)

    stopped = services.diagnostics.diagnose(FailureFilters(stop_reason="max_tokens")).diagnosis
    found = services.diagnostics.diagnose(FailureFilters(text="IT ISN'T")).diagnosis
    missing = services.diagnostics.diagnose(FailureFilters(text="nowhere")).diagnosis

    assert [(1, 18), (8, 18), (0, 18)] == [(d.overall.failed, d.overall.judged) for d in (stopped, found, missing)]


def test_filters_on_settings_choose_what_is_judged(services: Services) -> None:
    batch_id = run_grid(services.stores)
    other = submit(services.stores, make_selection(1, 1, 2), model="claude-haiku-5")
    record(services.stores, *(accept(item) for item in lease(services.stores, other)))
    now = datetime.now(UTC)

    def count(**filters: object) -> tuple[int, int]:
        overall = services.diagnostics.diagnose(FailureFilters.model_validate(filters)).diagnosis.overall
        return overall.failed, overall.judged

    assert (8, 20) == count()
    assert (8, 18) == count(batch_id=batch_id)
    assert (0, 2) == count(model="claude-haiku-5")
    assert (8, 11) == count(emotional_arc_id=make_selection(1, 1, 1).arc_ids[0])
    assert (8, 20) == count(date_from=now - timedelta(hours=1), date_to=now + timedelta(hours=1))
    assert (0, 0) == count(date_to=now - timedelta(hours=1))
    assert (0, 0) == count(persona_id=uuid4())


FIELDS = {
    Dimension.TEMPLATE: "template_id",
    Dimension.ARC: "emotional_arc_id",
    Dimension.PERSONA: "persona_id",
    Dimension.TOPIC: "training_topic_id",
    Dimension.TOPIC_CATEGORY: "topic_category",
    Dimension.CATEGORY: "conversation_category",
    Dimension.MODEL: "model",
    Dimension.MAX_TOKENS: "max_tokens",
    Dimension.EFFORT: "effort",
    Dimension.BATCH: "batch_id",
}


def make_filters(dimension: Dimension, key: str) -> FailureFilters:
    if dimension is Dimension.STRUCTURED_OUTPUT:
        return FailureFilters(structured_outputs=key == "on")
    if dimension is Dimension.PROMPT_LENGTH:
        first, _, end = key.partition("..")
        return FailureFilters(prompt_from=int(first), prompt_to=int(end) if end else None)
    return FailureFilters.model_validate({FIELDS[dimension]: key})


def test_the_filter_of_every_value_judges_its_items_and_lists_its_failures(services: Services) -> None:
    run_grid(services.stores)
    other = submit(services.stores, make_selection(1, 1, 2), model="claude-haiku-5", structured_outputs=False, effort="low")
    settings = make_settings(model="claude-haiku-5", structured_outputs=False, effort="low")
    first, second = lease(services.stores, other)
    attempt = make_attempt(settings=settings, failure_type="truncation", prompt_length=9_100)
    failure = fail(first).model_copy(update={"attempt": attempt, "settings": settings, "prompt_text": "w" * 9_100})
    record(services.stores, failure, accept(second, settings=settings, prompt_length=9_100))

    rows = [row for row in services.diagnostics.diagnose().diagnosis.rates if row.key is not None]

    assert set(Dimension) == {row.dimension for row in rows}
    for row in rows:
        filters = make_filters(row.dimension, str(row.key))
        measured = services.diagnostics.measure(filters)
        assert (row.label, row.rate) == (row.label, measured)
        if row.dimension is not Dimension.PROMPT_LENGTH:  # The prompts of this file are shorter than their attempts say.
            assert (row.label, row.rate.failed) == (row.label, services.stores.failures.count(filters).total)


def test_filters_on_the_way_of_failing_count_and_list_alike(services: Services) -> None:
    run_grid(services.stores)

    def count(**filters: object) -> tuple[int, int, int]:
        asked = FailureFilters.model_validate(filters)
        rate = services.diagnostics.measure(asked)
        return rate.failed, rate.judged, services.stores.failures.count(asked).total

    assert (7, 18, 7) == count(fingerprint="truncation|end_turn|backslash")
    assert (8, 18, 8) == count(turn_index=3)
    assert (0, 18, 0) == count(turn_index=2)
    assert (7, 18, 7) == count(limit_share_bin=0)
    assert (1, 18, 1) == count(limit_share_bin=20)


def test_items_without_a_token_count_are_in_no_share_bin(services: Services) -> None:
    run_grid(services.stores)
    before = services.diagnostics.diagnose().diagnosis
    uncounted = TokenUsage()
    first, second, third = lease(services.stores, submit(services.stores, make_selection(1, 1, 3)))
    no_reply = make_attempt(failure_type="api_error", stop_reason=None, usage=uncounted)
    results = (fail(first).model_copy(update={"attempt": no_reply}), accept(second, usage=uncounted))
    record(services.stores, *results, accept(third))

    diagnosis = services.diagnostics.diagnose().diagnosis

    def sum_items(tokens: tuple[TokenRow, ...]) -> int:
        return sum(row.accepted + row.failed for row in tokens)

    assert (21, 18 + 1) == (diagnosis.overall.judged, sum_items(diagnosis.tokens))
    assert before.tokens[-1] == diagnosis.tokens[-1]
    figures = [row for row in list_figures(diagnosis) if row.dimension == "share_of_max_tokens"]
    assert ("1.00-1.00", 1, 1) == (figures[-1].value, figures[-1].judged, figures[-1].failed)
    assert 19 == sum(row.judged for row in figures)
    for share_bin, failed in ((0, 7), (20, 1)):
        filters = FailureFilters(limit_share_bin=share_bin)
        measured, listed = services.diagnostics.measure(filters), services.stores.failures.count(filters)
        assert (share_bin, failed, failed) == (share_bin, measured.failed, listed.total)


def test_a_share_on_the_edge_of_two_share_bins_counts_and_lists_alike(services: Services) -> None:
    items = lease(services.stores, submit(services.stores, make_selection(1, 2, 10), concurrency=30), wanted=20)
    settings = make_settings(max_tokens=2_000)
    results = [fail(item, output_tokens=(index + 1) * 100) for index, item in enumerate(items)]
    attempts = [result.attempt.model_copy(update={"settings": settings}) for result in results if result.attempt]
    updates = [{"attempt": attempt, "settings": settings} for attempt in attempts]
    record(services.stores, *(result.model_copy(update=update) for result, update in zip(results, updates, strict=True)))

    tokens = services.diagnostics.diagnose().diagnosis.tokens

    assert [(number / 20, 1) for number in range(1, 21)] == [(row.share_from, row.failed) for row in tokens]
    for number in range(1, 21):
        listed = services.stores.failures.count(FailureFilters(limit_share_bin=number)).total
        assert (number, 1) == (number, listed)


def test_retried_calls_are_wasted_too(services: Services) -> None:
    batch_id = submit(services.stores, make_selection(1, 1, 1))
    (item,) = lease(services.stores, batch_id)
    record(services.stores, ItemReleased(item=item, attempt=make_attempt(stop_reason=None)))
    (again,) = lease(services.stores, batch_id)
    record(services.stores, accept(again))

    waste = services.diagnostics.diagnose().diagnosis.waste

    assert (2, 0, pytest.approx(0.022)) == (waste.attempts, waste.failed_attempts, waste.wasted_usd)


def test_what_failed_in_another_way_is_no_waste_of_this_one_and_no_accepted_reply(services: Services) -> None:
    first, second, third = lease(services.stores, submit(services.stores, make_selection(1, 1, 3)))
    dear = make_attempt(failure_type="truncation", stop_reason="max_tokens", cost_usd=0.5)
    other = fail(second, stop_reason="max_tokens").model_copy(update={"attempt": dear})
    record(services.stores, fail(first), other, accept(third))

    def diagnose(**filters: object) -> Diagnosis:
        return services.diagnostics.diagnose(FailureFilters.model_validate(filters)).diagnosis

    everything, cut, nothing = diagnose(), diagnose(stop_reason="end_turn"), diagnose(stop_reason="refusal")
    assert everything.waste.wasted_usd == pytest.approx(cut.waste.wasted_usd + 0.5)
    assert 0 < cut.waste.wasted_seconds < everything.waste.wasted_seconds
    assert (0, 0, 0) == (nothing.waste.failed_attempts, nothing.waste.wasted_usd, nothing.waste.wasted_seconds)
    for found, accepted, failed in ((everything, 1, 2), (cut, 1, 1), (nothing, 1, 0)):
        assert (accepted, failed) == (
            sum(row.accepted for row in found.tokens), sum(row.failed for row in found.tokens)
        )  # fmt: skip


def test_nothing_judged_is_no_error(services: Services) -> None:
    submit(services.stores)

    report = services.diagnostics.diagnose()

    assert report.diagnosis.overall.value is None
    assert not report.findings


def test_experiment_repeats_judged_items_with_one_change_and_compares_them(services: Services) -> None:
    base = run_grid(services.stores)
    arc_id = make_selection(1, 1, 1).arc_ids[0]
    plan = ExperimentPlan(
        batch_id=base, items=FailureFilters(emotional_arc_id=arc_id), change=ExperimentChange(structured_outputs=False)
    )

    experiment = services.experiments.compare(plan)

    progress = services.stores.batches.get(experiment.changed_batch_id)
    assert progress is not None
    assert (progress.planned, progress.structured_outputs, progress.retry_of, experiment.pairs) == (9, False, None, 9)
    items = lease(services.stores, experiment.changed_batch_id, wanted=20)
    assert {arc_id} == {item.emotional_arc_id for item in items}
    record(services.stores, *(accept(item) for item in items[:8]))
    pairs = services.experiments.get(experiment.id).pairs
    assert (8, 1) == (pairs.only_base_failed + pairs.neither_failed, pairs.open)
    record(services.stores, accept(items[8]))
    comparison = services.experiments.get(experiment.id).comparison
    assert comparison.is_proven
    assert comparison.verdict.startswith("Conversations fail less often with structured output off")
    assert [experiment.id] == [each.id for each in services.experiments.list_recent()]


def test_experiment_repeats_the_items_of_any_suspect_and_no_others(services: Services) -> None:
    base = run_grid(services.stores)
    progress = services.stores.batches.get(base)
    assert progress is not None
    rates = services.diagnostics.diagnose().diagnosis.rates
    category = next(row for row in rates if row.dimension is Dimension.TOPIC_CATEGORY)
    change = ExperimentChange(max_tokens=9_000)

    def count_pairs(**items: object) -> int:
        plan = ExperimentPlan(batch_id=base, items=FailureFilters.model_validate(items), change=change)
        return services.experiments.compare(plan).pairs

    assert 0 < category.rate.judged < 18
    assert category.rate.judged == count_pairs(topic_category=category.key)
    assert 18 == count_pairs(model=progress.model, structured_outputs=True, effort="none", prompt_from=0)
    for missing in ({"model": "another"}, {"structured_outputs": False}, {"prompt_from": 1_000_000}, {"prompt_to": 1}):
        with pytest.raises(InvalidRequest, match="No judged item"):
            count_pairs(**missing)


def test_experiment_on_failed_items_with_a_limit(services: Services) -> None:
    base = run_grid(services.stores)
    plan = ExperimentPlan(batch_id=base, scope=ItemScope.FAILED, change=ExperimentChange(max_tokens=40_000), limit=3)

    experiment = services.experiments.compare(plan)

    assert (experiment.pairs, experiment.scope) == (3, ItemScope.FAILED)
    assert services.experiments.get(experiment.id).pairs.open == 3


def test_what_cannot_be_compared_is_refused(services: Services) -> None:
    base = run_grid(services.stores)
    same = ExperimentChange(structured_outputs=True)
    unknown = ExperimentChange(template_id=TemplateId(uuid4()))

    with pytest.raises(InvalidRequest, match="already"):
        services.experiments.compare(ExperimentPlan(batch_id=base, change=same))
    with pytest.raises(InvalidRequest, match="template"):
        services.experiments.compare(ExperimentPlan(batch_id=base, change=unknown))
    with pytest.raises(InvalidRequest, match="No judged item"):
        services.experiments.compare(
            ExperimentPlan(
                batch_id=base, change=ExperimentChange(max_tokens=9_000), items=FailureFilters(persona_id=uuid4())
            )
        )
    with pytest.raises(NotFound):
        services.experiments.compare(ExperimentPlan(batch_id=BatchId(uuid4()), change=ExperimentChange(max_tokens=9_000)))
    with pytest.raises(NotFound):
        services.experiments.get(uuid4())


@pytest.fixture
def stranger(seeded: Settings) -> Iterator[DiagnosticsService]:
    with sign_up(seeded) as analyst:
        yield DiagnosticsService(store=SupabaseDiagnosticStore(analyst=analyst))


def test_outcomes_are_the_owners_alone(services: Services, stranger: DiagnosticsService) -> None:
    base = run_grid(services.stores)

    assert stranger.diagnose().diagnosis.overall.judged == 0
    assert stranger.diagnose(FailureFilters(batch_id=base)).diagnosis.overall.judged == 0


def test_failures_without_fingerprint_are_marked_later(services: Services, seeded: Settings) -> None:
    run_grid(services.stores)
    url, _ = seeded.require_supabase()
    with open_service(url, seeded.require_secret_key()) as client:
        client.table("failed_generations").update({"fingerprint": None}).eq("truncation_pattern", "lone_backslash").execute()
        service = FingerprintService(store=SupabaseFingerprintStore(client=client))
        while service.mark_missing():
            pass

    report = services.diagnostics.diagnose()

    assert "truncation|end_turn|backslash" in {group.row.fingerprint for group in report.fingerprints}
    assert sum(group.row.failures for group in report.fingerprints) == 8
