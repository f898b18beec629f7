"""What is decided about a batch before the database is asked: templates, sample, name, price; and which are enqueued."""

from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from typing import Any
from uuid import uuid4

import pytest

from core.domain.batches.batch import BatchAction, BatchId, BatchStatus, RetryChanges
from core.domain.batches.estimate import GenerationHistory
from core.domain.scaffolding.records import ConversationCategory, TemplateId
from core.errors import InvalidRequest, NotFound, TemplateInvalid
from core.scaffolding_data import load_prompt_templates
from core.services.batches import BatchService, find_history
from tests.factories import make_progress, make_scaffolding, make_selection, make_settings
from tests.fakes.batches import ScaffoldingRows, ScriptedBatchStore
from tests.fakes.queue import ScriptedQueue

BATCH = BatchId(uuid4())


class Bench:
    """The service with what it works with."""

    def __init__(self, **store: Any) -> None:
        self.store = ScriptedBatchStore(**store)
        self.scaffolding: ScaffoldingRows = make_scaffolding()
        self.queue = ScriptedQueue()
        self.service = BatchService(batches=self.store, scaffolding=self.scaffolding, queue=self.queue)


def test_submitted_batch_is_sampled_whole_estimated_and_rung_for() -> None:
    bench = Bench()

    submitted = bench.service.submit(make_selection(3, 5, 6), make_settings())

    (submission,) = bench.store.submissions
    assert sorted(submission.picks or ()) == list(range(90))
    assert (1800.0, 40.5) == (submission.estimate.seconds, submission.estimate.cost_usd)
    assert [submitted.batch_id] == bench.queue.enqueued
    assert submitted.is_enqueued


def test_batch_is_kept_when_the_queue_is_away() -> None:
    bench = Bench()
    bench.queue.is_away = True

    assert not bench.service.submit(make_selection(), make_settings()).is_enqueued
    assert len(bench.store.submissions) == 1


def test_an_automatic_name_carries_the_submitters_time_or_says_that_it_is_utc() -> None:
    bench = Bench()
    here = timezone(timedelta(hours=5, minutes=30))

    before = datetime.now(UTC)
    for zone in (here, None):
        bench.service.submit(make_selection(), make_settings(), zone=zone)
    bench.service.submit_all([make_selection(category=ConversationCategory.EDGE)], make_settings(), zone=here)
    bench.service.submit(make_selection(), make_settings(), name=" Autumn ")

    times = {f"{moment:%Y-%m-%d %H:%M}" for moment in (before.astimezone(here), datetime.now(here))}
    local, other, edge, named = (submission.name for submission in bench.store.submissions)
    assert local in {f"Core batch, {time}" for time in times}
    assert edge in {f"Edge case batch, {time}" for time in times}
    assert other.endswith(" UTC")
    assert other.startswith(f"Core batch, {before:%Y-%m-%d}")
    assert named == "Autumn"


def test_empty_selection_writes_nothing() -> None:
    bench = Bench()

    with pytest.raises(InvalidRequest, match="at least one persona"):
        bench.service.submit(make_selection(topics=0), make_settings())

    assert not bench.store.submissions


def test_repeated_ids_are_generated_once() -> None:
    bench, selection = Bench(), make_selection(1, 1, 2)

    bench.service.submit(selection.model_copy(update={"topic_ids": selection.topic_ids * 2}), make_settings())

    assert bench.store.submissions[0].selection == selection


def test_limit_samples_the_grid() -> None:
    bench = Bench()
    selection = make_selection(3, 3, 20, category=ConversationCategory.EDGE, limit=10)

    assert bench.service.submit(selection, make_settings()).planned == 10
    assert selection.formula == "3 personas × 3 arcs × 20 topics = 180; 10 to go"


def test_more_than_a_batch_holds_is_refused_before_it_is_counted_out() -> None:
    ids = tuple(uuid4() for _ in range(1_000))
    selection = make_selection().model_copy(update={"persona_ids": ids, "arc_ids": ids, "topic_ids": ids})

    with pytest.raises(InvalidRequest, match="at most 100,000 conversations; this selection has 1,000,000,000"):
        Bench().service.submit(selection, make_settings())


@pytest.mark.parametrize("budget_usd", [nan, inf, 0, -1, 10])
def test_a_new_budget_is_a_sum_of_money_above_what_was_spent(budget_usd: float) -> None:
    bench = Bench(progress=make_progress(BatchStatus.PAUSED, cost_usd=10.0))

    with pytest.raises(InvalidRequest, match="Set a budget of more than that"):
        bench.service.control(BATCH, BatchAction.RESUME, budget_usd=budget_usd)
    with pytest.raises(InvalidRequest, match="when a batch is resumed"):
        bench.service.control(BATCH, BatchAction.CANCEL, budget_usd=50)
    assert not bench.store.controls


