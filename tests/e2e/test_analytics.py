"""Why do they fail? The analytics in a browser, on a stack in which one template's turns are cut every other time."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.bootstrap import open_local_services
from core.config import load_settings
from core.domain.batches.results import FailureFilters
from tests.support.browser import choose_option, click_mark, click_table, open_watched_page, read_download, settle
from tests.support.heat_maps import HEAT_CELL
from tests.support.product import CUT_ARC, Results, generate_batch
from tests.support.running_stack import run_stack

READ_TIMES = """() => document.querySelector('.st-key-timeline .js-plotly-plot').data
    .flatMap((series) => [...(series.x ?? [])].map((time) => new Date(time).getTime()))"""
FAULTS = f"cut_string@{CUT_ARC}=0.5"


@pytest.fixture(scope="module")
def results(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    """A batch of the guilty arc and one of another."""
    home: Path = tmp_path_factory.mktemp("analytics") / "home"
    with run_stack(home, faults=FAULTS) as url, closing(open_local_services(load_settings(home=home))) as services:
        cut = generate_batch(services, CUT_ARC, 10, "Cut *turns*")
        whole = generate_batch(services, "confusion_to_clarity", 10, "Whole")
        yield Results(url, services, cut, whole)


@pytest.fixture
def page(context: BrowserContext, results: Results) -> Iterator[Page]:
    with open_watched_page(context, results.url) as page:
        yield page


def focus_table(page: Page, url: str) -> None:
    """Open a page and put the focus on the second row of its first table, by the keyboard's own ways."""
    page.goto(url)
    table = page.get_by_test_id("stDataFrame").first
    expect(table).to_be_visible(timeout=60_000)
    settle(page)
    table.locator("canvas").first.focus()
    expect(table.locator('td[aria-selected="true"]')).to_have_count(1)
    page.keyboard.press("ArrowDown")


def open_analytics(page: Page, results: Results, query: str = "") -> None:
    page.goto(f"{results.url}/Failure_Analytics{query}")
    expect(page.get_by_test_id("stHeading").first).to_be_visible(timeout=60_000)
    settle(page)


def count_failures(page: Page) -> int:
    """The total above the list of failures."""
    place = page.get_by_text(re.compile(r"^\d+–\d+ of \d+ failures?$"))
    expect(place).to_be_visible()
    return int((place.text_content() or "").split(" of ")[1].split()[0])


def test_the_cause_is_named_and_a_bar_leads_to_its_failures(page: Page, results: Results) -> None:
    failed = results.services.failures.list_page().rows
    open_analytics(page, results)

    expect(page.get_by_text(f"{len(failed)} of {len(failed)} failures come from arc")).to_be_visible()
    expect(page.get_by_text("The token limit is not the cause.")).to_be_visible()
    click_mark(page, "by_stop_reason", "end_turn")

    expect(page).to_have_url(re.compile(r"/Failed_Generations\?stop_reason=end_turn$"))
    assert len(failed) == count_failures(page)
    page.go_back()
    expect(page).to_have_url(re.compile(r"/Failure_Analytics$"))
    expect(page.get_by_text("failures come from arc")).to_be_visible()


def test_the_finding_is_on_the_first_screen_with_its_figures_behind_details(page: Page, results: Results) -> None:
    open_analytics(page, results)

    for shown in (page.get_by_text("failures come from arc"), page.get_by_role("button", name="Show these failures")):
        expect(shown).to_be_in_viewport(ratio=1)
    expect(page.get_by_text("Fisher's exact test").first).to_be_hidden()
    page.get_by_role("button", name="Details", exact=True).click()
    expect(page.get_by_role("dialog", name="Details")).to_contain_text("by Fisher's exact test")


def test_no_point_in_time_is_in_the_future(page: Page, results: Results) -> None:
    open_analytics(page, results)

    expect(page.locator(".st-key-timeline .js-plotly-plot")).to_be_visible()
    times = page.evaluate(READ_TIMES)

    assert times
    assert max(times) <= page.evaluate("Date.now()") + 1_000


