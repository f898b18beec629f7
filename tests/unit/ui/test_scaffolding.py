"""The Scaffolding page: lists, forms and the template editor over stores in memory."""

from uuid import uuid4

import pytest

from tests.unit.ui.conftest import Pages, said

pytestmark = pytest.mark.usefixtures("warm_server")

PAGE = "pages/Scaffolding.py"


def area(app: object, label: str) -> object:
    return next(area for area in app.text_area if area.label == label)


def line(app: object, label: str) -> object:
    return next(entry for entry in app.text_input if entry.label == label)


def button(app: object, label: str) -> object:
    return next(button for button in app.button if button.label == label)


@pytest.mark.parametrize("kind", ["Personas", "Emotional arcs", "Topics", "Templates"])
def test_each_kind_is_listed_and_can_be_added_to(pages: Pages, kind: str) -> None:
    app = pages.open(PAGE, kind=kind)
    assert not app.exception
    assert not app.error

    next(entry for entry in app.button if entry.label.startswith("Add ")).click().run()

    assert not app.exception
    assert line(app, "Key").value == ""


def test_a_form_says_everything_that_is_wrong_at_once(pages: Pages) -> None:
    app = pages.open(PAGE, kind="Topics", open="new")

    button(app, "Save").click().run()

    (error,) = app.error
    for words in ("Key:", "Name: write something", "Category: write something"):
        assert words in said(error)


@pytest.mark.parametrize(
    ("kind", "required"),
    [
        ("Personas", {"Key", "Name", "Archetype", "Age range", "Occupation", "Income range", "Financial background",
                      "Financial situation", "Communication style", "Emotional baseline"}),
        ("Emotional arcs", {"Key", "Name", "Starting emotion", "Ending emotion", "Strategy"}),
        ("Topics", {"Key", "Name", "Category"}),
    ],
)  # fmt: skip
def test_the_browser_marks_what_must_not_be_empty(pages: Pages, kind: str, required: set[str]) -> None:
    app = pages.open(PAGE, kind=kind, open="new")

    assert {field.label for field in (*app.text_input, *app.text_area) if field.proto.required} == required


def test_a_change_of_somebody_else_is_not_overwritten(pages: Pages) -> None:
    app = pages.open(PAGE, kind="Personas", open="anxious_planner")
    theirs = next(row for row in pages.database.personas if row.persona_key == "anxious_planner")
    pages.services.scaffolding_editing.save(theirs.model_copy(update={"occupation": "Pilot"}))

    line(app, "Name").set_value("Mine")
    button(app, "Save").click().run()

    assert any("Somebody else has changed it" in said(warning) for warning in app.warning)
    assert button(app, "Save").disabled
    saved = next(row for row in pages.database.personas if row.persona_key == "anxious_planner")
    assert (saved.name, saved.occupation) == (theirs.name, "Pilot")


def test_a_template_that_lacks_a_placeholder_cannot_be_saved(pages: Pages) -> None:
    app = pages.open(PAGE, kind="Templates", open="calm_and_clear")
    assert not button(app, "Save as a new version").disabled

    area(app, "User prompt").set_value("Hello {{ nobody }}").run()

    assert button(app, "Save as a new version").disabled
    (warning,) = app.warning
    assert "Unknown placeholder {{ nobody }}" in said(warning)
    assert "Missing placeholder {{ topic_name }}" in said(warning)


@pytest.mark.parametrize("slow", ["{{ 1/0 }}", "{% for i in range(10**9) %}{% endfor %}", "{{ 'x' * 10**10 }}"])
def test_a_template_that_raises_or_never_ends_cannot_be_saved_and_says_why(pages: Pages, slow: str) -> None:
    app = pages.open(PAGE, kind="Templates", open="calm_and_clear")
    text = area(app, "User prompt")

    text.set_value(f"{text.value}\n{slow}").run()

    assert not app.exception
    assert button(app, "Save as a new version").disabled
    (warning,) = app.warning
    assert "is not allowed" in said(warning)
    assert not app.error


def test_a_template_that_cannot_be_filled_cannot_be_saved(pages: Pages) -> None:
    pages.database.personas = tuple(row.model_copy(update={"occupation": "x" * 200_000}) for row in pages.database.personas)
    app = pages.open(PAGE, kind="Templates", open="calm_and_clear")
    text = area(app, "User prompt")

    text.set_value(text.value + "{{ persona_occupation }}" * 2).run()

    assert button(app, "Save as a new version").disabled
    assert "longer than 250,000 characters" in said(app.warning[0])
    assert not app.success


def test_a_refused_template_is_not_offered_to_be_saved_again(pages: Pages) -> None:
    app = pages.open(PAGE, kind="Templates", open="calm_and_clear")
    opened = next(row for row in pages.database.templates if row.template_key == "calm_and_clear")
    pages.services.scaffolding_editing.save_template(opened.model_copy(update={"id": uuid4()}), opened.version)

    button(app, "Save as a new version").click().run()

    assert any("Not saved" in said(warning) for warning in app.warning)
    assert button(app, "Save as a new version").disabled


def test_a_saved_template_is_a_new_version_and_the_old_one_stays(pages: Pages) -> None:
    app = pages.open(PAGE, kind="Templates", open="calm_and_clear")
    text = area(app, "User prompt")
    text.set_value(f"{text.value} Be brief.").run()

    button(app, "Save as a new version").click().run()

    assert not app.exception
    versions = [row for row in pages.database.templates if row.template_key == "calm_and_clear"]
    assert [row.version for row in versions] == [1, 2]
    assert "Be brief." not in versions[0].user_prompt
