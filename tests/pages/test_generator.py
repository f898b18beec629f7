"""The Bulk Generator: choosing, counting, submitting."""

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.batches.batch import BatchStatus
from core.domain.scaffolding.records import ConversationCategory
from core.services.scaffolding import ScaffoldingService
from tests.fakes.batches import ScaffoldingRows
from tests.support.pages import Pages, press, read_texts, said
from tests.support.stores import list_batches

pytestmark = pytest.mark.usefixtures("warm_server")

PAGE = "pages/Bulk_Generator.py"


def boxes(app: AppTest, kind: str) -> list[object]:
    return [box for box in app.checkbox if str(box.key).startswith(f"choice_{kind}_")]


def count_chosen(app: AppTest) -> tuple[int, int, int]:
    personas, arcs, topics = (sum(box.value for box in boxes(app, kind)) for kind in ("persona", "arc", "topic"))
    return personas, arcs, topics


def choose(app: AppTest, personas: int, arcs: int, topics: int) -> None:
    for kind, number in (("persona", personas), ("arc", arcs), ("topic", topics)):
        for box in boxes(app, kind)[:number]:
            box.check()
    app.run()


def generate_button(app: AppTest) -> object:
    return app.button(key="generate")


def figures(app: AppTest) -> str:
    return " ".join([*(str(m.value) for m in app.metric), read_texts(app)])


def test_ninety_conversations_are_chosen_counted_and_limited(pages: Pages) -> None:
    app = pages.open(PAGE)
    assert not app.exception
    kinds = ("persona", "arc", "topic")
    offered = pages.services.scaffolding.list_choices()
    arcs = offered.arcs_of(ConversationCategory.CORE)
    assert [len(boxes(app, kind)) for kind in kinds] == [len(offered.personas), len(arcs), len(offered.topics)]
    assert generate_button(app).disabled

    choose(app, 1, 1, 0)
    assert generate_button(app).disabled, "something of each is to be chosen"
    choose(app, 0, 0, 1)
    assert (generate_button(app).disabled, generate_button(app).label) == (False, "Generate 1 conversation")

    choose(app, 3, 5, 6)
    assert generate_button(app).label == "Generate 90 conversations"
    assert "3 personas \N{MULTIPLICATION SIGN} 5 arcs \N{MULTIPLICATION SIGN} 6 topics = 90" in read_texts(app)
    assert "30 min" in figures(app)
    assert "$40.50" in figures(app)

    app.number_input(key="option_limit").set_value(10).run()
    assert generate_button(app).label == "Generate 10 conversations"
    assert "= 90; 10 to go" in read_texts(app)
    app.number_input(key="option_limit").set_value(0).run()
    assert any("limit must be 1 or more" in said(error) for error in app.error)
    assert not [button for button in app.button if button.key == "generate"]


def test_an_arc_without_a_template_for_the_analyst_is_shown_but_not_chosen(pages: Pages) -> None:
    offered = pages.services.scaffolding.list_choices()
    bare, *usable = offered.arcs_of(ConversationCategory.CORE)
    rows = ScaffoldingRows(
        personas=offered.personas,
        arcs=offered.arcs,
        topics=offered.topics,
        templates=tuple(row for row in offered.offered_templates if row.emotional_arc_id != bare.id),
    )
    app = pages.begin()
    app.session_state["services"] = replace(pages.services, scaffolding=ScaffoldingService(store=rows))
    app.run().switch_page(PAGE).run()

    app.button(key="arc_select_all").click().run()

    assert not app.exception
    assert count_chosen(app) == (0, len(usable), 0)
    shown = app.checkbox(key=f"unusable_arc_{bare.id}")
    assert (shown.label, shown.disabled, shown.value) == (bare.name, True, False)
    assert "no template" in shown.help
    assert f"{len(usable)} of {len(usable)} chosen" in read_texts(app)


