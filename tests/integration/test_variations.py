"""Several conversations of one combination: how many, told what, and by whose axes."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest

from core.adapters.supabase.datasets import SupabaseDatasetStore
from core.config import Settings
from core.domain.batches.batch import BatchId, RetryChanges, Selection, SkipExisting
from core.domain.batches.work import LeasedItem
from core.domain.datasets.plans import make_plan
from core.domain.datasets.records import ConversationFilters
from core.domain.datasets.versions import CountedStatus
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan
from core.domain.scaffolding.records import AxisId, VariationAxis
from core.domain.scaffolding.variations import Combination, draw_values, list_values
from core.embedded.plan import REPOSITORY
from core.errors import InvalidRequest
from core.scaffolding_data import load_variation_axes
from core.services.batches import BatchService
from core.services.datasets import DatasetService
from core.services.scaffolding_editing import ScaffoldingEditingService
from tests.factories import make_selection, make_settings
from tests.fakes.queue import ScriptedQueue
from tests.support.batch_runs import run_against
from tests.support.results import accept, fail
from tests.support.simulator import running_simulator
from tests.support.stores import Stores, lease, open_stores, read, record, submit

LENGTH = next(axis for axis in load_variation_axes() if axis.axis_key == "length")


def make_service(stores: Stores) -> BatchService:
    return BatchService(batches=stores.batches, scaffolding=stores.scaffolding, queue=ScriptedQueue(), simulated=True)


def make_editing(stores: Stores) -> ScaffoldingEditingService:
    return ScaffoldingEditingService(store=stores.scaffolding, editor=stores.editor)


def make_axis(**changes: object) -> VariationAxis:
    new = {"id": AxisId(uuid4()), "axis_key": f"axis_{uuid4().hex}", "name": "Weather", "updated_at": None}
    return LENGTH.model_copy(update=new | {"values": ("rain", "sun")} | changes)


def select(topics: int, per_combination: int, **changes: object) -> Selection:
    return make_selection(1, 1, topics).model_copy(update={"per_combination": per_combination} | changes)


def place(item: LeasedItem) -> tuple[UUID, int]:
    return item.training_topic_id, item.variation


# How many.


def test_each_combination_is_made_so_often_the_first_of_all_before_the_second_of_any(stores: Stores) -> None:
    selection = select(3, 2)
    submitted = make_service(stores).submit(selection, make_settings(concurrency=6))

    items = lease(stores, submitted.batch_id)

    assert submitted.planned == selection.planned == 6
    assert [item.variation for item in items] == [1, 1, 1, 2, 2, 2]
    assert Counter(item.training_topic_id for item in items) == dict.fromkeys(selection.topic_ids, 2)


def test_a_limit_counts_combinations(stores: Stores) -> None:
    submitted = make_service(stores).submit(select(4, 3, limit=2), make_settings())

    assert submitted.planned == 6


def test_covered_combinations_are_left_out_whole_and_count_toward_the_limit(stores: Stores) -> None:
    done = submit(stores, make_selection(1, 1, 1))
    record(stores, *(accept(item) for item in lease(stores, done)))
    service, skipping = make_service(stores), {"skip_existing": SkipExisting.ANY}

    assert service.submit(select(4, 3, **skipping), make_settings()).planned == 9
    limited = select(4, 3, limit=2, **skipping)
    assert service.count_existing(limited, SkipExisting.ANY) == 1
    assert limited.count_planned(1) == 3
    assert service.estimate(limited, make_settings()).conversations == 3
    assert service.submit(limited, make_settings()).planned == 3


def test_more_than_a_batch_holds_is_refused_before_and_in_the_database(stores: Stores) -> None:
    selection = make_selection(3, 5, 20).model_copy(update={"per_combination": 1_000})

    with pytest.raises(InvalidRequest, match="at most 100,000 conversations; this selection has 300,000"):
        make_service(stores).submit(selection, make_settings())
    with pytest.raises(InvalidRequest, match="this selection has 300000"):
        submit(stores, selection)


# Told what.


def test_a_retry_and_a_comparison_keep_the_variation_and_the_axes(stores: Stores) -> None:
    service = make_service(stores)
    batch_id = service.submit(select(1, 3), make_settings(concurrency=3)).batch_id
    record(stores, *(fail(item) for item in lease(stores, batch_id)))
    editing = make_editing(stores)
    length = next(axis for axis in editing.list_axes() if axis.axis_key == "length")
    assert editing.save(length.model_copy(update={"values": ("endless",)})).outcome == "saved"

    again = service.retry_failed(batch_id, RetryChanges()).batch_id
    compared = stores.experiments.create(ExperimentPlan(batch_id=batch_id, change=ExperimentChange(max_tokens=1_000)))

    for each in (again, compared.changed_batch_id):
        assert [item.variation for item in lease(stores, each)] == [1, 2, 3]
        plan = stores.work(lambda store, each=each: store.get_plan(each))
        assert plan is not None
        assert {axis.axis_key: axis.values for axis in plan.snapshot.axes.values()}["length"] == LENGTH.values
    newer = stores.work(lambda store: store.get_plan(service.submit(select(1, 2), make_settings()).batch_id))
    assert newer is not None
    assert {axis.axis_key: axis.values for axis in newer.snapshot.axes.values()}["length"] == ("endless",)


def run_with_simulator(settings: Settings, batch_id: BatchId) -> None:
    with running_simulator("") as base_url:
        asyncio.run(run_against(settings, batch_id, base_url))


def test_conversations_of_a_combination_differ_and_keep_what_they_were_told(seeded: Settings, stores: Stores) -> None:
    selection = select(1, 4)
    dataset_store = SupabaseDatasetStore(analyst=stores.analyst)
    service = DatasetService(store=dataset_store, conversations=stores.conversations, batches=make_service(stores))
    dataset = service.create("Varied", CountedStatus.ACCEPTED, make_plan(make_selection(1, 1, 1), 4))
    (submitted,) = service.top_up(dataset, make_settings())
    run_with_simulator(seeded, submitted.batch_id)
    assert read(stores, submitted.batch_id).accepted == 4

    exported = stores.conversations.list_for_export(ConversationFilters(batch_id=submitted.batch_id), 10, None)
    frozen = list(service.read_version(service.freeze(dataset, include_simulated=True)))

    assert len({each.turns[1].content for each in exported}) == 4
    combination = Combination(
        persona_id=selection.persona_ids[0], arc_id=selection.arc_ids[0], topic_id=selection.topic_ids[0]
    )
    told = {number: list_values(draw_values(load_variation_axes(), combination, number)) for number in range(1, 5)}
    assert {each.variation: each.variation_values for each in exported} == told
    assert {each.variation: each.variation_values for each in frozen} == told
    second = stores.conversations.get(next(each.id for each in exported if each.variation == 2))
    assert second.variation_values == told[2]
    assert second.name.endswith("· variation 2")
    assert told[2]["opening_situation"] in second.metadata.session_context.replace("The client", "the client")
    assert next(each.name for each in exported if each.variation == 1).count("variation") == 0


# By whose axes.


@pytest.fixture
def neighbour(seeded: Settings) -> Iterator[Stores]:
    with open_stores(seeded) as opened:
        yield opened


def test_an_axis_that_ships_is_copied_where_it_is_changed(stores: Stores, neighbour: Stores) -> None:
    editing = make_editing(stores)
    shipped = next(axis for axis in editing.list_axes() if axis.axis_key == "length")

    saved = editing.save(shipped.model_copy(update={"name": "How long", "values": ("short", "long")}))

    (mine,) = (axis for axis in editing.list_axes() if axis.axis_key == "length")
    assert (saved.id, mine.created_by) == (mine.id, stores.analyst.user_id)
    assert mine.id != shipped.id
    assert [axis for axis in stores.scaffolding.list_offered_axes() if axis.axis_key == "length"] == [mine]
    assert [axis for axis in make_editing(neighbour).list_axes() if axis.axis_key == "length"] == [shipped]
    assert [axis for axis in neighbour.scaffolding.list_offered_axes() if axis.axis_key == "length"] == [shipped]


def test_an_axis_that_is_switched_off_is_off_for_its_analyst_alone(stores: Stores, neighbour: Stores) -> None:
    editing = make_editing(stores)
    for axis in editing.list_axes():
        assert editing.save(axis.model_copy(update={"is_active": False})).outcome == "saved"

    assert stores.scaffolding.list_offered_axes() == ()
    assert len(neighbour.scaffolding.list_offered_axes()) == len(load_variation_axes())


def test_what_somebody_changed_meanwhile_is_a_conflict_and_what_is_another_analysts_is_not_there(
    stores: Stores, neighbour: Stores
) -> None:
    assert make_editing(stores).save(make_axis()).outcome == "saved"
    (mine,) = (axis for axis in stores.scaffolding.list_axes() if axis.created_by is not None)
    assert stores.editor.save(mine.model_copy(update={"name": "Sky"})).outcome == "saved"

    assert stores.editor.save(mine.model_copy(update={"name": "Storm"})).outcome == "conflict"
    refused = neighbour.editor.save(mine)
    assert (refused.outcome, refused.reason) == ("rejected", "It is not there any more. Reload the list.")


def test_a_copy_is_made_once_and_a_key_is_taken_once_by_each_analyst(stores: Stores, neighbour: Stores) -> None:
    axis, shipped = make_axis(), next(row for row in stores.scaffolding.list_axes() if row.axis_key == "length")
    for mine in (axis, shipped):
        assert stores.editor.save(mine).outcome == "saved"
        again = mine.model_copy(update={"id": uuid4()}) if mine is axis else mine

        refused = stores.editor.save(again)

        assert (refused.outcome, refused.reason) == ("rejected", "You have an axis with this key. Choose another one.")
    assert neighbour.editor.save(axis.model_copy(update={"id": AxisId(uuid4())})).outcome == "saved"


def test_at_most_ten_axes_are_active(stores: Stores) -> None:
    for _ in range(10 - len(load_variation_axes())):
        assert stores.editor.save(make_axis()).outcome == "saved"

    refused = stores.editor.save(make_axis())

    assert (refused.outcome, refused.reason) == ("rejected", "At most 10 axes are active at once. Deactivate one first.")
    assert stores.editor.save(make_axis(is_active=False)).outcome == "saved"
    mine = next(axis for axis in stores.scaffolding.list_axes() if axis.created_by is not None and axis.is_active)
    assert stores.editor.save(mine.model_copy(update={"name": "Still active"})).outcome == "saved"


def test_templates_that_ship_come_to_ask_for_the_variation(seeded: Settings) -> None:
    """A database of before, in which they did not, is as a new one after the migration."""
    with psycopg.connect(seeded.require_db_url()) as connection:
        ids = "select id, user_prompt from public.prompt_templates t where not exists"
        ids += " (select 1 from public.scaffolding_authors s where s.record_id = t.id) order by id"
        shipped = connection.execute(ids.encode()).fetchall()
        connection.execute(
            "update public.prompt_templates set user_prompt ="
            " regexp_replace(user_prompt, '{%% if variation %%}.*{%% endif %%}\\n', '') where id = any (%s)",
            ([row[0] for row in shipped],),
        )
        assert all("variation" not in row[1] for row in connection.execute(ids.encode()).fetchall())
        text = (REPOSITORY / "migrations/20261128000080_vary_conversations.sql").read_text()
        connection.execute(text[text.index("update public.prompt_templates") :].encode())
        after = connection.execute(ids.encode()).fetchall()
        connection.rollback()

    assert after == shipped
