"""What several browser tests do on a page: press, choose, wait and read as an analyst would."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Download, Locator, Page, expect

BATCH_URL = re.compile(r"/Batch_Monitor\?batch=[0-9a-f-]{36}$")
FIND_MARK = """([key, text, trace]) => {
  const marks = document.querySelectorAll(`.st-key-${key} .js-plotly-plot .trace .point path, ` +
                                          `.st-key-${key} .js-plotly-plot .trace .points path`);
  const fits = (mark) => {
    const series = mark.closest('.trace').__data__[0].trace;
    const datum = mark.__data__ ?? mark.parentNode.__data__;
    return (!trace || series.name === trace) && new RegExp(text).test(String(series.customdata?.[datum.i]));
  };
  return [...marks].find((mark) => mark.getBoundingClientRect().height > 0 && fits(mark));
}"""
"""Plotly keeps with each mark the number of the row that it was drawn from, and the rows with its trace."""


@contextmanager
def open_watched_page(context: BrowserContext, url: str) -> Iterator[Page]:
    """Open a page that must stay free of errors in the console and of requests to other hosts."""
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if _is_problem(message) else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    own = urlsplit(url).hostname

    def watch(address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != own:
            problems.append(f"request to {address}")

    page.on("request", lambda request: watch(request.url))
    page.on("websocket", lambda socket: watch(socket.url))
    yield page
    assert not problems


def _is_problem(message: ConsoleMessage) -> bool:
    """Say whether the console reports an error; a deep link makes Streamlit look for its server under the page first."""
    searched = message.location["url"].endswith(("/_stcore/health", "/_stcore/host-config"))
    return message.type == "error" and not searched


def wait_until_idle(page: Page) -> None:
    """Wait until the script has run: before, the page still moves under the pointer."""
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible()


def settle(page: Page) -> None:
    wait_until_idle(page)
    page.wait_for_timeout(1_500)  # Tables and charts draw themselves after the script has ended.


def open_generator(page: Page, url: str) -> None:
    page.goto(f"{url}/Bulk_Generator")
    expect(page.get_by_role("heading", name="Bulk Generator")).to_be_visible()
    wait_until_idle(page)


def box(page: Page, kind: str, number: int) -> Locator:
    return page.locator(f'[class*="st-key-choice_{kind}_"] label').nth(number)


def tick_boxes(page: Page, kind: str, count: int) -> None:
    """Choose the first personas, arcs or topics."""
    title = {"persona": "Personas", "arc": "arcs", "topic": "Training topics"}[kind]
    for number in range(count):
        box(page, kind, number).click()
        expect(page.get_by_text(re.compile(rf"{title} . {number + 1} of \d+ chosen"))).to_be_visible()


def select_all(page: Page, kind: str, counts: str) -> None:
    page.locator(f".st-key-{kind}_select_all button").click()
    expect(page.get_by_text(f"{counts} chosen")).to_be_visible()


def press_generate(page: Page, label: str) -> str:
    """Press Generate, wait for the monitor and return the batch's id."""
    button = page.get_by_role("button", name=label)
    expect(button).to_be_enabled()
    button.click()
    page.wait_for_url(BATCH_URL, timeout=30_000)
    return page.url.rpartition("=")[2]


def submit_batch(page: Page, url: str, name: str, *, topics: int, arcs: int = 1) -> str:
    """Choose one persona and so many arcs and topics, generate, and return the batch's id."""
    open_generator(page, url)
    for kind, count in (("persona", 1), ("arc", arcs), ("topic", topics)):
        tick_boxes(page, kind, count)
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_role("textbox", name="Name").press("Enter")
    wait_until_idle(page)
    return press_generate(page, f"Generate {topics * arcs} conversations")


def choose_option(page: Page, label: str, option: str) -> None:
    """Choose a filter's value."""
    page.get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def metric(page: Page, label: str) -> Locator:
    return page.get_by_test_id("stMetric").filter(has_text=re.compile(rf"^{label}")).get_by_test_id("stMetricValue")


def expect_status(page: Page, status: str, timeout: float = 60_000) -> None:
    expect(page.get_by_text(re.compile(rf"(^|\s){status}$")).first).to_be_visible(timeout=timeout)


def cells(page: Page, text: str) -> Locator:
    """Return the table cells with a text; the table is a canvas, these are its cells for screen readers."""
    return page.locator('[role="gridcell"]').filter(has_text=text)


def click_table(page: Page, row: int, from_right: int, *, table: Locator | None = None) -> None:
    """Click into a row of a table, so many pixels from its right edge: a canvas says nothing of where its buttons are."""
    table = table or page.get_by_test_id("stDataFrame").first
    expect(table).to_be_visible()
    table.scroll_into_view_if_needed()
    frame = table.bounding_box()
    assert frame is not None
    page.mouse.click(frame["x"] + frame["width"] - from_right, frame["y"] + 45 + 30 * row)


def click_mark(page: Page, chart: str, text: str, *, trace: str | None = None) -> None:
    """Click the first mark of a chart whose words match a regular expression; `trace` says of which series."""
    arguments: Any = [chart, text, trace]
    page.wait_for_function(FIND_MARK, arg=arguments)
    mark = page.evaluate_handle(FIND_MARK, arguments).as_element()
    assert mark is not None
    mark.scroll_into_view_if_needed()
    mark.click(force=True)  # Plotly lays a surface over its marks that takes the click.


def read_download(download: Download) -> str:
    return Path(download.path()).read_text(encoding="utf-8")