@pytest.mark.parametrize("budget_usd", [nan, inf])
def test_a_budget_of_a_batch_is_a_number(budget_usd: float) -> None:
    with pytest.raises(ValueError, match="finite number"):
        make_settings(budget_usd=budget_usd)


def test_template_with_a_hole_stops_the_submission() -> None:
    bench = Bench()
    bench.scaffolding.templates = tuple(
        template.model_copy(update={"user_prompt": "{{ hole }}"}) for template in load_prompt_templates()
    )

    with pytest.raises(TemplateInvalid, match="Unknown placeholder"):
        bench.service.submit(make_selection(), make_settings())

    assert not bench.store.submissions


def test_a_broken_template_is_harmless_once_a_newer_version_is_there() -> None:
    bench, good = Bench(), load_prompt_templates()
    broken = tuple(template.model_copy(update={"user_prompt": "{{ 1/0 }}"}) for template in good)
    newer = tuple(template.model_copy(update={"id": uuid4(), "version": 2}) for template in good)
    bench.scaffolding.templates = broken

    with pytest.raises(TemplateInvalid, match=r"arithmetic.*line 1"):
        bench.service.submit(make_selection(), make_settings())
    bench.scaffolding.templates = newer + broken

    assert bench.service.submit(make_selection(), make_settings()).planned == 2


@pytest.mark.parametrize("version", [1, 2])
def test_a_template_that_cannot_be_filled_is_left_out_where_another_one_can(version: int) -> None:
    bench, good = Bench(), load_prompt_templates()
    hostile = {"template_key": "hostile", "user_prompt": "{{ 1/0 }}", "version": version}
    spoilt = tuple(template.model_copy(update=hostile | {"id": uuid4()}) for template in good)
    bench.scaffolding.templates = spoilt + good
    selection = make_selection(1, 5, 1)

    bench.service.submit(selection, make_settings())

    (submission,) = bench.store.submissions
    assert set(submission.without_templates) == {row.id for row in spoilt if row.emotional_arc_id in selection.arc_ids}


def test_a_retry_with_a_template_that_cannot_be_used_is_refused() -> None:
    bench = Bench()
    template = load_prompt_templates()[0].model_copy(update={"id": TemplateId(uuid4()), "user_prompt": "{{ 1/0 }}"})
    bench.scaffolding.templates += (template,)

    with pytest.raises(TemplateInvalid, match="arithmetic"):
        bench.service.retry_failed(BATCH, RetryChanges(template_id=template.id))
    assert not bench.store.retries


def test_unknown_batch_is_not_found() -> None:
    with pytest.raises(NotFound, match="There is no batch"):
        Bench().service.get(BATCH)


@pytest.mark.parametrize(
    ("action", "status", "is_enqueued"),
    [
        (BatchAction.RESUME, BatchStatus.PROCESSING, True),
        (BatchAction.RESUME, BatchStatus.QUEUED, True),
        (BatchAction.PAUSE, BatchStatus.PAUSED, False),
        (BatchAction.CANCEL, BatchStatus.CANCELLED, False),
    ],
)
def test_a_batch_that_goes_on_is_enqueued(action: BatchAction, status: BatchStatus, *, is_enqueued: bool) -> None:
    bench = Bench(status=status)

    assert bench.service.control(BATCH, action) is status
    assert bench.queue.enqueued == [BATCH] * is_enqueued


def test_budget_is_refused_where_no_price_is_known() -> None:
    bench = Bench(progress=make_progress(BatchStatus.COMPLETED, budget_usd=1.0))

    with pytest.raises(InvalidRequest, match="No price is known for claude-next-9"):
        bench.service.submit(make_selection(), make_settings(model="claude-next-9", budget_usd=1.0))
    with pytest.raises(InvalidRequest, match="No price is known"):
        bench.service.retry_failed(BATCH, RetryChanges(model="claude-next-9"))


def test_a_presets_batch_with_nothing_left_is_left_out_and_none_at_all_is_said() -> None:
    bench = Bench(existing=2)
    full = make_selection(1, 1, 2).model_copy(update={"skip_existing": "any"})

    assert len(bench.service.submit_all([full, make_selection(1, 1, 3)], make_settings())) == 1
    with pytest.raises(InvalidRequest, match="nothing is left to generate"):
        bench.service.submit_all([full], make_settings())


def test_what_was_simulated_says_nothing_of_what_is_paid_for() -> None:
    rows = tuple(
        GenerationHistory(model="m", simulated=simulated, items=100, cost_usd=cost, duration_seconds=1.0)
        for simulated, cost in ((True, 100.0), (False, 50.0))
    )

    assert find_history(rows, "m", simulated=False) == rows[1]
    assert find_history(rows[:1], "m", simulated=False) is None
    assert Bench(history=rows).service.estimate(make_selection(), make_settings(model="m")).cost_usd == pytest.approx(1.0)
