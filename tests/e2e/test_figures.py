"""Figures that mislead nobody: where points of charts stand, how shares are written, what lies over what."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser import open_watched_page, settle
from tests.support.heat_maps import HEAT_CELL
from tests.support.product import CUT_ARC, Results, run_with_results

pytestmark = pytest.mark.extended

READ_WORDS = """() => document.querySelector('.st-key-failure_trend .js-plotly-plot').data
    .flatMap((series) => [...(series.customdata ?? [])].map(String))"""
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
    with run_with_results(home, faults=f"cut_string@{CUT_ARC}=0.5") as results:
        yield results


@pytest.fixture
def page(context: BrowserContext, results: Results) -> Iterator[Page]:
    with open_watched_page(context, results.url) as page:
        yield page


def test_a_point_of_a_batchs_curve_stands_for_ten_items_or_more(page: Page, results: Results) -> None:
    page.goto(f"{results.url}/Batch_Monitor?batch={results.cut_batch}")

    expect(page.locator(".st-key-failure_trend .js-plotly-plot")).to_be_visible(timeout=60_000)
    settle(page)

    judged = [int(number) for words in page.evaluate(READ_WORDS) for number in re.findall(r"of (\d+)", words)]
    assert judged
    assert min(judged) >= 10


@pytest.mark.parametrize(
    "path", ["", "Batch_Monitor?batch={batch}", "Failure_Analytics", "Failure_Analytics?view=dimensions"]
)
def test_shares_are_whole_percentages_but_the_smallest(page: Page, results: Results, path: str) -> None:
    page.goto(f"{results.url}/{path.format(batch=results.cut_batch)}")
    expect(page.get_by_test_id("stMetric").first).to_be_visible(timeout=60_000)
    settle(page)

    assert re.findall(r"\d{2,}\.\d+ ?%|\d\.\d{2,} ?%", page.get_by_test_id("stMain").inner_text()) == []


@pytest.mark.parametrize("width", [1366, 1024, 911])
def test_titles_and_names_of_heat_maps_do_not_lie_over_each_other(page: Page, results: Results, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 768})
    page.goto(f"{results.url}/Failure_Analytics?view=heatmaps")
    expect(page.locator(HEAT_CELL).first).to_be_visible(timeout=60_000)
    settle(page)

    assert page.locator('[class*="st-key-map_"] svg').evaluate_all(OVERLAPS) == []
