"""Home, Batch Monitor and System in a browser, on a stack with a few faults that the tests provoke by template and limit."""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import (
    BATCH_URL,
    cells,
    click_table,
    expect_status,
    metric,
    settle,
    submit_batch,
    wait_until_idle,
)
from tests.support.heat_maps import HEAT_CELL
from tests.support.running_stack import run_stack

pytestmark = pytest.mark.extended

FAULTS = "max_tokens=0.2"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("watch") / "home"


@pytest.fixture(scope="module")
def url(browser: Browser, home: Path) -> Iterator[str]:
    """A stack of its own: some replies fail, and calls take long enough to be watched."""
    with run_stack(home, faults=FAULTS, latency_seconds=0.4) as address:
        yield address


@pytest.fixture(scope="module")
def finished(browser: Browser, url: str) -> str:
    """A batch of twenty that has come to its end; its id."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(url, timeout=60_000)
    expect(page.get_by_role("link", name="System")).to_be_visible(timeout=90_000)  # The first run imports everything.
    batch_id = submit_batch(page, url, "Twenty of them", topics=20)
    expect(page.get_by_role("button", name=re.compile("Generate more|Generate again"))).to_be_visible(timeout=90_000)
    context.close()
    return batch_id


def execute(home: Path, statement: str, *values: object) -> None:
    """Put the database into a state that would take long to reach."""
    address = json.loads((home / "connection.json").read_text())["supabase_db_url"]
    with psycopg.connect(address) as connection:
        connection.execute(statement.encode(), values)


def pill(page: Page, key: str, text: str) -> Locator:
    return page.locator(f".st-key-{key}").get_by_text(text, exact=True)


def test_home_sums_up_shows_coverage_and_leads_to_the_batch(page: Page, url: str, finished: str) -> None:
    page.goto(url)

    accepted = int(metric(page, "Conversations accepted").inner_text())
    assert 0 < accepted <= 20
    expect(page.get_by_text("of 20 judged", exact=True)).to_be_visible()
    expect(metric(page, "Spend")).to_have_text("$0.00")
    expect(page.get_by_text("simulated, not charged")).to_be_visible()
    expect(page.get_by_text("Coverage")).to_be_visible()
    expect(page.locator(f".st-key-coverage {HEAT_CELL}")).to_have_count(24)
    expect(page.locator('[aria-label*="Topics with an accepted conversation"]').first).to_be_attached()
    page.get_by_role("button", name="All batches").click()
    expect(page.get_by_role("heading", name="Batch Monitor")).to_be_visible()


def test_home_raises_the_alarm_over_ten_percent(page: Page, url: str, home: Path, finished: str) -> None:
    statement = "update batch_items set status = 'failed' where batch_id = %s and position < 5 and status = 'completed'"
    execute(home, statement, finished)

    page.goto(url)

    expect(page.get_by_test_id("stAlert").filter(has_text="conversations failed in the last 24 hours")).to_be_visible(
        timeout=100_000
    )
    expect(page.get_by_role("button", name="Find out why")).to_be_visible()


def test_search_and_status_of_the_list_are_in_the_link(page: Page, url: str, finished: str) -> None:
    page.goto(f"{url}/Batch_Monitor")
    expect(cells(page, "Twenty of them")).to_have_count(1)

    page.get_by_placeholder("Name, model or id").fill("nothing like it")
    expect(page.get_by_text("No batch matches")).to_be_visible()
    expect(page).to_have_url(re.compile("search=nothing"))
    page.get_by_role("button", name="Clear filters").click()
    expect(cells(page, "Twenty of them")).to_have_count(1)

    page.goto(f"{url}/Batch_Monitor?search=twenty&status=cancelled")
    expect(page.get_by_text("No batch matches")).to_be_visible()
    pill(page, "status", "cancelled").click()
    expect(cells(page, "Twenty of them")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"search=twenty"))
    expect(page).not_to_have_url(re.compile("cancelled"))


def test_items_are_filtered_by_status_in_the_link(page: Page, url: str, finished: str) -> None:
    page.goto(f"{url}/Batch_Monitor?batch={finished}")
    expect(page.get_by_text("20 items")).to_be_visible()

    pill(page, "link_items", "completed").click()

    expect(page).to_have_url(re.compile("items=completed"))
    expect(cells(page, "failed")).to_have_count(0)
    expect(cells(page, "accepted, ").first).to_be_attached()
    page.reload()
    expect(cells(page, "failed")).to_have_count(0)
    expect(cells(page, "accepted, ").first).to_be_attached()

    page.get_by_role("button", name="View conversations").click()
    expect(page).to_have_url(re.compile(rf"/Conversations\?batch={finished}$"))
    page.go_back()
    expect(page).to_have_url(re.compile("items=completed"))
    expect(cells(page, "accepted, ").first).to_be_attached()
    expect(cells(page, "failed")).to_have_count(0)


def test_the_log_downloads_every_call(page: Page, url: str, finished: str) -> None:
    page.goto(f"{url}/Batch_Monitor?batch={finished}")
    wait_until_idle(page)

    with page.expect_download() as download:
        page.get_by_role("button", name="Log CSV").click()

    with Path(download.value.path()).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert download.value.suggested_filename == f"batch-{finished}-log.csv"
    assert {row["item"] for row in rows} == {str(number) for number in range(20)}
    assert all(row["simulated"] == "True" and row["persona"] for row in rows)


def test_a_retry_changes_settings_and_the_two_are_linked(page: Page, url: str, home: Path, finished: str) -> None:
    execute(home, "update batch_items set status = 'failed' where batch_id = %s and position = 0", finished)
    page.goto(f"{url}/Batch_Monitor?batch={finished}")
    page.get_by_role("button", name="Retry failed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("Nothing is changed")).to_be_visible()

    dialog.get_by_label("Max output tokens").fill("30000")
    dialog.get_by_label("Max output tokens").press("Enter")
    expect(dialog.get_by_text("Nothing is changed")).to_be_hidden()
    dialog.get_by_role("button", name=re.compile(r"Retry \d+ item")).click()

    page.wait_for_url(lambda address: BATCH_URL.search(address) is not None and finished not in address, timeout=30_000)
    expect(page.get_by_role("heading", name="Retry of Twenty of them")).to_be_visible()
    expect(page.get_by_text("max output tokens 30,000")).to_be_visible()
    page.get_by_role("button", name="Twenty of them", exact=True).click()
    page.wait_for_url(f"**/Batch_Monitor?batch={finished}*")
    expect(page.get_by_role("button", name=re.compile("Retry of Twenty of them"))).to_be_visible()


def test_a_batch_that_its_budget_paused_asks_for_another(page: Page, url: str, home: Path) -> None:
    batch_id = submit_batch(page, url, "Short of money", topics=20)
    expect_status(page, "processing")
    page.get_by_role("button", name="Pause").click()
    expect_status(page, "paused")
    execute(home, "update batches set budget_usd = 0.000001 where id = %s", batch_id)
    page.reload()

    page.get_by_role("button", name="Resume", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("pause again at once")).to_be_visible()
    page.wait_for_timeout(11_000)  # A refresh of a paused batch: the question stays open.
    expect(dialog).to_be_visible()
    dialog.get_by_label("New budget (USD)").fill("25")
    dialog.get_by_label("New budget (USD)").press("Enter")
    dialog.get_by_role("button", name="Resume the batch").click()

    expect(dialog).to_be_hidden()
    expect(page.get_by_text("budget $25.00")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Generate more|Generate again"))).to_be_visible(timeout=90_000)


def test_a_dialog_survives_refreshes_and_escape_closes_it(page: Page, url: str) -> None:
    submit_batch(page, url, "Still running", topics=15, arcs=5)
    expect_status(page, "processing")
    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("cannot be resumed")).to_be_visible()

    page.wait_for_timeout(4_500)

    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.wait_for_timeout(2_500)
    expect(dialog).to_be_hidden()


def test_the_system_page_shows_a_living_worker_and_no_secret(page: Page, url: str, home: Path) -> None:
    page.goto(f"{url}/System")

    expect(page.get_by_text("1 alive")).to_be_visible()
    expect(cells(page, "alive").first).to_be_attached()
    expect(page.get_by_text("all applied")).to_be_visible()
    expect(page.get_by_text("Reconciler last looked")).to_be_visible()
    page.get_by_text("Settings in force").click()
    expect(cells(page, "BRIGHTRUN_HOME")).to_have_count(1)
    connection = json.loads((home / "connection.json").read_text())
    text = page.content()
    for name in ("supabase_publishable_key", "supabase_secret_key", "password"):
        assert connection[name] not in text
    assert connection["redis_url"].split("@")[0].rpartition(":")[2] not in text


def test_an_item_opens_its_conversation_and_a_batch_its_conversations(page: Page, url: str, finished: str) -> None:
    page.goto(f"{url}/Batch_Monitor?batch={finished}&items=completed")
    expect(cells(page, "accepted, ").first).to_be_attached()
    settle(page)
    click_table(page, 0, 42, table=page.get_by_test_id("stDataFrame").last)
    page.wait_for_url(re.compile(r"/Conversations\?conversation=[0-9a-f-]{36}"))

    page.goto(f"{url}/Batch_Monitor?batch={finished}")
    page.get_by_role("button", name="View conversations").click()
    page.wait_for_url(re.compile(rf"/Conversations\?batch={finished}"))


def test_the_back_button_leads_from_the_generator_to_the_batch(page: Page, url: str, finished: str) -> None:
    page.goto(f"{url}/Batch_Monitor?batch={finished}&items=completed")
    page.get_by_role("button", name="Generate more").click()
    page.wait_for_url("**/Bulk_Generator*")
    expect(page.get_by_role("heading", name="Bulk Generator")).to_be_visible()
    expect(page.get_by_text("Some choices in this link")).to_have_count(0)
    wait_until_idle(page)

    page.go_back()

    page.wait_for_url(f"**/Batch_Monitor?batch={finished}&items=completed")
    expect(page.get_by_role("heading", name="Twenty of them", exact=True)).to_be_visible()


def test_the_list_follows_a_running_batch(page: Page, url: str) -> None:
    submit_batch(page, url, "Watched from the list", topics=10)
    page.goto(f"{url}/Batch_Monitor?search=Watched+from")

    expect(cells(page, "processing").first).to_be_attached(timeout=30_000)
    expect(cells(page, "completed").first).to_be_attached(timeout=60_000)  # Nobody reloads the page.
    expect(cells(page, "processing")).to_have_count(0)


def test_a_cell_of_the_coverage_opens_its_conversations(page: Page, url: str, finished: str) -> None:
    page.goto(url)

    page.locator(f".st-key-coverage {HEAT_CELL}").first.click()

    page.wait_for_url(re.compile(r"/Conversations\?persona=[0-9a-f-]{36}&arc=[0-9a-f-]{36}"))
