from datetime import UTC, datetime, timedelta, timezone
from math import inf, nan
from uuid import uuid4

import pytest

from core.adapters.memory import MemoryDatabase, MemoryQueue
from core.domain.batch import BatchAction, BatchStatus, RetryChanges
from core.domain.scaffolding import ConversationCategory, TemplateId
from core.errors import InvalidRequest, NotFound, TemplateInvalid
from core.scaffolding_data import load_prompt_templates
from core.services.batches import BatchService
from tests.factories import make_memory, make_selection, make_settings


def make_service(database: MemoryDatabase | None = None, queue: MemoryQueue | None = None) -> BatchService:
    database = database or make_memory()
    return BatchService(batches=database, scaffolding=database, queue=queue or MemoryQueue())


def test_submitted_batch_is_queued_whole_and_rung_for() -> None:
    queue = MemoryQueue()
    service = make_service(queue=queue)

    submitted = service.submit(make_selection(3, 5, 6), make_settings())

    progress = service.get(submitted.batch_id)
    assert (90, 90, BatchStatus.QUEUED) == (progress.planned, progress.queued, progress.status)
    assert [submitted.batch_id] == queue.rung
    assert submitted.rung


def test_batch_is_kept_when_the_queue_is_away() -> None:
    service = make_service(queue=MemoryQueue(is_away=True))

    submitted = service.submit(make_selection(), make_settings())

    assert not submitted.rung
    assert service.get(submitted.batch_id).queued == 2


def test_an_automatic_name_carries_the_submitters_time_or_says_that_it_is_utc() -> None:
    service = make_service()
    here = timezone(timedelta(hours=5, minutes=30))

    before = datetime.now(UTC)
    local, other = (service.submit(make_selection(), make_settings(), zone=zone) for zone in (here, None))
    (edge,) = service.submit_all([make_selection(category=ConversationCategory.EDGE)], make_settings(), zone=here)

    times = {f"{moment:%Y-%m-%d %H:%M}" for moment in (before.astimezone(here), datetime.now(here))}
    assert service.get(local.batch_id).name in {f"Core batch, {time}" for time in times}
    assert service.get(edge.batch_id).name in {f"Edge case batch, {time}" for time in times}
    assert service.get(other.batch_id).name.endswith(" UTC")
    assert service.get(other.batch_id).name.startswith(f"Core batch, {before:%Y-%m-%d}")


def test_empty_selection_writes_nothing() -> None:
    database = make_memory()

    with pytest.raises(InvalidRequest, match="at least one persona"):
        make_service(database).submit(make_selection(topics=0), make_settings())

    assert not database.batches


def test_repeated_ids_are_generated_once() -> None:
    selection = make_selection(1, 1, 2)
    doubled = selection.model_copy(update={"topic_ids": selection.topic_ids * 2})

    assert make_service().submit(doubled, make_settings()).planned == 2


def test_limit_samples_the_grid() -> None:
    service = make_service()
    selection = make_selection(3, 3, 20, category=ConversationCategory.EDGE, limit=10)

    submitted = service.submit(selection, make_settings())

    assert submitted.planned == 10
    assert selection.formula == "3 personas × 3 arcs × 20 topics = 180, 10 of them"


def test_more_than_a_batch_holds_is_refused_before_it_is_counted_out() -> None:
    ids = tuple(uuid4() for _ in range(1_000))
    selection = make_selection().model_copy(update={"persona_ids": ids, "arc_ids": ids, "topic_ids": ids})

    with pytest.raises(InvalidRequest, match="at most 100,000 conversations; this selection has 1,000,000,000"):
        make_service().submit(selection, make_settings())


@pytest.mark.parametrize("budget_usd", [nan, inf, 0, -1])
def test_a_new_budget_is_a_sum_of_money(budget_usd: float) -> None:
    service = make_service()
    batch_id = service.submit(make_selection(), make_settings()).batch_id
    service.control(batch_id, BatchAction.PAUSE)

    with pytest.raises(InvalidRequest, match="Set a budget of more than that"):
        service.control(batch_id, BatchAction.RESUME, budget_usd=budget_usd)


@pytest.mark.parametrize("budget_usd", [nan, inf])
def test_a_budget_of_a_batch_is_a_number(budget_usd: float) -> None:
    with pytest.raises(ValueError, match="finite number"):
        make_settings(budget_usd=budget_usd)


