"""Editing the scaffolding."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from core.config import Settings
from core.domain.batches.batch import BatchId
from core.domain.scaffolding.prompt import render_prompt
from core.domain.scaffolding.records import (
    ArcId,
    Persona,
    PromptTemplate,
    ScaffoldKind,
    TemplateId,
    TopicId,
    TrainingTopic,
    Uses,
)
from core.domain.scaffolding.template_language import MAX_TEMPLATE_CHARACTERS
from tests.factories import make_selection
from tests.support.results import accept
from tests.support.stores import Stores, ask, lease, open_stores, record, submit


@pytest.fixture
def stores(seeded: Settings) -> Iterator[Stores]:
    with open_stores(seeded) as opened:
        kept = {row.id: row for row in (*opened.scaffolding.list_personas(), *opened.scaffolding.list_arcs())}
        before = {template.id for template in opened.scaffolding.list_templates()}
        yield opened
        # The database is shared by the session: put back what later tests read.
        for row in (*opened.scaffolding.list_personas(), *opened.scaffolding.list_arcs()):
            original = kept.get(row.id)
            if original is None:
                opened.editor.save(row.model_copy(update={"is_active": False}))
            elif original != row:
                opened.editor.save(original.model_copy(update={"updated_at": row.updated_at}))
        for topic in opened.scaffolding.list_topics():
            if topic.topic_key.startswith("new_"):
                opened.editor.save(topic.model_copy(update={"is_active": False}))
        for template in opened.scaffolding.list_templates():
            if template.id not in before:
                opened.editor.set_template_active(template.id, active=False)


def accept_some(stores: Stores, batch_id: BatchId, wanted: int) -> None:
    record(stores, *(accept(item) for item in lease(stores, batch_id, wanted)))


def make_topic(**changes: Any) -> TrainingTopic:
    values = {"id": TopicId(uuid4()), "topic_key": f"new_{uuid4().hex}", "name": "Pets", "category": "family"}
    return TrainingTopic.model_validate(values | {"complexity_level": "beginner", "key_concepts": ["vet", "food"]} | changes)


def read_topic(stores: Stores, topic: TrainingTopic) -> TrainingTopic:
    return next(row for row in stores.scaffolding.list_topics() if row.id == topic.id)


def find_persona(stores: Stores) -> Persona:
    return next(row for row in stores.scaffolding.list_personas() if row.id == make_selection().persona_ids[0])


def newest_template(stores: Stores, arc_id: ArcId) -> PromptTemplate:
    templates = [row for row in stores.scaffolding.list_templates() if row.emotional_arc_id == arc_id]
    return max(templates, key=lambda row: row.version)


def test_what_is_named_as_suitable_must_be_there(stores: Stores) -> None:
    arc = stores.scaffolding.list_arcs()[0].model_copy(
        update={"suitable_personas": ("nobody",), "suitable_topics": ("nothing",)}
    )
    topic = make_topic(suitable_emotional_arcs=["no_arc"], suitable_personas=[find_persona(stores).persona_key])

    refused = [stores.editor.save(arc), stores.editor.save(topic)]

    assert ["rejected", "rejected"] == [outcome.outcome for outcome in refused]
    assert "Suitable personas: nobody does not exist; suitable topics: nothing does not exist" in (refused[0].reason or "")
    assert "Suitable emotional arcs: no_arc does not exist" in (refused[1].reason or "")


def test_a_new_topic_is_saved_whole(stores: Stores) -> None:
    topic = make_topic()

    outcome = stores.editor.save(topic)

    assert (outcome.outcome, outcome.id) == ("saved", topic.id)
    saved = read_topic(stores, topic)
    assert saved.updated_at is not None
    assert saved.model_copy(update={"updated_at": None}) == topic


def test_a_taken_key_is_refused(stores: Stores) -> None:
    topic = make_topic()
    stores.editor.save(topic)

    outcome = stores.editor.save(make_topic(topic_key=topic.topic_key))

    assert outcome.outcome == "rejected"
    assert "taken" in (outcome.reason or "")


def test_a_change_is_saved_and_dated(stores: Stores) -> None:
    topic = make_topic()
    stores.editor.save(topic)
    before = read_topic(stores, topic)

    assert stores.editor.save(before.model_copy(update={"name": "Animals", "is_active": False})).outcome == "saved"

    after = read_topic(stores, topic)
    assert (after.name, after.is_active) == ("Animals", False)
    assert after.updated_at != before.updated_at


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(stores: Stores) -> None:
    topic = make_topic()
    stores.editor.save(topic)
    opened = read_topic(stores, topic)
    stores.editor.save(opened.model_copy(update={"name": "Theirs"}))

    outcome = stores.editor.save(opened.model_copy(update={"name": "Mine"}))

    assert outcome.outcome == "conflict"
    assert read_topic(stores, topic).name == "Theirs"


def test_personas_and_arcs_are_saved_too(stores: Stores) -> None:
    persona, arc = find_persona(stores), stores.scaffolding.list_arcs()[0]
    new_persona = persona.model_copy(update={"id": uuid4(), "persona_key": f"new_{uuid4().hex}", "updated_at": None})
    new_arc = arc.model_copy(update={"id": uuid4(), "arc_key": f"new_{uuid4().hex}", "updated_at": None})

    assert [stores.editor.save(row).outcome for row in (new_persona, new_arc)] == ["saved", "saved"]

    saved_persona = next(row for row in stores.scaffolding.list_personas() if row.id == new_persona.id)
    saved_arc = next(row for row in stores.scaffolding.list_arcs() if row.id == new_arc.id)
    assert saved_persona.model_copy(update={"updated_at": None}) == new_persona
    assert saved_arc.model_copy(update={"updated_at": None}) == new_arc
    assert stores.editor.save(saved_persona.model_copy(update={"occupation": "Baker"})).outcome == "saved"
    assert stores.editor.save(saved_arc.model_copy(update={"complexity_baseline": 2})).outcome == "saved"


def test_saving_a_template_makes_a_new_version_and_keeps_the_old(stores: Stores) -> None:
    arc_id = make_selection().arc_ids[0]
    old = newest_template(stores, arc_id)
    draft = old.model_copy(update={"id": uuid4(), "user_prompt": old.user_prompt + "\nBe brief."})

    assert stores.editor.save_template(draft, old.version).outcome == "saved"

    new = newest_template(stores, arc_id)
    assert (new.version, new.user_prompt) == (old.version + 1, draft.user_prompt)
    assert old.user_prompt in [row.user_prompt for row in stores.scaffolding.list_templates() if row.id == old.id]
    again = stores.editor.save_template(draft.model_copy(update={"id": uuid4()}), old.version)
    assert again.outcome == "conflict"


def test_a_new_template_needs_a_key_of_its_own(stores: Stores) -> None:
    old = newest_template(stores, make_selection().arc_ids[0])

    outcome = stores.editor.save_template(old.model_copy(update={"id": uuid4()}), None)

    assert outcome.outcome == "rejected"


def test_a_version_that_is_switched_off_is_not_used(stores: Stores) -> None:
    arc_id = make_selection().arc_ids[0]
    old = newest_template(stores, arc_id)
    stores.editor.save_template(old.model_copy(update={"id": uuid4()}), old.version)
    new = newest_template(stores, arc_id)

    assert stores.editor.set_template_active(new.id, active=False).outcome == "saved"

    plan = stores.work(lambda store: store.get_plan(submit(stores, make_selection())))
    assert new.id not in plan.snapshot.templates


def test_a_batch_under_way_goes_on_with_what_it_was_made_from(stores: Stores) -> None:
    selection = make_selection(1, 1, 2)
    batch_id = submit(stores, selection)
    accept_some(stores, batch_id, 1)
    persona = find_persona(stores)
    template = newest_template(stores, selection.arc_ids[0])

    stores.editor.save(persona.model_copy(update={"name": "Somebody Else"}))
    draft = template.model_copy(update={"id": uuid4(), "system_prompt": "{{ persona_name }}!"})
    stores.editor.save_template(draft, template.version)

    plan = stores.work(lambda store: store.get_plan(batch_id))
    (item,) = stores.work(lambda store: store.lease(batch_id, ask("test:1", 10, 30))).items
    prompt = render_prompt(
        plan.snapshot.templates[item.template_id],
        plan.snapshot.personas[item.persona_id],
        plan.snapshot.arcs[item.emotional_arc_id],
        plan.snapshot.topics[item.training_topic_id],
    )
    assert persona.name in prompt.user
    assert "Somebody Else" not in prompt.text
    assert item.template_id != draft.id


def test_uses_are_counted_by_what_came_of_them(stores: Stores) -> None:
    selection = make_selection(1, 1, 2)
    accept_some(stores, submit(stores, selection), 2)

    assert stores.editor.count_uses(ScaffoldKind.PERSONA) == {selection.persona_ids[0]: Uses(accepted=2, failed=0)}
    assert len(stores.editor.count_uses(ScaffoldKind.TOPIC)) == 2


def test_the_database_holds_to_the_rules_too(stores: Stores) -> None:
    assert stores.editor.save(make_topic(topic_key="Not A Key")).outcome == "rejected"
    assert stores.editor.save(make_topic(name="")).outcome == "rejected"
    arc = stores.scaffolding.list_arcs()[0]
    turned = {"starting_intensity_min": 0.9, "starting_intensity_max": 0.1}
    assert stores.editor.save(arc.model_copy(update=turned)).outcome == "rejected"


def test_a_template_that_is_too_large_is_refused_by_the_database_and_an_old_one_can_be_switched_off(stores: Stores) -> None:
    old = newest_template(stores, make_selection().arc_ids[0])
    small = old.model_copy(update={"id": uuid4(), "template_key": f"new_{uuid4().hex}"})

    for text in ("system_prompt", "user_prompt"):
        large = small.model_copy(update={text: "x" * (MAX_TEMPLATE_CHARACTERS + 1)})
        outcome = stores.editor.save_template(large, None)
        assert outcome.outcome == "rejected"
        assert f"at most {MAX_TEMPLATE_CHARACTERS} characters" in (outcome.reason or "")

    largest = small.model_copy(update={"user_prompt": "x" * MAX_TEMPLATE_CHARACTERS})
    assert stores.editor.save_template(largest, None).outcome == "saved"
    assert stores.editor.set_template_active(TemplateId(largest.id), active=False).outcome == "saved"
