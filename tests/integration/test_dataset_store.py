"""Data sets on the real database: what is missing is bought once, what is frozen stays, nobody sees another's."""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace
from uuid import UUID

import psycopg
import pytest

from core.adapters.supabase.datasets import SupabaseDatasetStore
from core.cli.dataset.freeze import freeze
from core.cli.dataset.show import show
from core.config import Settings
from core.domain.datasets.plans import Dataset, ExportTarget, PlanPart
from core.domain.datasets.records import ConversationFilters, ReviewStatus
from core.domain.datasets.training_formats import TrainingFormat
from core.domain.datasets.versions import CountedStatus, ExclusionReason, explain_exclusion
from core.domain.scaffolding.records import ConversationCategory
from core.errors import InvalidRequest, NotFound
from core.services.batches import BatchService
from core.services.datasets import DatasetService
from tests.factories import make_selection, make_settings
from tests.fakes.queue import ScriptedQueue
from tests.support.results import accept, fail
from tests.support.stores import Stores, lease, open_stores, record


def make_service(stores: Stores, *, simulated: bool = True) -> DatasetService:
    batches = BatchService(
        batches=stores.batches, scaffolding=stores.scaffolding, queue=ScriptedQueue(), simulated=simulated
    )
    store = SupabaseDatasetStore(analyst=stores.analyst)
    return DatasetService(store=store, conversations=stores.conversations, batches=batches)


def make_plan(topics: int = 2, per_combination: int = 1) -> list[PlanPart]:
    selection = make_selection(1, 1, topics)
    return [
        PlanPart(
            conversation_category=ConversationCategory.CORE,
            persona_ids=selection.persona_ids,
            arc_ids=selection.arc_ids,
            topic_ids=selection.topic_ids,
            per_combination=per_combination,
        )
    ]


def generate(stores: Stores, batch_id: UUID, accepted: int, failed: int = 0) -> None:
    items = lease(stores, batch_id, accepted + failed)
    record(stores, *[accept(item) for item in items[:accepted]], *[fail(item) for item in items[accepted:]])


def fill(stores: Stores, service: DatasetService, dataset: Dataset) -> Sequence[UUID]:
    """Top up, and have all of it accepted."""
    submitted = service.top_up(dataset, make_settings())
    for each in submitted:
        while items := lease(stores, each.batch_id, each.planned):
            record(stores, *map(accept, items))
    return [each.batch_id for each in submitted]