def test_template_with_a_hole_stops_the_submission() -> None:
    database = make_memory()
    database.templates = tuple(
        template.model_copy(update={"user_prompt": "{{ hole }}"}) for template in load_prompt_templates()
    )

    with pytest.raises(TemplateInvalid, match="Unknown placeholder"):
        make_service(database).submit(make_selection(), make_settings())

    assert not database.batches


def test_a_broken_template_is_harmless_once_a_newer_version_is_there() -> None:
    database = make_memory()
    good = load_prompt_templates()
    broken = tuple(template.model_copy(update={"user_prompt": "{{ 1/0 }}"}) for template in good)
    newer = tuple(template.model_copy(update={"id": uuid4(), "version": 2}) for template in good)
    database.templates = broken

    with pytest.raises(TemplateInvalid, match=r"arithmetic.*line 1"):
        make_service(database).submit(make_selection(), make_settings())
    database.templates = broken + newer

    assert make_service(database).submit(make_selection(), make_settings()).planned == 2


@pytest.mark.parametrize("version", [1, 2])
def test_a_template_that_cannot_be_filled_is_left_out_where_another_one_can(version: int) -> None:
    database = make_memory()
    good = load_prompt_templates()
    hostile = {"template_key": "hostile", "user_prompt": "{{ 1/0 }}", "version": version}
    database.templates += tuple(template.model_copy(update=hostile | {"id": uuid4()}) for template in good)
    assert database.list_offered_templates()[0].template_key == "hostile"

    submitted = make_service(database).submit(make_selection(1, 5, 1), make_settings())

    taken = database.batches[submitted.batch_id].plan.snapshot.templates
    assert len(taken) == 5
    assert set(taken) <= {template.id for template in good}


def test_a_retry_with_a_template_that_cannot_be_used_is_refused() -> None:
    database = make_memory()
    template = load_prompt_templates()[0].model_copy(update={"id": TemplateId(uuid4()), "user_prompt": "{{ 1/0 }}"})
    service = make_service(database)
    batch_id = service.submit(make_selection(), make_settings()).batch_id
    database.templates += (template,)

    with pytest.raises(TemplateInvalid, match="arithmetic"):
        service.retry_failed(batch_id, RetryChanges(template_id=template.id))


def test_arc_without_a_template_is_named() -> None:
    database = make_memory()
    database.templates = ()

    with pytest.raises(InvalidRequest, match="No active prompt template for"):
        make_service(database).submit(make_selection(), make_settings())


def test_unknown_batch_is_not_found() -> None:
    service = make_service()
    batch_id = service.submit(make_selection(), make_settings()).batch_id

    with pytest.raises(NotFound, match="There is no batch"):
        make_service().get(batch_id)


def test_pause_resume_and_cancel_follow_the_status() -> None:
    queue = MemoryQueue()
    service = make_service(queue=queue)
    batch_id = service.submit(make_selection(), make_settings()).batch_id

    assert service.control(batch_id, BatchAction.PAUSE) is BatchStatus.PAUSED
    assert service.control(batch_id, BatchAction.RESUME) is BatchStatus.QUEUED
    assert queue.rung == [batch_id, batch_id]
    assert service.control(batch_id, BatchAction.CANCEL) is BatchStatus.CANCELLED
    assert service.get(batch_id).cancelled == 2
    with pytest.raises(InvalidRequest):
        service.control(batch_id, BatchAction.RESUME)


def test_name_is_made_from_the_category_where_none_is_given() -> None:
    service = make_service()
    selection = make_selection(category=ConversationCategory.EDGE)

    named = service.get(service.submit(selection, make_settings(), name=" Autumn ").batch_id)
    unnamed = service.get(service.submit(selection, make_settings(), name=" ").batch_id)

    assert named.name == "Autumn"
    assert unnamed.name.startswith("Edge case batch, ")


def test_budget_is_refused_where_no_price_is_known() -> None:
    service = make_service()

    with pytest.raises(InvalidRequest, match="No price is known for claude-next-9"):
        service.submit(make_selection(), make_settings(model="claude-next-9", budget_usd=1.0))

    budgeted = service.submit(make_selection(), make_settings(budget_usd=1.0)).batch_id
    with pytest.raises(InvalidRequest, match="No price is known"):
        service.retry_failed(budgeted, RetryChanges(model="claude-next-9"))
