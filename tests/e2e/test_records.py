"""What an analyst does with results in a browser: failed generations and conversations, on a stack with chosen faults."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from core.bench.pages import WATCH_SCRIPT
from core.bootstrap import open_local_services
from core.config import load_settings
from tests.support.browser import choose_option, click_mark, click_table, open_watched_page, read_download, settle
from tests.support.product import CUT_ARC, LIMITED_ARC, WHOLE_ARC, Results, generate_batch
from tests.support.running_stack import run_stack

pytestmark = pytest.mark.extended

FAULTS = f"cut_string@{CUT_ARC}=1,max_tokens@{LIMITED_ARC}=1"


@pytest.fixture(scope="module")
def results(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    home: Path = tmp_path_factory.mktemp("records") / "home"
    with run_stack(home, faults=FAULTS) as url, closing(open_local_services(load_settings(home=home))) as services:
        cut = generate_batch(services, CUT_ARC, 6, "Cut *turns*")
        generate_batch(services, LIMITED_ARC, 3, "Limited")
        whole = generate_batch(services, WHOLE_ARC, 10, "Whole")
        yield Results(url, services, cut, whole)


@pytest.fixture
def page(context: BrowserContext, results: Results) -> Iterator[Page]:
    with open_watched_page(context, results.url) as page:
        yield page


def open_failures(page: Page, results: Results, query: str = "") -> None:
    page.goto(f"{results.url}/Failed_Generations{query}")
    expect(page.get_by_role("heading", name="Failed Generations")).to_be_visible(timeout=60_000)
    settle(page)


def open_conversations(page: Page, results: Results, query: str = "") -> None:
    page.goto(f"{results.url}/Conversations{query}")
    expect(page.get_by_test_id("stMainBlockContainer")).to_be_visible(timeout=60_000)
    settle(page)


def expect_place(page: Page, text: str) -> None:
    expect(page.get_by_text(text, exact=True)).to_be_visible()


def bars(page: Page, chart: str) -> Locator:
    return page.locator(f".st-key-facet_{chart} .point path")


def test_filters_are_in_the_link_and_the_back_button_takes_them_away(page: Page, results: Results) -> None:
    open_failures(page, results)
    expect_place(page, "1–25 of 27 failures")

    choose_option(page, "Stop reason", "max_tokens")
    expect_place(page, "1–9 of 9 failures")
    choose_option(page, "Batch", "Limited")
    expect(page).to_have_url(re.compile(r"stop_reason=max_tokens&batch="))
    expect_place(page, "1–9 of 9 failures")

    copied = page.url
    page.go_back()
    expect(page).to_have_url(re.compile(r"\?stop_reason=max_tokens$"))
    page.go_back()
    expect_place(page, "1–25 of 27 failures")
    page.goto(copied)
    expect_place(page, "1–9 of 9 failures")
    expect(page.get_by_role("combobox", name="Stop reason", exact=True)).to_have_value("max_tokens")


def test_clear_filters_shows_everything_again(page: Page, results: Results) -> None:
    open_failures(page, results, "?type=truncation&stop_reason=max_tokens&text=max")
    expect_place(page, "1–9 of 9 failures")

    page.get_by_role("button", name="Clear filters").click()

    expect_place(page, "1–25 of 27 failures")
    expect(page).to_have_url(re.compile(r"/Failed_Generations$"))
    expect(page.get_by_role("button", name="Clear filters")).to_be_disabled()


def test_a_search_that_finds_nothing_says_what_to_do(page: Page, results: Results) -> None:
    open_failures(page, results)

    page.get_by_role("searchbox", name="Search the text").fill("nowheretobefound")
    page.get_by_role("searchbox", name="Search the text").press("Enter")

    expect(page.get_by_text("No failed generation fits these filters")).to_be_visible()


def test_pages_turn_both_ways(page: Page, results: Results) -> None:
    open_failures(page, results)
    expect(page.get_by_role("button", name="Newer")).to_be_disabled()

    page.get_by_role("button", name="Older").click()
    expect_place(page, "26–27 of 27 failures")
    expect(page.get_by_role("button", name="Older")).to_be_disabled()

    page.get_by_role("button", name="Newer").click()
    expect_place(page, "1–25 of 27 failures")


def test_a_click_on_a_bar_filters_the_table_and_the_other_charts(page: Page, results: Results) -> None:
    open_failures(page, results)
    expect(bars(page, "stop_reason")).to_have_count(2)

    click_mark(page, "facet_stop_reason", "end_turn")
    expect_place(page, "1–18 of 18 failures")
    expect(page).to_have_url(re.compile(r"stop_reason=end_turn"))
    expect(bars(page, "stop_reason")).to_have_count(2)  # The chart itself shows what else could be chosen.

    settle(page)
    click_mark(page, "facet_stop_reason", "end_turn")
    expect_place(page, "1–25 of 27 failures")


def test_view_opens_the_report_and_escape_closes_it(page: Page, results: Results) -> None:
    open_failures(page, results, f"?batch={results.cut_batch}")

    click_table(page, 0, 120)

    dialog = page.get_by_role("dialog")
    for text in ("Token analysis", "of the limit used", "Automatic analysis", "Conclusion", "Error details", "cut here"):
        expect(dialog.get_by_text(text).first).to_be_visible()
    expect(page).to_have_url(re.compile(r"failure=[0-9a-f-]{36}"))
    dialog.get_by_role("tab", name="Origin").click()
    expect(dialog.get_by_text("Cut *turns*")).to_be_visible()
    dialog.get_by_role("tab", name="Attempts").click()
    expect(dialog.get_by_test_id("stDataFrame")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(page).not_to_have_url(re.compile("failure="))
    expect(page).to_have_url(re.compile("batch="))


def test_a_link_to_a_report_opens_it_and_its_download_is_the_report(page: Page, results: Results) -> None:
    failure = results.services.failures.list_page().rows[0]
    open_failures(page, results, f"?failure={failure.id}")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Conclusion")).to_be_visible()

    with page.expect_download() as downloading:
        dialog.get_by_role("button", name="Download RAW report").click()

    assert downloading.value.suggested_filename == f"failed-generation-{failure.id}.json"
    assert str(failure.id) == json.loads(read_download(downloading.value))["error_report"]["failed_generation_id"]


def test_raw_downloads_the_report_from_the_table(page: Page, results: Results) -> None:
    open_failures(page, results)
    newest, second, *_ = results.services.failures.list_page().rows
    page.get_by_test_id("stDataFrame").first.scroll_into_view_if_needed()
    place = page.get_by_test_id("stDataFrame").first.bounding_box()
    for row, failure in ((1, second), (1, second), (0, newest)):
        with page.expect_download() as downloading:
            click_table(page, row, 45)
        assert downloading.value.suggested_filename == f"failed-generation-{failure.id}.json"
        settle(page)
        assert place == page.get_by_test_id("stDataFrame").first.bounding_box()  # The next click finds its button.

    assert downloading.value.suggested_filename == f"failed-generation-{newest.id}.json"
    report = json.loads(read_download(downloading.value))
    assert str(newest.id) == report["error_report"]["failed_generation_id"]
    assert report["error_report"]["analysis"]["conclusion"]
    assert report["request_context"]["prompt"]


def test_a_report_that_is_not_there_is_said_beside_the_list(page: Page, results: Results) -> None:
    open_failures(page, results, f"?failure={uuid4()}")

    expect(page.get_by_text("There is no failed generation")).to_be_visible()
    expect_place(page, "1–25 of 27 failures")


def test_a_conversation_is_read_reviewed_and_left_by_next(page: Page, results: Results) -> None:
    open_conversations(page, results, f"?batch={results.whole_batch}")
    expect_place(page, "1–25 of 30 conversations")

    click_table(page, 0, 45)

    expect(page).to_have_url(re.compile(r"conversation=[0-9a-f-]{36}"))
    expect(page.get_by_text("1 of 30 filtered")).to_be_visible()
    expect(page.get_by_test_id("stChatMessage").first).to_be_visible()
    expect(page.get_by_text("Emotional journey")).to_be_visible()
    expect(page.get_by_role("button", name="Previous")).to_be_disabled()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("2 of 30 filtered")).to_be_visible()
    page.get_by_role("button", name="Previous").click()
    expect(page.get_by_text("1 of 30 filtered")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("2 of 30 filtered")).to_be_visible()
    page.get_by_role("button", name="Reject").click()
    page.get_by_role("button", name="Off topic").click()
    expect(page.get_by_text("3 of 30 filtered")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("2 of 30 filtered")).to_be_visible()
    expect(page.get_by_role("button", name="Reject")).to_be_enabled()

    page.get_by_role("button", name="All conversations").click()
    expect(page).to_have_url(re.compile(rf"\?batch={results.whole_batch}$"))
    choose_option(page, "Review status", "Approved")
    expect_place(page, "1–1 of 1 conversation")
    page.go_back()
    expect_place(page, "1–25 of 30 conversations")


def test_the_download_holds_what_the_filter_shows(page: Page, results: Results) -> None:
    persona = results.services.failures.list_options().personas[0]
    open_conversations(page, results, f"?batch={results.whole_batch}&persona={persona.id}")
    expect_place(page, "1–10 of 10 conversations")

    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download", exact=True).click()
        expect(page.get_by_role("button", name="Download 0 approved conversations")).to_be_disabled()
        page.get_by_role("button", name="Download 10 conversations").click()

    assert re.fullmatch(r"conversations-\d{8}-\d{4}\.jsonl", downloading.value.suggested_filename)
    records = [json.loads(line) for line in read_download(downloading.value).splitlines()]
    assert len(records) == 10
    assert {str(results.whole_batch)} == {record["metadata"]["batch_id"] for record in records}
    assert all(record["metadata"]["simulated"] for record in records)


def test_a_wrong_conversation_id_is_said_and_the_list_offered(page: Page, results: Results) -> None:
    page.add_init_script(WATCH_SCRIPT)
    open_conversations(page, results, f"?conversation={uuid4()}")

    expect(page.get_by_text("There is no conversation")).to_be_visible()
    expect_place(page, "1–25 of 30 conversations")
    settle(page)
    runs = page.evaluate("window.brightrunRuns.length")
    settle(page)
    assert page.evaluate("window.brightrunRuns.length") == runs, "the page must not draw itself again and again"
    expect(page.get_by_text("There is no conversation")).to_be_visible()
