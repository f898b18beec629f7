"""Failure Analytics over stores in memory: the answer, its views, comparisons; and its figures by themselves."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.domain.batch import BatchId, BatchSettings, Selection
from core.domain.diagnosis import Bucket, Dimension, MatrixCell, TimeRow, TokenRow
from core.domain.experiments import ExperimentChange, ExperimentPlan
from core.domain.findings import StepKind
from core.domain.intervals import measure_rate
from core.domain.outcomes import BatchOutcome
from core.domain.scaffolding import ConversationCategory
from core.errors import DatabaseUnavailable
from core.services.diagnostics import write_figures, write_suspects
from core.ui.analytics_charts import describe_timeline, describe_tokens, draw_timeline, draw_tokens
from core.ui.analytics_links import mark_suspect, mark_time
from core.ui.analytics_view import View, choose_bucket
from core.ui.experiment_question import QUESTION, ExperimentQuestion
from core.ui.failure_filters import describe_rare
from core.ui.heat_map import describe_heatmap, draw_heatmap, make_rate_cells
from core.ui.rate_chart import FEW_COLOR, LabeledRate, describe_rates, draw_rates
from tests.integration.test_diagnostics_contract import fail
from tests.integration.test_store_contract import accept
from tests.unit.ui.conftest import Pages, said

pytestmark = pytest.mark.usefixtures("warm_server")

ANALYTICS = "pages/Failure_Analytics.py"
FAILED, TOPICS = 8, 9


@pytest.fixture(autouse=True)
def no_cache() -> None:
    """All AppTests are one session to Streamlit's caches."""
    st.cache_resource.clear()


def run_batch(pages: Pages, *, failing: int = FAILED) -> BatchId:
    """Two arcs, nine topics: the first items of the first arc are cut, the others accepted."""
    choices = pages.services.scaffolding.list_choices()
    arcs = choices.arcs_of(ConversationCategory.CORE)[:2]
    selection = Selection(
        category=ConversationCategory.CORE,
        persona_ids=(choices.personas[0].id,),
        arc_ids=tuple(arc.id for arc in arcs),
        topic_ids=tuple(topic.id for topic in choices.topics[:TOPICS]),
    )
    settings = BatchSettings(model="claude-sonnet-5-5", max_tokens=24_576, concurrency=30)
    batch_id = pages.services.batches.submit(selection, settings, name="My *batch*").batch_id

    async def record() -> None:
        items = (await pages.database.lease(batch_id, "w", 50, 30)).items
        guilty = [item for item in items if item.emotional_arc_id == arcs[0].id][:failing]
        await pages.database.record([fail(item) if item in guilty else accept(item, prompt_length=8_750) for item in items])

    asyncio.run(record())
    return batch_id


def texts(app: AppTest) -> str:
    messages = (*app.markdown, *app.info, *app.success, *app.error, *app.warning, *app.caption)
    return "\n".join(said(message) for message in messages)


def press(app: AppTest, label: str) -> AppTest:
    next(button for button in app.button if button.label.startswith(label)).click()
    return app.run()


def test_an_empty_database_says_what_to_do(pages: Pages) -> None:
    app = pages.open(ANALYTICS)

    assert not app.exception
    assert "Nothing is judged yet" in texts(app)


