"""An alert from the failures that raise it to the click that takes it away, on a stack whose Claude fails too often."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import submit_batch
from tests.support.running_stack import run_stack

pytestmark = [pytest.mark.extended, pytest.mark.timeout(600)]

FAULTS = "cut_string=0.25"
"""Over 10 %, and under the circuit breaker's 30 % of the last 20 most of the time."""
EVALUATED_WITHIN_MS = 100_000
"""About a minute between evaluations, a quarter of one until Home looks again, and some for a busy machine."""


@pytest.fixture(scope="module")
def url(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_stack(tmp_path_factory.mktemp("alerts") / "home", faults=FAULTS) as address:
        yield address


def test_an_alert_appears_by_itself_is_acknowledged_and_stays_away(page: Page, url: str) -> None:
    page.goto(url, timeout=120_000)
    expect(page.get_by_role("link", name="System")).to_be_visible(timeout=90_000)  # The first run imports everything.
    batch = submit_batch(page, url, "Too many fail", topics=20, arcs=2)
    expect(page.get_by_role("button", name=re.compile("Generate more|Resume"))).to_be_enabled(timeout=120_000)
    page.goto(url)

    alert = page.get_by_test_id("stAlert").filter(has_text="simulated conversations failed in the last 24 hours")
    expect(alert).to_be_visible(timeout=EVALUATED_WITHIN_MS)  # The page is not touched meanwhile.
    page.goto(f"{url}/Batch_Monitor?batch={batch}")
    expect(page.get_by_text(re.compile("failed in the last 24 hours, first seen .* ago"))).to_be_visible()
    page.goto(url)
    page.get_by_role("button", name="Acknowledge", exact=True).click()

    expect(alert).to_have_count(0)
    expect(page.get_by_text("Acknowledged in the last 7 days (1)")).to_be_visible()
    page.reload()
    expect(page.get_by_text("Acknowledged in the last 7 days (1)")).to_be_visible()
    expect(alert).to_have_count(0)
    page.get_by_text("Acknowledged in the last 7 days (1)").click()
    expect(page.get_by_text(re.compile("by you, .* ago; it still lasts"))).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(alert).to_be_visible()
    page.get_by_role("button", name="Find out why").click()
    expect(page).to_have_url(re.compile("Failure_Analytics"))
