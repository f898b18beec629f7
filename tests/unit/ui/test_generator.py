"""The Bulk Generator: choosing, counting, submitting."""

import pytest
from streamlit.testing.v1 import AppTest

from core.domain.batch import BatchStatus
from core.domain.scaffolding import ConversationCategory
from tests.unit.ui.conftest import Pages, said

pytestmark = pytest.mark.usefixtures("warm_server")

PAGE = "pages/Bulk_Generator.py"


def boxes(app: AppTest, kind: str) -> list[object]:
    return [box for box in app.checkbox if str(box.key).startswith(f"choice_{kind}_")]


def chosen(app: AppTest, kind: str) -> int:
    return sum(box.value for box in boxes(app, kind))


def choose(app: AppTest, personas: int, arcs: int, topics: int) -> None:
    for kind, number in (("persona", personas), ("arc", arcs), ("topic", topics)):
        for box in boxes(app, kind)[:number]:
            box.check()
    app.run()


def generate_button(app: AppTest) -> object:
    return app.button(key="generate")


def text(app: AppTest) -> str:
    return " ".join([*(str(m.value) for m in app.metric), *(c.value for c in app.caption), *(m.value for m in app.markdown)])


def descriptions(app: AppTest) -> str:
    return " ".join(metric.proto.delta_description for metric in app.metric)


def test_it_offers_three_personas_five_core_arcs_and_twenty_topics(pages: Pages) -> None:
    app = pages.open(PAGE)

    assert not app.exception
    assert (len(boxes(app, "persona")), len(boxes(app, "arc")), len(boxes(app, "topic"))) == (3, 5, 20)


def test_generate_is_disabled_until_something_of_each_is_chosen(pages: Pages) -> None:
    app = pages.open(PAGE)

    assert generate_button(app).disabled
    choose(app, 1, 1, 0)
    assert generate_button(app).disabled
    choose(app, 0, 0, 1)
    assert not generate_button(app).disabled
    assert generate_button(app).label == "Generate 1 conversation"


def test_ninety_conversations_take_thirty_minutes_and_cost_40_50_by_default(pages: Pages) -> None:
    app = pages.open(PAGE)

    choose(app, 3, 5, 6)

    assert generate_button(app).label == "Generate 90 conversations"
    assert "3 personas \N{MULTIPLICATION SIGN} 5 arcs \N{MULTIPLICATION SIGN} 6 topics = 90" in descriptions(app)
    assert "30 min" in text(app)
    assert "$40.50" in text(app)


def test_select_all_and_clear_act_on_their_own_section(pages: Pages) -> None:
    app = pages.open(PAGE)

    app.button(key="topic_select_all").click().run()
    assert (chosen(app, "persona"), chosen(app, "arc"), chosen(app, "topic")) == (0, 0, 20)
    app.button(key="topic_clear").click().run()
    assert chosen(app, "topic") == 0


def test_changing_the_category_shows_its_arcs_and_clears_the_arc_choice(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 3, 5, 2)

    app.radio(key="choice_category").set_value(ConversationCategory.EDGE).run()
    assert len(boxes(app, "arc")) == 3
    assert (chosen(app, "persona"), chosen(app, "arc"), chosen(app, "topic")) == (3, 0, 2)

    app.radio(key="choice_category").set_value(ConversationCategory.CORE).run()
    assert chosen(app, "arc") == 0


def test_a_limit_bounds_the_count_and_the_formula_says_so(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 3, 3, 20)

    app.number_input(key="option_limit").set_value(10).run()

    assert generate_button(app).label == "Generate 10 conversations"
    assert "= 180, 10 of them" in descriptions(app)


def test_generate_submits_one_batch_and_goes_to_it(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 1, 1, 2)

    generate_button(app).click().run()

    assert not app.exception
    [progress] = pages.services.batches.list_recent()
    assert (progress.planned, progress.status) == (2, BatchStatus.QUEUED)
    assert pages.queue.rung == [progress.id]
    assert app.query_params["batch"] == str(progress.id)
    assert any(progress.name.split(",")[0] in heading.value for heading in app.subheader)


def test_choices_survive_a_visit_to_the_monitor(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 2, 1, 3)

    app.switch_page("pages/Batch_Monitor.py").run()
    app.switch_page(PAGE).run()

    assert (chosen(app, "persona"), chosen(app, "arc"), chosen(app, "topic")) == (2, 1, 3)


def test_a_large_batch_is_submitted_only_after_confirmation(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 3, 5, 20)

    generate_button(app).click().run()
    assert not pages.database.batches
    next(button for button in app.button if button.label == "Generate 300").click().run()

    [progress] = pages.services.batches.list_recent()
    assert progress.planned == 300


def test_a_batch_is_kept_when_the_queue_is_away_and_the_page_says_so(pages: Pages) -> None:
    pages.queue.is_away = True
    app = pages.open(PAGE)
    choose(app, 1, 1, 1)

    generate_button(app).click().run()

    assert len(pages.database.batches) == 1
    assert any("starts when the queue is back" in toast.value for toast in app.toast)


def test_what_the_service_refuses_is_said_in_the_page(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 1, 1, 1)
    pages.database.templates = ()

    generate_button(app).click().run()

    assert not app.exception
    assert any("No active prompt template" in said(error) for error in app.error)
    assert not pages.database.batches


def test_a_limit_of_zero_is_answered_and_nothing_can_be_generated(pages: Pages) -> None:
    app = pages.open(PAGE)
    choose(app, 1, 1, 2)

    app.number_input(key="option_limit").set_value(0).run()

    assert any("limit must be 1 or more" in said(error) for error in app.error)
    assert not [button for button in app.button if button.key == "generate"]


@pytest.mark.parametrize("field", ["option_max_tokens", "option_concurrency"])
def test_a_number_out_of_range_never_reaches_a_batch(pages: Pages, field: str) -> None:
    app = pages.open(PAGE)
    choose(app, 1, 1, 2)

    app.number_input(key=field).set_value(0).run()
    generate_button(app).click().run()

    assert not app.exception
    for progress in pages.services.batches.list_recent():
        assert (progress.planned, progress.max_tokens, progress.concurrency) == (2, 24_576, 3)