def test_a_database_that_is_away_is_said(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    def be_away(*_: object) -> None:
        raise DatabaseUnavailable("The Supabase API does not answer. Run `brightrun doctor`.")

    monkeypatch.setattr(type(pages.services.diagnostics.store), "count", be_away)

    assert "The database does not answer" in texts(pages.open(ANALYTICS))


def test_the_answer_stands_on_the_page_in_a_sentence_with_rates_and_steps(pages: Pages) -> None:
    run_batch(pages)

    app = pages.open(ANALYTICS)

    assert not app.exception
    assert "8 of 8 failures come from" in texts(app)
    assert "The token limit is not the cause." in texts(app)
    assert ("Failure rate", "44 %") == (app.metric[0].label, app.metric[0].value)
    labels = [button.label for button in app.button]
    assert {"Show these failures", "Look at the template", "Compare structured output"} <= set(labels)


def test_nothing_failed_is_said_with_what_the_sample_can_say(pages: Pages) -> None:
    run_batch(pages, failing=0)

    shown = texts(pages.open(ANALYTICS))

    assert "Nothing failed under these filters." in shown
    assert "may still be up to 17.6%" in shown


def test_few_failures_name_nobody(pages: Pages) -> None:
    run_batch(pages, failing=2)

    assert "No single cause stands out." in texts(pages.open(ANALYTICS))


def test_filters_of_the_link_choose_what_is_judged(pages: Pages) -> None:
    run_batch(pages)

    app = pages.open(ANALYTICS, structured="off")

    assert "Nothing was judged under these filters" in texts(app)
    assert "Structured output off" in [button.label for button in app.button]


@pytest.mark.parametrize("view", list(View))
def test_every_view_is_in_the_link(pages: Pages, view: View) -> None:
    run_batch(pages)

    app = pages.open(ANALYTICS, view=view)

    assert not app.exception
    assert view == app.session_state["analytics_view"]


@pytest.mark.parametrize("by", [*Dimension, "failure_type", "stop_reason", "truncation_pattern", "nonsense"])
def test_rates_by_every_dimension_are_drawn(pages: Pages, by: str) -> None:
    run_batch(pages)

    app = pages.open(ANALYTICS, view="dimensions", by=by)

    assert not app.exception
    assert "Failure rate by" in texts(app)


def test_a_comparison_is_asked_about_with_its_cost_and_started(pages: Pages) -> None:
    run_batch(pages)
    app = press(pages.open(ANALYTICS), "Compare structured output")
    assert "9 items with structured output off: about $4.05" in texts(app).replace("**", "")

    press(app, "Start with 9 items")

    (experiment,) = pages.services.experiments.list_recent()
    assert (9, False) == (experiment.pairs, experiment.change.structured_outputs)
    assert [experiment.changed_batch_id] == pages.queue.rung[-1:]
    assert "structured output off: My *batch*" == experiment.name


def test_the_value_of_a_setting_is_chosen(pages: Pages) -> None:
    run_batch(pages)
    app = pages.open(ANALYTICS)
    app.session_state[QUESTION] = ExperimentQuestion(step=StepKind.RAISE_MAX_TOKENS, mark={})
    app.run()

    assert 49_152 == app.number_input(key="experiment_max_tokens").value
    assert "18 items with max_tokens 49,152" in texts(app).replace("**", "")
    app.selectbox(key="experiment_setting").select("Model")
    app.run()
    assert "Say to what the setting is to be changed." in texts(app)
    assert app.button(key="experiment_start").disabled


def test_an_experiment_shows_its_verdict_and_both_arms(pages: Pages) -> None:
    batch_id = run_batch(pages)
    plan = ExperimentPlan(batch_id=batch_id, change=ExperimentChange(structured_outputs=False))
    experiment = pages.services.experiments.compare(plan)

    app = pages.open(ANALYTICS, experiment=str(experiment.id))

    assert not app.exception
    assert "No pair is judged yet (18 are open)." in texts(app)
    assert "All analytics" in [button.label for button in app.button]


def test_a_wrong_experiment_is_said_and_the_analytics_offered(pages: Pages) -> None:
    run_batch(pages)

    app = pages.open(ANALYTICS, experiment=str(uuid4()))

    assert "There is no experiment" in texts(app)
    assert "8 of 8 failures come from" in texts(app)


def test_the_download_is_one_long_table(pages: Pages) -> None:
    run_batch(pages)
    diagnosis = pages.services.diagnostics.diagnose().diagnosis

    rows = list(csv.DictReader(io.StringIO(write_figures(diagnosis).decode())))

    assert {"dimension": "all", "value": "all", "judged": "18", "failed": "8"}.items() <= rows[0].items()
    assert set(Dimension) < {row["dimension"] for row in rows}
    assert ["8"] == [row["failed"] for row in rows if row["dimension"] == "stop_reason | truncation_pattern"]
    waste = next(row for row in rows if row["value"] == "wasted cost")
    assert ("USD", "", pytest.approx(diagnosis.waste.wasted_usd)) == (waste["unit"], waste["judged"], float(waste["amount"]))
    assert all(float(row["low"]) <= float(row["rate"]) <= float(row["high"]) for row in rows if row["rate"])


def test_suspects_are_a_table_with_difference_and_p_values(pages: Pages) -> None:
    run_batch(pages)
    report = pages.services.diagnostics.diagnose()

    rows = list(csv.DictReader(io.StringIO(write_suspects(report.suspects).decode())))

    first, named = rows[0], report.findings[0].suspect
    assert ("named", named.label) == (first["standing"], first["suspect"])
    assert float(first["difference_low"]) < float(first["difference"]) < float(first["difference_high"])
    assert (named.p_value, named.p_corrected) == (float(first["p_value"]), float(first["p_corrected"]))
    assert len(report.suspects.suspects) == len(rows)


def test_the_mark_of_a_suspect_is_its_filter(pages: Pages) -> None:
    run_batch(pages)
    report = pages.services.diagnostics.diagnose()

    mark = mark_suspect(report.findings[0].suspect, report.diagnosis)

    (template_id,) = mark.values()
    assert {"template"} == mark.keys()
    assert (8, 9) == (
        (row := next(row for row in report.diagnosis.rates if row.key == template_id)).rate.failed,
        row.rate.judged,
    )


def test_marks_of_time_are_days_and_hours() -> None:
    start = datetime(2026, 11, 22, 14, tzinfo=UTC)

    assert {"hour": "2026-11-22T14"} == mark_time(start, Bucket.HOUR)
    assert {"dates": "2026-11-22..2026-11-22"} == mark_time(start, Bucket.DAY)


def test_the_time_line_of_one_hour_is_hourly(pages: Pages) -> None:
    run_batch(pages)

    diagnosis = pages.services.diagnostics.diagnose(bucket=Bucket.DAY).diagnosis

    assert choose_bucket(diagnosis) is Bucket.DAY
    assert choose_bucket(pages.services.diagnostics.diagnose(bucket=Bucket.HOUR).diagnosis) in Bucket


def test_rates_have_whiskers_numbers_and_words_and_few_items_are_grey() -> None:
    rows = [
        LabeledRate(label="Shame <b>", rate=measure_rate(31, 111)),
        LabeledRate(label="Rare", rate=measure_rate(1, 2)),
    ]

    figure = draw_rates(rows)

    bars, numbers = figure.data
    assert FEW_COLOR == bars.marker.color[1] != bars.marker.color[0]
    assert "28 % (20-37 %) · 31 of 111" == numbers.text[0].strip()
    assert pytest.approx(100 * (rows[0].rate.high or 0)) == bars.x[0] + bars.error_x.array[0]
    assert "Shame &lt;b&gt;" == figure.layout.yaxis.ticktext[0]
    assert "1 of 2 failed, 50 % (9.5-91 %), too few to say" in describe_rates("By arc", rows)


def test_each_cell_of_a_heat_map_is_a_bar_with_its_colour() -> None:
    cells = [
        MatrixCell(row=f"Arc {n}", column="Marcus", row_key=str(n), column_key="m", rate=measure_rate(n, 4 + n))
        for n in range(3)
    ]

    drawn = make_rate_cells(cells, turned=True)
    bars, texts = draw_heatmap(drawn, highest=0.5).data

    assert [True, False, False] == [cell.is_grey for cell in drawn]
    assert FEW_COLOR == bars.marker.color[0] != bars.marker.color[1] != bars.marker.color[2]
    assert (0, 1, 2) == bars.x == texts.x  # One bar a cell, in their order: a click tells its number.
    assert ("0 %", "20 %", "33 %") == texts.text
    assert ("black", "black", "black") == texts.textfont.color
    assert "white" == draw_heatmap(drawn, highest=0.3).data[1].textfont.color[2]
    assert "Arc 2, Marcus: 2 of 6 failed" in describe_heatmap("Arcs", drawn)


def test_the_time_line_marks_batches_on_the_readers_clock() -> None:
    start = datetime(2026, 11, 22, 14, tzinfo=UTC)
    rows = [TimeRow(start=start + timedelta(hours=n), rate=measure_rate(n, 10)) for n in range(3)]
    batch = BatchOutcome(slot=0, id=uuid4(), name="<i>Mine</i>", created_at=start)

    figure = draw_timeline(rows, Bucket.HOUR, [batch], "Europe/Berlin")

    _, _, rates, batches = figure.data
    assert (0.0, 0.1, 0.2) == rates.y
    assert 15 == batches.x[0].hour
    assert "&lt;i&gt;Mine&lt;/i&gt;" == batches.customdata[0]
    assert "22 Nov 2026, 14:00-14:59" == rates.customdata[0][0]
    assert "2026-11-22 16:00 2 of 10 failed" in describe_timeline(rows)


def test_tokens_are_drawn_against_the_limit() -> None:
    rows = [
        TokenRow(share_from=0.0, share_to=0.05, accepted=80, failed=7),
        TokenRow(share_from=1.0, share_to=1.0, accepted=0, failed=2),
    ]

    accepted, failed = draw_tokens(rows).data

    assert ((80, 0), (7, 2), (0, 20)) == (accepted.y, failed.y, failed.x)
    assert "0-5 %: 80 accepted, 7 failed; all: 0 accepted, 2 failed" in describe_tokens(rows)


def test_rare_filters_are_said_in_words() -> None:
    link = {
        "fingerprint": "truncation|end_turn|backslash",
        "turn": "4",
        "tokens": "20",
        "prompt": "8600..8700",
        "hour": "2026-11-22T14",
        "type": "truncation",
        "structured": "off",
    }

    words = describe_rare(link)

    assert "type" not in words
    assert ("Turn 4", "All of max_tokens used", "Structured output off") == (
        words["turn"],
        words["tokens"],
        words["structured"],
    )
    assert "Hour: 2026-11-22, 14:00" == words["hour"]
    assert words["fingerprint"].startswith("Kind: Text ends at a lone backslash")
    assert "5-10 % of max_tokens used" == describe_rare({"tokens": "1"})["tokens"]