def test_choices_are_kept_where_they_still_hold(pages: Pages) -> None:
    app = pages.open(PAGE)
    topics = len(boxes(app, "topic"))
    app.button(key="topic_select_all").click().run()
    assert count_chosen(app) == (0, 0, topics)
    app.button(key="topic_clear").click().run()
    assert count_chosen(app) == (0, 0, 0)
    choose(app, 2, 5, 3)

    app.switch_page("pages/Batch_Monitor.py").run()
    app.switch_page(PAGE).run()
    assert count_chosen(app) == (2, 5, 3), "after a visit to the monitor"

    app.radio(key="choice_category").set_value(ConversationCategory.EDGE).run()
    arcs = pages.services.scaffolding.list_choices().arcs_of(ConversationCategory.EDGE)
    assert len(boxes(app, "arc")) == len(arcs)
    assert count_chosen(app) == (2, 0, 3), "the arcs are others now"


def test_generate_submits_one_batch_and_goes_to_it(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 1, 1, 2)

    generate_button(app).click().run()

    assert not app.exception
    [progress] = list_batches(pages.stores)
    assert (progress.planned, progress.status) == (2, BatchStatus.QUEUED)
    assert pages.queue.enqueued == [progress.id]
    assert app.query_params["batch"] == str(progress.id)
    assert any(progress.name.split(",")[0] in heading.value for heading in app.subheader)


def test_a_large_batch_is_submitted_only_after_confirmation_and_kept_when_the_queue_is_away(pages: Pages) -> None:
    pages.queue.is_away = True
    app = pages.open(PAGE)
    choose(app, 3, 5, 20)

    generate_button(app).click().run()
    assert not list_batches(pages.stores)
    press(app, "Generate 300")

    [progress] = list_batches(pages.stores)
    assert progress.planned == 300
    assert any("starts automatically when the queue is back" in info.value for info in app.info)


def test_what_the_service_refuses_is_said_in_the_page(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 1, 1, 1)
    offered = pages.services.scaffolding.list_choices().offered_templates
    broken = tuple(row.model_copy(update={"user_prompt": "{{ hole }}"}) for row in offered)
    batches = replace(pages.services.batches, scaffolding=ScaffoldingRows(templates=broken))
    app.session_state["services"] = replace(pages.services, batches=batches)

    generate_button(app).click().run()

    assert not app.exception
    assert any("Unknown placeholder" in said(error) for error in app.error)
    assert not list_batches(pages.stores)


def test_a_number_out_of_range_never_reaches_a_batch(pages: Pages) -> None:
    for field in ("option_max_tokens", "option_concurrency"):
        app = pages.open(PAGE)
        choose(app, 1, 1, 2)

        app.number_input(key=field).set_value(0).run()
        generate_button(app).click().run()

        assert not app.exception
        for progress in list_batches(pages.stores):
            assert (progress.planned, progress.max_tokens, progress.concurrency) == (2, 24_576, 3)


def test_several_conversations_of_each_combination_are_counted_and_submitted(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 1, 1, 2)

    app.number_input(key="option_per_combination").set_value(3).run()
    assert generate_button(app).label == "Generate 6 conversations"
    assert "2 topics \N{MULTIPLICATION SIGN} 3 each = 6" in read_texts(app)
    assert "same prompt" not in read_texts(app)
    app.button(key="preview_prompt").click().run()
    assert "particular this time" not in app.code[-1].value
    app.number_input(key="prompt_variation").set_value(2).run()
    assert "particular this time" in app.code[-1].value

    generate_button(app).click().run()

    [progress] = list_batches(pages.stores)
    assert progress.planned == 6


def test_conversations_that_would_have_the_same_prompt_are_told(pages: Pages) -> None:
    editing = pages.services.scaffolding_editing
    for axis in editing.list_axes():
        assert editing.save(axis.model_copy(update={"is_active": False})).outcome == "saved"
    app = pages.open(PAGE)
    choose(app, 1, 1, 1)
    assert "same prompt" not in read_texts(app)

    app.number_input(key="option_per_combination").set_value(2).run()

    assert "no axis of variation is active" in read_texts(app)