@pytest.mark.extended
def test_a_batch_leads_to_the_analytics_with_its_filter(page: Page, results: Results) -> None:
    page.goto(f"{results.url}/Batch_Monitor?batch={results.cut_batch}")
    expect(page.get_by_role("button", name="View failures")).to_be_visible(timeout=60_000)
    settle(page)

    page.get_by_role("button", name="Find out why").last.click()

    expect(page).to_have_url(re.compile(rf"/Failure_Analytics\?batch={results.cut_batch}$"))
    expect(page.get_by_text("of 30 judged").first).to_be_visible()


def test_next_begins_at_the_first_turn(page: Page, results: Results) -> None:
    newest = results.services.conversations.list_page().rows[0]
    page.goto(f"{results.url}/Conversations?conversation={newest.id}")
    turns = page.get_by_test_id("stChatMessage")
    turns.last.scroll_into_view_if_needed(timeout=60_000)
    settle(page)
    expect(turns.first).not_to_be_in_viewport()

    page.get_by_role("button", name=re.compile("^Next")).click()  # Its key stands behind its name.

    expect(page.get_by_text(re.compile("^2 of [0-9]+ filtered$"))).to_be_visible()
    expect(turns.first).to_be_in_viewport()


@pytest.mark.extended
def test_filters_and_views_are_in_the_link_and_the_failures_inherit_them(page: Page, results: Results) -> None:
    open_analytics(page, results)
    choose_option(page, "Batch", "Cut *turns*")
    expect(page).to_have_url(re.compile(rf"batch={results.cut_batch}"))
    expect(page.get_by_text("of 30 judged").first).to_be_visible()
    page.get_by_text("Heat maps", exact=True).click()
    expect(page).to_have_url(re.compile(r"view=heatmaps"))
    settle(page)
    copied = page.url

    page.locator(f".st-key-map_arc_by_persona {HEAT_CELL}").first.click()

    expect(page).to_have_url(re.compile(rf"/Failed_Generations\?batch={results.cut_batch}&arc=.*&persona="))
    assert 0 < count_failures(page) < 30
    page.goto(copied)
    expect(page.get_by_text("Persona × arc, failure rate")).to_be_visible()


@pytest.mark.extended
@pytest.mark.parametrize(
    ("path", "opened"),
    [
        ("", r"/Batch_Monitor\?batch="),
        ("/Batch_Monitor", r"/Batch_Monitor\?batch="),
        ("/Batch_Monitor?batch={batch}", r"/(Failed_Generations\?failure|Conversations\?conversation)="),
        ("/Conversations", r"\?conversation="),
        ("/Scaffolding", r"\?open="),
        ("/Failure_Analytics", r"/Failed_Generations\?\w+="),
        ("/Failure_Analytics?view=signatures", r"/Failed_Generations\?fingerprint="),
    ],
)
def test_enter_opens_a_row_of_every_table(page: Page, results: Results, path: str, opened: str) -> None:
    focus_table(page, results.url + path.format(batch=results.cut_batch))
    page.keyboard.press("ArrowUp")

    page.keyboard.press("Enter")

    expect(page).to_have_url(re.compile(opened))


