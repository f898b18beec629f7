"""Failure Analytics: the answer, its views, comparisons and downloads."""

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from core.config import Settings
from core.domain.batches.batch import BatchId
from core.domain.diagnosis.diagnosis import Bucket, Dimension
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan
from core.domain.diagnosis.findings import StepKind
from core.errors import DatabaseUnavailable
from core.services.diagnostics import write_figures, write_suspects
from core.ui.analytics.experiment_question import QUESTION, ExperimentQuestion
from core.ui.analytics.links import mark_suspect
from core.ui.analytics.view import View, choose_bucket
from tests.factories import make_selection
from tests.fakes.away import Away
from tests.support.pages import Pages, list_labels, open_pages, press, read_texts
from tests.support.results import accept, fail_short
from tests.support.stores import lease, list_batches, record, submit

pytestmark = pytest.mark.usefixtures("warm_server")

ANALYTICS = "pages/Failure_Analytics.py"


def run_batch(pages: Pages, *, failing: int, arcs: int = 2) -> BatchId:
    """18 items of some arcs: the first items of the first arc are cut, the others accepted."""
    selection = make_selection(1, arcs, 18 // arcs)
    batch_id = submit(pages.stores, selection, name="My *batch*", concurrency=30)
    items = lease(pages.stores, batch_id, wanted=30)
    guilty = [item for item in items if item.emotional_arc_id == selection.arc_ids[0]][:failing]
    accepted = [accept(item, prompt_length=8_750) for item in items if item not in guilty]
    record(pages.stores, *accepted, *(fail_short(item) for item in guilty))
    return batch_id


@pytest.fixture(scope="module")
def guilty(seeded: Settings) -> Iterator[Pages]:
    """The pages of an analyst whose one batch has eight failures, all of one arc. Comparisons alone are added to it."""
    with open_pages(seeded) as pages:
        run_batch(pages, failing=8)
        yield pages


@pytest.fixture(scope="module")
def batch_id(guilty: Pages) -> BatchId:
    return list_batches(guilty.stores)[0].id


def test_an_empty_database_and_one_that_is_away_are_said(pages: Pages) -> None:
    app = pages.open(ANALYTICS)
    assert not app.exception
    assert "Nothing is judged yet" in read_texts(app)

    away = Away(DatabaseUnavailable("The Supabase API does not answer. Run `brightrun doctor`."))
    pages.services = replace(pages.services, diagnostics=replace(pages.services.diagnostics, store=away))
    assert "The database does not answer" in read_texts(pages.open(ANALYTICS))


def test_no_and_few_failures_name_nobody_and_say_what_the_sample_can_say(pages: Pages) -> None:
    run_batch(pages, failing=0)
    shown = read_texts(pages.open(ANALYTICS))
    assert "Nothing failed with these filters." in shown
    assert "may still be up to 18 %" in shown

    run_batch(pages, failing=2)
    assert "No single cause stands out." in read_texts(pages.open(ANALYTICS))


def test_the_answer_stands_on_the_page_in_a_sentence_with_rates_and_steps(guilty: Pages, batch_id: BatchId) -> None:
    app = guilty.open(ANALYTICS, batch=str(batch_id))

    assert not app.exception
    assert "8 of 8 failures come from" in read_texts(app)
    assert "The token limit is not the cause." in read_texts(app)
    assert ("Failure rate", "44 %") == (app.metric[0].label, app.metric[0].value)
    assert {"Show these failures", "Look at the template", "Compare structured output"} <= set(list_labels(app))
    assert "Compare template" not in list_labels(app)  # The arc has one only.
    assert "Write another template version" in list_labels(app)


def test_thin_evidence_leads_to_the_generator_with_more_of_the_same_items_chosen(pages: Pages) -> None:
    run_batch(pages, failing=3, arcs=6)
    app = pages.open(ANALYTICS)
    assert "Nearest to a cause comes arc" in read_texts(app)

    app = press(app, "Generate 10 more of these")

    assert "**Emotional arcs** :gray[· 1 of 5 chosen]" in read_texts(app)
    assert "Generate 10 conversations" in list_labels(app)


def test_filters_of_the_link_choose_what_is_judged(guilty: Pages) -> None:
    app = guilty.open(ANALYTICS, structured="off")

    assert "Nothing was judged with these filters" in read_texts(app)
    assert "Structured output off" in list_labels(app)


def test_every_view_is_in_the_link_and_draws_rates_by_every_dimension(guilty: Pages) -> None:
    for view in View:
        app = guilty.open(ANALYTICS, view=view)
        assert not app.exception
        assert view == app.session_state["analytics_view"]

    app = guilty.open(ANALYTICS, view="dimensions", by="nonsense")
    assert "Failure rate by template" in read_texts(app)
    parts = {"failure_type": "type", "stop_reason": "stop reason", "truncation_pattern": "pattern"}
    for by in (*Dimension, *parts):
        app.query_params["by"] = by
        app.run()
        assert not app.exception
        assert f"Failure rate by {parts.get(by, by.replace('_', ' '))}" in read_texts(app)


def test_a_comparison_is_asked_about_with_its_cost_and_started(guilty: Pages, batch_id: BatchId) -> None:
    app = press(guilty.open(ANALYTICS, batch=str(batch_id)), "Compare structured output")
    assert "9 items with structured output off: about $4.05" in read_texts(app).replace("**", "")

    press(app, "Start with 9 items")

    experiment = guilty.services.experiments.list_recent()[0]
    assert (9, False) == (experiment.pairs, experiment.change.structured_outputs)
    assert [experiment.changed_batch_id] == guilty.queue.enqueued[-1:]
    assert "structured output off: My *batch*" == experiment.name


def test_the_value_of_a_setting_is_chosen(guilty: Pages, batch_id: BatchId) -> None:
    app = guilty.open(ANALYTICS, batch=str(batch_id))
    app.session_state[QUESTION] = ExperimentQuestion(step=StepKind.RAISE_MAX_TOKENS, mark={})
    app.run()

    assert 49_152 == app.number_input(key="experiment_max_tokens").value
    assert "18 items with max_tokens 49,152" in read_texts(app).replace("**", "")
    app.selectbox(key="experiment_setting").select("Model")
    app.run()
    assert "Choose the new value of the setting." in read_texts(app)
    assert app.button(key="experiment_start").disabled


def test_an_experiment_shows_its_verdict_and_a_wrong_one_is_said(guilty: Pages, batch_id: BatchId) -> None:
    plan = ExperimentPlan(batch_id=batch_id, change=ExperimentChange(structured_outputs=False))
    experiment = guilty.services.experiments.compare(plan)

    app = guilty.open(ANALYTICS, experiment=str(experiment.id))
    assert not app.exception
    assert "No pair is judged yet (18 open)." in read_texts(app)
    assert "All analytics" in list_labels(app)

    app = guilty.open(ANALYTICS, experiment=str(uuid4()))
    assert "There is no experiment" in read_texts(app)
    assert "8 of 8 failures come from" in read_texts(app)


def test_the_downloads_are_long_tables_of_figures_and_of_suspects(guilty: Pages) -> None:
    report = guilty.services.diagnostics.diagnose()
    diagnosis = report.diagnosis

    rows = list(csv.DictReader(io.StringIO(write_figures(diagnosis).decode())))
    assert {"dimension": "all", "value": "all", "judged": "18", "failed": "8"}.items() <= rows[0].items()
    assert set(Dimension) < {row["dimension"] for row in rows}
    assert ["8"] == [row["failed"] for row in rows if row["dimension"] == "stop_reason | truncation_pattern"]
    waste = next(row for row in rows if row["value"] == "wasted cost")
    assert ("USD", "", pytest.approx(diagnosis.waste.wasted_usd)) == (waste["unit"], waste["judged"], float(waste["amount"]))
    assert all(float(row["low"]) <= float(row["rate"]) <= float(row["high"]) for row in rows if row["rate"])

    suspects = list(csv.DictReader(io.StringIO(write_suspects(report.suspects).decode())))
    first, named = suspects[0], report.findings[0].suspect
    assert ("named", named.label) == (first["status"], first["suspect"])
    assert float(first["difference_low"]) < float(first["difference"]) < float(first["difference_high"])
    assert (named.p_value, named.p_corrected) == (float(first["p_value"]), float(first["p_corrected"]))
    assert len(report.suspects.suspects) == len(suspects)


def test_the_mark_of_a_suspect_is_its_filter(guilty: Pages) -> None:
    report = guilty.services.diagnostics.diagnose()

    mark = mark_suspect(report.findings[0].suspect, report.diagnosis)

    (template_id,) = mark.values()
    assert {"template"} == mark.keys()
    row = next(row for row in report.diagnosis.rates if row.key == template_id)
    assert (8, 9) == (row.rate.failed, row.rate.judged)


def test_the_time_line_of_one_hour_is_hourly(guilty: Pages) -> None:
    diagnosis = guilty.services.diagnostics.diagnose(bucket=Bucket.DAY).diagnosis

    assert choose_bucket(diagnosis) is Bucket.DAY
    assert choose_bucket(guilty.services.diagnostics.diagnose(bucket=Bucket.HOUR).diagnosis) in Bucket