def test_a_plan_is_topped_up_until_it_is_full(stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Money talks", CountedStatus.ACCEPTED, make_plan(3))
    assert (3, 3, 3) == (dataset.planned, dataset.missing, dataset.to_generate)

    (first,) = service.top_up(dataset, make_settings())
    assert 0 == service.get("Money talks").to_generate  # What runs is not asked for again.
    assert () == service.top_up(dataset, make_settings())
    generate(stores, first.batch_id, 2, failed=1)
    after = service.get("Money talks")
    assert (2, 1, 1, 1) == (after.accepted, after.failed, after.missing, after.to_generate)

    (second,) = service.top_up(dataset, make_settings())
    assert 1 == second.planned
    generate(stores, second.batch_id, 1)
    assert 0 == service.get("Money talks").missing
    assert () == service.top_up(dataset, make_settings())


def test_a_retry_of_its_batch_serves_the_same_plan(stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("With a retry", CountedStatus.ACCEPTED, make_plan(2))
    (first,) = service.top_up(dataset, make_settings())
    generate(stores, first.batch_id, 1, failed=1)

    retried = service.batches.retry_failed(first.batch_id)

    assert 0 == service.get("With a retry").to_generate
    generate(stores, retried.batch_id, 1)
    assert 0 == service.get("With a retry").missing


def test_two_who_top_up_at_once_buy_nothing_twice(seeded: Settings, stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Twice", CountedStatus.ACCEPTED, make_plan(4))

    def top_up(_: int) -> int:
        try:
            return sum(each.planned for each in service.top_up(dataset, make_settings()))
        except InvalidRequest:  # Nothing of it is missing any more.
            return 0

    with ThreadPoolExecutor(4) as pool:
        assert 4 == sum(pool.map(top_up, range(4)))


def test_rejected_ones_are_missing_again_and_unread_ones_wait(stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Reviewed", CountedStatus.APPROVED, make_plan(2))
    fill(stores, service, dataset)
    unread = service.get("Reviewed")
    assert (2, 0, 2, 0) == (unread.accepted, unread.approved, unread.missing, unread.to_generate)

    (first, second) = (each for page in service._list_candidates(dataset) for each in page)
    assert 1 == service.conversations.review([first.id], ReviewStatus.REJECTED).reviewed
    assert 1 == service.conversations.review([second.id], ReviewStatus.APPROVED).reviewed

    reviewed = service.get("Reviewed")
    assert (1, 1, 1) == (reviewed.approved, reviewed.missing, reviewed.to_generate)


def test_variations_are_counted_over_the_whole_data_set(stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Variations", CountedStatus.ACCEPTED, make_plan(1, per_combination=3))
    (first,) = service.top_up(dataset, make_settings())
    assert 3 == first.planned
    generate(stores, first.batch_id, 2, failed=1)
    (second,) = service.top_up(dataset, make_settings())
    generate(stores, second.batch_id, 1)

    found = [each.variation for page in service._list_candidates(dataset) for each in page]

    assert 3 == len(found)
    assert {1, 2, 3, 4} >= set(found)
    assert 4 in found


def test_what_was_simulated_fills_a_plan_only_where_claude_is_simulated(stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Simulated", CountedStatus.ACCEPTED, make_plan(2))
    (first,) = service.top_up(dataset, make_settings())
    items = lease(stores, first.batch_id, 2)
    record(stores, accept(items[0], simulated=True), accept(items[1], simulated=False))

    assert 0 == service.get("Simulated").missing
    assert 1 == make_service(stores, simulated=False).get("Simulated").missing


def test_a_frozen_version_stays_whatever_becomes_of_its_conversations(seeded: Settings, stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Frozen", CountedStatus.ACCEPTED, make_plan(1))
    fill(stores, service, dataset)
    version = service.freeze(dataset, include_simulated=True)
    before = list(service.read_version(version))

    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("update public.conversations set turns = turns - 0 where id = %s", (before[0].id,))
        for attempt in (
            "update public.dataset_versions set conversations = 9 where id = %s",
            "delete from public.dataset_versions where id = %s",
            "update public.dataset_version_rows set position = 9 where version_id = %s",
            "delete from public.dataset_version_rows where version_id = %s",
        ):
            with pytest.raises(psycopg.errors.RaiseException), connection.transaction():
                connection.execute(attempt, (version.id,))  # type: ignore[arg-type]

    assert before == list(service.read_version(version))
    assert version == service.get_version(dataset, 1)


def test_a_version_notes_what_reviewers_did(seeded: Settings, stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Reviewed", CountedStatus.ACCEPTED, make_plan(3))
    fill(stores, service, dataset)
    read, unread, _ = (each for page in service._list_candidates(dataset) for each in page)
    with psycopg.connect(seeded.require_db_url()) as connection:
        approve = "update public.conversations set review_status = 'approved', read_at = %s where id = %s"
        connection.execute(approve, (datetime.now(UTC), read.id))
        connection.execute(approve, (None, unread.id))
        other = "update public.conversations set turns = jsonb_set(turns, '{0,content}', '\"May I ask?\"') where id = %s"
        connection.execute(other, (unread.id,))  # Equal texts count once.
        connection.execute(
            "insert into public.conversation_edits (conversation_id, turn_place, content_before, edited_by)"
            " values (%s, 0, 'Before', %s)",
            (read.id, stores.analyst.user_id),
        )

    version = service.freeze(dataset, include_simulated=True)

    assert {"approved": 2, "approved_after_reading": 1, "edited": 1} == version.summary["reviews"]


def test_what_no_version_takes_is_rejected_and_topped_up(seeded: Settings, stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Replaced", CountedStatus.ACCEPTED, make_plan(3))
    fill(stores, service, dataset)  # All say the same.
    first, *_ = (each for page in service._list_candidates(dataset) for each in page)
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("update public.conversations set turns = turns - 0 where id = %s", (first.id,))
    assert 0 == service.get("Replaced").missing

    done = service.reject_unusable(dataset)

    assert 2 == len(done.before)
    assert (2, 2) == (service.get("Replaced").rejected, service.get("Replaced").missing)
    with psycopg.connect(seeded.require_db_url()) as connection:
        reasons = connection.execute(
            "select review_reason from public.conversations where id = any (%s)", ([each for each, _ in done.before],)
        ).fetchall()
    assert {explain_exclusion(ExclusionReason.FAILED_VERDICT), explain_exclusion(ExclusionReason.DUPLICATE)} == {
        reason for (reason,) in reasons
    }
    assert () == service.reject_unusable(dataset).before


def test_an_approved_conversation_is_not_replaced_for_one_that_waits_and_says_the_same(
    seeded: Settings, stores: Stores
) -> None:
    service = make_service(stores)
    dataset = service.create("Approved copy", CountedStatus.APPROVED, make_plan(2))
    fill(stores, service, dataset)  # Both say the same.
    _, second = (each for page in service._list_candidates(dataset) for each in page)
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("update public.conversations set review_status = 'approved' where id = %s", (second.id,))

    assert () == service.reject_unusable(dataset).before
    assert 1 == service.get("Approved copy").approved


def test_a_conversation_cut_after_it_was_accepted_gets_into_no_version(seeded: Settings, stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Cut later", CountedStatus.ACCEPTED, make_plan(2))
    fill(stores, service, dataset)
    first = next(each for page in service._list_candidates(dataset) for each in page)
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute(
            "update public.conversations set turns = jsonb_set(turns, '{1,content}', to_jsonb(%s::text)) where id = %s",
            ("Thank you for tell", first.id),
        )

    version = service.freeze(dataset, include_simulated=True)

    assert {ExclusionReason.FAILED_VERDICT: 1} == version.exclusions
    assert first.id not in {each.id for each in service.read_version(version)}


def test_commands_say_which_conversations_are_kept_out(
    stores: Stores, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    service = make_service(stores)
    dataset = service.create("Kept out", CountedStatus.ACCEPTED, make_plan(2))
    fill(stores, service, dataset)
    rejected = next(each for page in service._list_candidates(dataset) for each in page)
    service.conversations.review([rejected.id], ReviewStatus.REJECTED)
    for command in ("freeze", "show"):
        monkeypatch.setattr(f"core.cli.dataset.{command}.load_settings", lambda: None)
        services = nullcontext(SimpleNamespace(datasets=service))
        monkeypatch.setattr(f"core.cli.dataset.{command}.open_command_services", lambda _, services=services: services)

    freeze("Kept out", include_simulated=True, as_json=True)
    show("Kept out", as_json=True)

    frozen, shown = map(json.loads, capsys.readouterr().out.splitlines())
    assert [{"id": str(rejected.id), "reason": "rejected"}] == frozen["excluded_conversations"]
    assert frozen["excluded_conversations"] == shown["excluded_conversations"]
    assert ({"rejected": 1}, 1) == (frozen["excluded"], shown["excluded"])


def test_what_is_edited_between_judging_and_freezing_is_not_frozen(seeded: Settings, stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Edited", CountedStatus.ACCEPTED, make_plan(1))
    fill(stores, service, dataset)
    (candidate,) = service.store.list_candidates(dataset.id, 10, None)
    with psycopg.connect(seeded.require_db_url()) as connection:
        connection.execute("update public.conversations set turns = turns - 0 where id = %s", (candidate.id,))

    version_id = service.store.begin_version(dataset.id)

    assert not service.store.stage(version_id, [(0, candidate)])
    with pytest.raises(InvalidRequest, match="no conversation to freeze"):
        service.store.freeze(version_id, "0" * 64, {})


def test_two_who_freeze_at_once_get_two_numbers(stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Numbers", CountedStatus.ACCEPTED, make_plan(2))
    fill(stores, service, dataset)

    with ThreadPoolExecutor(3) as pool:
        versions = list(pool.map(lambda _: service.freeze(dataset, include_simulated=True), range(3)))

    assert {1, 2, 3} == {version.number for version in versions}
    assert 1 == len({version.fingerprint for version in versions})


def test_nothing_to_freeze_says_why(stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Nothing", CountedStatus.APPROVED, make_plan(1))
    with pytest.raises(InvalidRequest, match="top it up first"):
        service.freeze(dataset, include_simulated=True)
    fill(stores, service, dataset)
    with pytest.raises(InvalidRequest, match="1 not reviewed"):
        service.freeze(dataset, include_simulated=True)
    with pytest.raises(NotFound, match="no frozen version"):
        service.get_version(dataset)


def test_plans_that_cannot_be_are_refused_in_words(stores: Stores) -> None:
    service = make_service(stores)
    service.create("Taken", CountedStatus.ACCEPTED, make_plan(1))
    ids = tuple(UUID(int=number) for number in range(200))
    huge = make_plan()[0].model_copy(update={"persona_ids": ids, "arc_ids": ids, "topic_ids": ids})
    other = make_plan()[0].model_copy(update={"conversation_category": ConversationCategory.EDGE})
    unknown = make_plan()[0].model_copy(update={"persona_ids": ids[:1]})

    for name, plan, word in (
        ("Taken", make_plan(1), "You have a data set of this name"),
        ("\u200b", make_plan(1), "Name: 1 to 200 characters"),
        ("Huge", [huge], "at most 100000 combinations"),
        ("Other", [other], "is of the other category"),
        ("Unknown", [unknown], "."),
        ("Empty", [], "1 to 1,000 parts"),
    ):
        with pytest.raises(InvalidRequest, match=word):
            service.create(name, CountedStatus.ACCEPTED, plan)
    assert {"Taken"} == {each.name for each in service.list_all()}


def test_nobody_sees_or_fills_the_data_set_of_another(seeded: Settings, stores: Stores) -> None:
    dataset = make_service(stores).create("Mine", CountedStatus.ACCEPTED, make_plan(1))

    with open_stores(seeded) as others:
        service = make_service(others)
        assert () == service.list_all()
        with pytest.raises(NotFound):
            service.describe(dataset.id)
        with pytest.raises(NotFound):
            service.store.begin_version(dataset.id)
        with pytest.raises(InvalidRequest, match="not there any more"):
            others.batches.submit(
                "A batch",
                make_selection(1, 1, 1),
                make_settings(),
                service.batches.estimate(make_selection(1, 1, 1), make_settings()),
                [0],
                dataset_id=dataset.id,
            )


def test_the_newest_data_sets_are_listed_alone(stores: Stores) -> None:
    service = make_service(stores)
    for name in ("First", "Second", "Third"):
        service.create(name, CountedStatus.ACCEPTED, make_plan(1))

    assert ["Third", "Second"] == [each.name for each in service.list_all(most=2)]
    assert 3 == len(service.list_all())


def test_a_deleted_data_set_takes_its_versions_along_and_leaves_its_conversations(stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Deleted", CountedStatus.ACCEPTED, make_plan(2))
    fill(stores, service, dataset)
    service.freeze(dataset, include_simulated=True)
    of_it = ConversationFilters(dataset_id=dataset.id)
    assert 2 == stores.conversations.count(of_it).total
    assert dataset.id == service.find(dataset.id).id

    service.delete(dataset)

    assert () == service.list_all()
    assert 0 == stores.conversations.count(of_it).total
    assert 2 == stores.conversations.count(ConversationFilters()).total
    with pytest.raises(NotFound):
        service.find(dataset.id)
    with pytest.raises(NotFound):
        service.delete(dataset)


def test_a_description_says_the_same_as_the_list(stores: Stores) -> None:
    service = make_service(stores)
    for counted in CountedStatus:
        dataset = service.create(f"Counted {counted}", counted, make_plan(4, per_combination=2))
        (batch_id,) = fill(stores, service, dataset)
        first, second, third, *_ = stores.conversations.list_page(ConversationFilters(batch_id=batch_id)).rows
        stores.conversations.review([first.id, second.id], ReviewStatus.APPROVED)
        stores.conversations.review([third.id], ReviewStatus.REJECTED)
        service.note_export(service.freeze(dataset, include_simulated=True), ExportTarget.FOLDER, [TrainingFormat.SHAREGPT])

        assert service.describe(dataset.id).dataset == service.find(dataset.id)


def test_the_latest_export_and_the_duplicates_of_the_newest_version_are_said(seeded: Settings, stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Exported", CountedStatus.ACCEPTED, make_plan(2, per_combination=2))
    fill(stores, service, dataset)  # All four say the same.
    first = service.freeze(dataset, include_simulated=True)
    assert (3, None) == (service.find(dataset.id).duplicates, service.find(dataset.id).latest_export)
    second = service.freeze(dataset, include_simulated=True)

    service.note_export(first, ExportTarget.DOWNLOAD, [TrainingFormat.SHAREGPT, TrainingFormat.MESSAGES_JSONL])
    for _ in range(100):
        service.note_export(second, ExportTarget.HUB, [TrainingFormat.MESSAGES_PARQUET], "owner/name")

    latest = service.find(dataset.id).latest_export
    assert latest is not None
    assert (2, ExportTarget.HUB, ("messages-parquet",), "owner/name") == (
        latest.version,
        latest.target,
        latest.formats,
        latest.repository,
    )
    newest, oldest = service.describe(dataset.id).versions
    assert (latest.exported_at, None) == (newest.exported_at, oldest.exported_at)  # Only the latest 100 are kept.
    service.delete(dataset)
    with psycopg.connect(seeded.require_db_url()) as connection:
        kept = connection.execute("select 1 from public.dataset_exports where dataset_id = %s", (dataset.id,)).fetchall()
    assert [] == kept


def test_nobody_notes_an_export_of_someone_elses_version(seeded: Settings, stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Not theirs", CountedStatus.ACCEPTED, make_plan(1))
    fill(stores, service, dataset)
    version = service.freeze(dataset, include_simulated=True)

    with open_stores(seeded) as others, pytest.raises(NotFound):
        make_service(others).note_export(version, ExportTarget.FOLDER, [TrainingFormat.SHAREGPT])


def test_a_sample_is_drawn_by_its_seed_and_stays_while_it_is_reviewed(stores: Stores) -> None:
    service = make_service(stores)
    dataset = service.create("Drawn from", CountedStatus.ACCEPTED, make_plan(4, per_combination=5))
    fill(stores, service, dataset)
    sample = ConversationFilters(dataset_id=dataset.id, sample_size=5, sample_seed=1)

    def draw(filters: ConversationFilters) -> set[UUID]:
        return {row.id for row in stores.conversations.list_page(filters).rows}

    drawn = draw(sample)
    assert 5 == len(drawn) == stores.conversations.count(sample).total
    assert drawn == draw(sample)
    assert 1 < len({frozenset(draw(sample.model_copy(update={"sample_seed": seed}))) for seed in range(5)})
    stores.conversations.review([min(drawn)], ReviewStatus.APPROVED)
    waiting = sample.model_copy(update={"review_status": ReviewStatus.PENDING_REVIEW})
    assert drawn - {min(drawn)} == draw(waiting)
    assert 4 == stores.conversations.find_place(None, waiting).total
