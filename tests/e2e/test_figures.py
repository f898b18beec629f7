"""Figures that mislead nobody: what an estimate rests on, where points of charts stand, how shares are written."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.bootstrap import open_local_services
from core.config import load_settings
from tests.support.browser import metric, open_generator, open_watched_page, select_all, settle, tick_boxes
from tests.support.heat_maps import HEAT_CELL
from tests.support.product import CUT_ARC, WHOLE_ARC, Results, generate_batch
from tests.support.running_stack import run_stack

FREE_FAILURES = """
with batch as (
    insert into public.batches (name, status, conversation_category, model, max_tokens, structured_outputs, concurrency,
        selection, snapshot, estimated_seconds, estimated_cost_usd, created_by, created_at, started_at, completed_at)
    select 'Free failures', 'completed', conversation_category, model, max_tokens, structured_outputs, concurrency,
        selection, snapshot, estimated_seconds, estimated_cost_usd, created_by, now(), now(), now()
    from public.batches where id = %(batch)s returning id
), item as (
    insert into public.batch_items (batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier,
        status, created_by, started_at, finished_at)
    select batch.id, i.position, i.persona_id, i.emotional_arc_id, i.training_topic_id, i.template_id, i.tier, 'failed',
        i.created_by, now(), now()
    from public.batch_items i, batch where i.batch_id = %(batch)s returning *
)
insert into public.generation_attempts (batch_id, batch_item_id, attempt_number, outcome, model, max_tokens,
    structured_outputs, prompt_length, failure_type, http_status, cost_usd, duration_ms, simulated, worker, created_by,
    started_at, created_at)
select item.batch_id, item.id, 1, 'failed', a.model, a.max_tokens, a.structured_outputs, a.prompt_length, 'api_error', 529,
    0, 5, true, a.worker, item.created_by, now(), now()
from item join public.batch_items o on o.batch_id = %(batch)s and o.position = item.position
join public.generation_attempts a on a.batch_item_id = o.id and a.attempt_number = 1
"""
READ_SERIES = """(chart) => document.querySelector(`.st-key-${chart} .js-plotly-plot`).data.map((series) => ({
    name: series.name, mode: series.mode, times: [...(series.x ?? [])].map((time) => new Date(time).getTime()),
    words: [...(series.customdata ?? [])].map(String)}))"""
OVERLAPS = """(maps) => maps.flatMap((map) => {
    const texts = [...map.querySelectorAll('text')].filter((text) => text.textContent.trim()
        && getComputedStyle(text).opacity !== '0' && text.getBoundingClientRect().width);
    return texts.flatMap((one, number) => texts.slice(number + 1).filter((other) => {
        const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
        return Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2
            && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
    }).map((other) => `${one.textContent} / ${other.textContent}`));
})"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("figures") / "home"


@pytest.fixture(scope="module")
def results(browser: Browser, home: Path) -> Iterator[Results]:
    with (
        run_stack(home, faults=f"cut_string@{CUT_ARC}=0.5") as url,
        closing(open_local_services(load_settings(home=home))) as services,
    ):
        cut = generate_batch(services, CUT_ARC, 10, "Cut")
        yield Results(url, services, cut, generate_batch(services, WHOLE_ARC, 10, "Whole"))


@pytest.fixture
def page(context: BrowserContext, results: Results) -> Iterator[Page]:
    with open_watched_page(context, results.url) as page:
        yield page


def read_series(page: Page, chart: str) -> list[dict[str, Any]]:
    expect(page.locator(f".st-key-{chart} .js-plotly-plot").first).to_be_visible(timeout=60_000)
    settle(page)
    return page.evaluate(READ_SERIES, chart)


def read_estimate(page: Page, url: str) -> tuple[str, str]:
    open_generator(page, url)
    select_all(page, "persona", "3 of 3")
    tick_boxes(page, "arc", 1)
    tick_boxes(page, "topic", 10)
    expect(page.get_by_role("button", name="Generate 30 conversations")).to_be_enabled()
    settle(page)
    return metric(page, "Estimated time").inner_text(), metric(page, "Estimated cost").inner_text()


def test_calls_that_brought_nothing_do_not_change_an_estimate(page: Page, results: Results, home: Path) -> None:
    page.goto(results.url)
    expect(page.get_by_role("link", name="System")).to_be_visible(timeout=90_000)  # The first run imports everything.
    before = read_estimate(page, results.url)
    with psycopg.connect(load_settings(home=home).require_db_url()) as connection:
        made = connection.execute(FREE_FAILURES, {"batch": results.whole_batch}).rowcount
    assert made == 30

    page.reload()

    assert read_estimate(page, results.url) == before


def test_no_point_in_time_is_in_the_future(page: Page, results: Results) -> None:
    page.goto(f"{results.url}/Failure_Analytics")

    times = [time for series in read_series(page, "timeline") for time in series["times"]]

    assert times
    assert max(times) <= page.evaluate("Date.now()") + 1_000


@pytest.mark.extended
def test_a_point_of_a_batchs_curve_stands_for_ten_items_or_more(page: Page, results: Results) -> None:
    page.goto(f"{results.url}/Batch_Monitor?batch={results.cut_batch}")

    words = [word for series in read_series(page, "failure_trend") for word in series["words"]]

    judged = [int(found[1]) for word in words for found in [re.search(r"of (\d+)", word)] if found]
    assert judged
    assert min(judged) >= 10


@pytest.mark.extended
@pytest.mark.parametrize(
    "path", ["", "Batch_Monitor?batch={batch}", "Failure_Analytics", "Failure_Analytics?view=dimensions"]
)
def test_shares_are_whole_percentages_but_the_smallest(page: Page, results: Results, path: str) -> None:
    page.goto(f"{results.url}/{path.format(batch=results.cut_batch)}")
    expect(page.get_by_test_id("stMetric").first).to_be_visible(timeout=60_000)
    settle(page)

    assert re.findall(r"\d{2,}\.\d+ ?%|\d\.\d{2,} ?%", page.get_by_test_id("stMain").inner_text()) == []


@pytest.mark.extended
@pytest.mark.parametrize("width", [1366, 1024, 911])
def test_titles_and_names_of_heat_maps_do_not_lie_over_each_other(page: Page, results: Results, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 768})
    page.goto(f"{results.url}/Failure_Analytics?view=heatmaps")
    expect(page.locator(HEAT_CELL).first).to_be_visible(timeout=60_000)
    settle(page)

    assert page.locator('[class*="st-key-map_"] svg').evaluate_all(OVERLAPS) == []
