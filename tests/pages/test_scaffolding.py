"""The Scaffolding page: lists, forms and the template editor. What is saved is put back or never offered: all share it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from core.domain.scaffolding.records import Persona, PromptTemplate
from tests.fakes.batches import ScaffoldingRows
from tests.support.pages import Pages, find_button, press, said

pytestmark = pytest.mark.usefixtures("warm_server")

PAGE = "pages/Scaffolding.py"
REQUIRED = {
    "Personas": {"Key", "Name", "Archetype", "Age range", "Occupation", "Income range", "Financial background",
                 "Financial situation", "Communication style", "Emotional baseline"},
    "Emotional arcs": {"Key", "Name", "Starting emotion", "Ending emotion", "Strategy"},
    "Topics": {"Key", "Name", "Category"},
    "Variations": {"Key", "Name", "Values"},
    "Templates": set(),
}  # fmt: skip


def area(app: object, label: str) -> Any:
    return next(area for area in app.text_area if area.label == label)  # type: ignore[attr-defined]


def line(app: object, label: str) -> Any:
    return next(entry for entry in app.text_input if entry.label == label)  # type: ignore[attr-defined]


def find_persona(pages: Pages, key: str) -> Persona:
    return next(row for row in pages.stores.scaffolding.list_personas() if row.persona_key == key)


@pytest.fixture
def persona(pages: Pages) -> Iterator[Persona]:
    """A persona of the test's own, not offered when it ends."""
    shipped = pages.stores.scaffolding.list_personas()[0]
    key = f"new_{uuid4().hex}"
    mine = shipped.model_copy(update={"id": uuid4(), "persona_key": key, "updated_at": None})
    assert pages.stores.editor.save(mine).outcome == "saved"
    yield find_persona(pages, key)
    assert pages.stores.editor.save(find_persona(pages, key).model_copy(update={"is_active": False})).outcome == "saved"


@pytest.fixture
def template(pages: Pages) -> Iterator[PromptTemplate]:
    """The newest version of a shipped template; what a test adds is switched off when it ends."""
    known = pages.stores.scaffolding.list_templates()
    yield max((row for row in known if row.template_key == "calm_and_clear"), key=lambda row: row.version)
    for row in pages.stores.scaffolding.list_templates():
        if row.id not in {each.id for each in known}:
            assert pages.stores.editor.set_template_active(row.id, active=False).outcome == "saved"


@pytest.mark.parametrize("kind", REQUIRED)
def test_each_kind_is_listed_and_can_be_added_to_with_its_required_fields_marked(pages: Pages, kind: str) -> None:
    app = pages.open(PAGE, kind=kind)
    assert not app.exception
    assert not app.error

    press(app, "Add ")

    assert line(app, "Key").value == ""
    fields = (*app.text_input, *app.text_area)
    assert kind == "Templates" or {field.label for field in fields if field.proto.required} == REQUIRED[kind]


def test_a_form_says_everything_that_is_wrong_at_once(pages: Pages) -> None:
    app = press(pages.open(PAGE, kind="Topics", open="new"), "Save")

    (error,) = app.error
    for words in ("Key:", "Name: write something", "Category: write something"):
        assert words in said(error)


def test_a_change_of_somebody_else_is_not_overwritten(pages: Pages, persona: Persona) -> None:
    app = pages.open(PAGE, kind="Personas", open=persona.persona_key)
    pages.stores.editor.save(persona.model_copy(update={"occupation": "Pilot"}))

    line(app, "Name").set_value("Mine")
    press(app, "Save")

    assert any("Somebody else has changed it" in said(warning) for warning in app.warning)
    assert find_button(app, "Save").disabled
    saved = find_persona(pages, persona.persona_key)
    assert (saved.name, saved.occupation) == (persona.name, "Pilot")


def test_a_template_that_cannot_be_used_cannot_be_saved_and_says_why(pages: Pages, template: PromptTemplate) -> None:
    app = pages.open(PAGE, kind="Templates", open="calm_and_clear")
    assert not find_button(app, "Save as a new version").disabled
    whole = area(app, "User prompt").value

    def edit(text: str) -> str:
        area(app, "User prompt").set_value(text).run()
        assert not app.exception
        assert not app.error
        assert find_button(app, "Save as a new version").disabled
        (warning,) = app.warning
        return said(warning)

    lacking = edit("Hello {{ nobody }}")
    assert "Unknown placeholder {{ nobody }}" in lacking
    assert "Missing placeholder {{ topic_name }}" in lacking
    for endless in ("{{ 1/0 }}", "{% for i in range(10**9) %}{% endfor %}", "{{ 'x' * 10**10 }}"):
        assert "is not allowed" in edit(f"{whole}\n{endless}")


def test_a_template_that_cannot_be_filled_cannot_be_saved(pages: Pages) -> None:
    store = pages.stores.scaffolding
    large = tuple(row.model_copy(update={"occupation": "x" * 200_000}) for row in store.list_personas())
    rows = ScaffoldingRows(
        personas=large, arcs=store.list_arcs(), topics=store.list_topics(), templates=store.list_templates()
    )
    pages.services = replace(
        pages.services,
        scaffolding=replace(pages.services.scaffolding, store=rows),
        scaffolding_editing=replace(pages.services.scaffolding_editing, store=rows),
    )
    app = pages.open(PAGE, kind="Templates", open="calm_and_clear")
    text = area(app, "User prompt")

    text.set_value(text.value + "{{ persona_occupation }}" * 2).run()

    assert find_button(app, "Save as a new version").disabled
    assert "longer than 250,000 characters" in said(app.warning[0])
    assert not app.success


def test_a_saved_template_is_a_new_version_and_one_that_is_based_on_an_older_is_refused(
    pages: Pages, template: PromptTemplate
) -> None:
    app, late = (pages.open(PAGE, kind="Templates", open="calm_and_clear") for _ in range(2))
    text = area(app, "User prompt")
    text.set_value(f"{text.value} Be brief.").run()

    press(app, "Save as a new version")

    versions = {
        row.version: row.user_prompt
        for row in pages.stores.scaffolding.list_templates()
        if row.template_key == "calm_and_clear"
    }
    assert max(versions) == template.version + 1
    assert "Be brief." in versions[template.version + 1]
    assert versions[template.version] == template.user_prompt

    press(late, "Save as a new version")
    assert any("Not saved" in said(warning) for warning in late.warning)
    assert find_button(late, "Save as a new version").disabled


def test_an_axis_is_changed_as_a_copy_and_wrong_values_are_told(pages: Pages) -> None:
    app = pages.open(PAGE, kind="Variations", open="length")
    area(app, "Values").set_value("short\nlong\nshort")
    press(app, "Save")
    assert any("write each only once" in said(error) for error in app.error)

    area(app, "Values").set_value("short\n\n  long \n")
    press(app, "Save")

    assert not app.exception
    mine = next(axis for axis in pages.stores.scaffolding.list_offered_axes() if axis.axis_key == "length")
    assert (mine.values, mine.created_by) == (("short", "long"), pages.stores.analyst.user_id)


def test_axes_that_are_searched_for_in_vain_are_missed_in_words(pages: Pages) -> None:
    app = pages.open(PAGE, kind="Variations", search="nosuchword")

    assert any("Nothing contains all these words" in said(info) for info in app.info)