def test_every_action_of_a_failure_answers_to_the_keyboard(page: Page, results: Results) -> None:
    newest, second, *_ = results.services.failures.list_page().rows
    focus_table(page, f"{results.url}/Failed_Generations")

    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"failure={second.id}"))
    expect(page.get_by_role("dialog").get_by_text(str(second.id))).to_be_visible()
    settle(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()

    focus_table(page, f"{results.url}/Failed_Generations")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    with page.expect_download() as downloading:
        page.keyboard.press("Enter")
    assert downloading.value.suggested_filename == f"failed-generation-{newest.id}.json"


@pytest.mark.extended
def test_a_report_leads_to_its_neighbours_under_the_filters_and_names_its_batch(page: Page, results: Results) -> None:
    filters = FailureFilters(batch_id=results.cut_batch)
    newest, second, *others = results.services.failures.list_page(filters).rows
    page.goto(f"{results.url}/Failed_Generations?batch={results.cut_batch}&failure={newest.id}")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(f"1 of {len(others) + 2} filtered")).to_be_visible(timeout=60_000)
    expect(dialog.get_by_role("button", name="Previous")).to_be_disabled()

    dialog.get_by_role("button", name="Next", exact=True).click()

    expect(dialog.get_by_text(f"2 of {len(others) + 2} filtered")).to_be_visible()
    expect(dialog.get_by_text(str(second.id))).to_be_visible()
    expect(page).to_have_url(re.compile(f"failure={second.id}"))
    dialog.get_by_role("tab", name="Origin").click()
    for known in (second.persona, second.arc, second.topic, str(results.cut_batch)):
        expect(dialog.get_by_text(str(known), exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page).not_to_have_url(re.compile("failure="))


@pytest.mark.extended
def test_a_click_anywhere_opens_the_row_that_stands_there_after_sorting(page: Page, results: Results) -> None:
    newest = results.services.conversations.list_page().rows[0]
    page.goto(f"{results.url}/Conversations")
    table = page.get_by_test_id("stDataFrame").first
    expect(table).to_be_visible(timeout=60_000)
    settle(page)
    table.locator(".dvn-scroller").click(position={"x": 60, "y": 15})
    first = table.locator("td").first
    expect(first).not_to_have_text(newest.name)
    name = first.text_content() or ""

    table.locator(".dvn-scroller").click(position={"x": 60, "y": 50})

    expect(page.get_by_role("heading", name=name)).to_be_visible()


@pytest.mark.extended
def test_marks_of_time_and_of_tokens_lead_to_their_failures(page: Page, results: Results) -> None:
    total = len(results.services.failures.list_page().rows)
    open_analytics(page, results)
    click_mark(page, "timeline", r"[1-9]\d* of \d+ failed")
    expect(page).to_have_url(re.compile(r"hour=\d{4}-\d\d-\d\dT\d\d"))
    expect(page.get_by_role("button", name="Hour:")).to_be_visible()
    assert 0 < count_failures(page) <= total
    page.get_by_role("button", name="Hour:").click()
    expect(page).not_to_have_url(re.compile("hour="))

    open_analytics(page, results, "?view=limits")
    click_mark(page, "tokens", "", trace="failed")
    expect(page).to_have_url(re.compile(r"tokens=\d+"))
    assert 0 < count_failures(page) <= total


@pytest.mark.extended
def test_figures_are_saved_as_csv_and_charts_as_svg(page: Page, results: Results) -> None:
    open_analytics(page, results)

    for name, expected in (("Figures", {"judged": "60", "dimension": "all"}), ("Suspects", {"status": "named"})):
        page.get_by_role("button", name="CSV", exact=True).click()
        with page.expect_download() as downloading:
            page.get_by_test_id("stDownloadButton").filter(has_text=name).get_by_role("button").click()
        rows = list(csv.DictReader(io.StringIO(read_download(downloading.value))))
        assert f"failure-analytics-{name.lower()}.csv" == downloading.value.suggested_filename
        assert expected.items() <= rows[0].items()
        page.keyboard.press("Escape")

    page.locator(".st-key-by_pattern").hover()
    with page.expect_download() as downloading:
        page.locator(".st-key-by_pattern .modebar-btn").first.click()
    assert "failures-by-pattern.svg" == downloading.value.suggested_filename
    assert read_download(downloading.value).startswith("<svg")


@pytest.mark.extended
def test_a_comparison_runs_to_its_verdict_and_stops_refreshing(page: Page, results: Results) -> None:
    open_analytics(page, results)
    page.get_by_role("button", name="Compare structured output").click()
    expect(page.get_by_text("Batch to compare with")).to_be_visible()
    page.get_by_role("button", name="Start with 30 items").click()

    expect(page).to_have_url(re.compile(r"experiment=[0-9a-f-]{36}"))
    expect(page.get_by_text("30 of 30 pairs")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("completed").first).to_be_visible()
    expect(
        page.get_by_text(re.compile("No difference is proven|Conversations fail (less|more) often")).first
    ).to_be_visible()
    expect(page.get_by_text("by McNemar's exact test")).to_be_visible()
    page.get_by_role("button", name="All analytics").click()
    expect(page).to_have_url(re.compile(r"/Failure_Analytics$"))
    expect(page.get_by_role("heading", name="Failure Analytics")).to_be_visible()

    open_analytics(page, results, "?view=experiments")
    click_table(page, 0, 57)
    expect(page).to_have_url(re.compile(r"experiment=[0-9a-f-]{36}"))
    expect(page.get_by_text("30 of 30 pairs")).to_be_visible()
