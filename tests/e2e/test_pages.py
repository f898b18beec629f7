"""What an analyst does in a browser, on the running product with a simulated Claude without faults.

The tests run in this order on a stack of their own: first the cold server, then the fresh database, then the estimate, which
rests on the default figures only while there are few conversations.
"""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import (
    BATCH_URL,
    cells,
    click_table,
    expect_status,
    metric,
    open_generator,
    press_generate,
    select_all,
    settle,
    tick_boxes,
)
from tests.support.running_stack import run_stack


@pytest.fixture(scope="module")
def url(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with run_stack(tmp_path_factory.mktemp("pages") / "home") as address:
        yield address


def test_a_deep_link_to_a_cold_server_shows_the_page_with_its_navigation(page: Page, url: str) -> None:
    page.goto(f"{url}/Batch_Monitor?batch={uuid4()}")

    expect(page.get_by_text("There is no batch")).to_be_visible(timeout=60_000)  # The first run imports everything.
    expect(page.get_by_role("link", name="Bulk Generator")).to_be_visible()
    assert "/Batch_Monitor?batch=" in page.url


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("", "Home"),
        ("Bulk_Generator", "Bulk Generator"),
        ("Batch_Monitor", "Batch Monitor"),
        ("Failed_Generations", "Failed Generations"),
        ("Conversations", "Conversations"),
        ("Scaffolding", "Scaffolding"),
        ("System", "System"),
    ],
)
def test_each_page_opens_from_its_address_and_is_marked_simulated(page: Page, url: str, path: str, heading: str) -> None:
    page.goto(f"{url}/{path}")

    expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.get_by_text("Claude is simulated").first).to_be_visible()


def test_a_fresh_database_leads_to_the_generator(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.get_by_text("No conversations yet")).to_be_visible()

    page.get_by_role("button", name="Generate conversations").click()

    expect(page.get_by_role("heading", name="Bulk Generator")).to_be_visible()


def test_ninety_conversations_are_estimated_at_half_an_hour_and_40_50(page: Page, url: str) -> None:
    open_generator(page, url)
    expect(page.get_by_role("button", name="Generate 0 conversations")).to_be_disabled()

    select_all(page, "persona", "3 of 3")
    select_all(page, "arc", "5 of 5")
    expect(page.get_by_role("button", name="Generate 0 conversations")).to_be_disabled()
    tick_boxes(page, "topic", 6)

    expect(page.get_by_role("button", name="Generate 90 conversations")).to_be_enabled()
    expect(
        page.get_by_text("3 personas \N{MULTIPLICATION SIGN} 5 arcs \N{MULTIPLICATION SIGN} 6 topics = 90")
    ).to_be_visible()
    expect(metric(page, "Conversations to generate")).to_have_text("90")
    expect(metric(page, "Estimated time")).to_have_text("~30 min")
    expect(metric(page, "Estimated cost")).to_have_text("$40.50")
    page.locator(".st-key-topic_clear button").click()
    expect(page.get_by_role("button", name="Generate 0 conversations")).to_be_disabled()


@pytest.mark.extended
def test_the_category_decides_which_arcs_are_offered(page: Page, url: str) -> None:
    open_generator(page, url)
    expect(page.locator('[class*="st-key-choice_arc_"]')).to_have_count(5)
    select_all(page, "arc", "5 of 5")

    page.get_by_text("Edge case conversations").click()
    expect(page.locator('[class*="st-key-choice_arc_"]')).to_have_count(3)
    expect(page.get_by_text("Edge case arcs · 3 available")).to_be_visible()

    page.get_by_text("Core conversations").click()
    expect(page.get_by_text("Emotional arcs · 5 available")).to_be_visible()


def test_two_core_conversations_from_choice_to_result(page: Page, url: str) -> None:
    open_generator(page, url)
    for kind, count in (("persona", 1), ("arc", 1), ("topic", 2)):
        tick_boxes(page, kind, count)

    batch_id = press_generate(page, "Generate 2 conversations")

    expect_status(page, "completed")
    expect(metric(page, "Accepted")).to_have_text("2")
    expect(metric(page, "Failed")).to_have_text("0")
    expect(metric(page, "Remaining")).to_have_text("0")
    expect(page.get_by_text("2 of 2 done")).to_be_visible()
    expect(page.get_by_text("2 items", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="View conversations")).to_be_visible()
    assert page.url.endswith(batch_id)

    page.get_by_role("button", name="Generate more").click()
    expect(page.get_by_text("Training topics · 2 of 20 chosen")).to_be_visible()


@pytest.mark.extended
def test_an_edge_case_conversation_has_its_own_tier(page: Page, url: str) -> None:
    open_generator(page, url)
    page.get_by_text("Edge case conversations").click()
    expect(page.get_by_text("Edge case arcs")).to_be_visible()
    for kind in ("persona", "arc", "topic"):
        tick_boxes(page, kind, 1)

    press_generate(page, "Generate 1 conversation")

    expect_status(page, "completed")
    expect(metric(page, "Accepted")).to_have_text("1")
    expect(cells(page, "accepted, ")).to_have_count(1)
    expect(page.get_by_text(re.compile("· edge$|^edge$")).first).to_be_visible()


def test_pressing_generate_twice_makes_one_batch(page: Page, url: str) -> None:
    open_generator(page, url)
    for kind in ("persona", "arc", "topic"):
        tick_boxes(page, kind, 1)
    page.get_by_role("textbox", name="Name").fill("pressed twice")
    page.get_by_role("textbox", name="Name").press("Enter")
    page.wait_for_timeout(1_000)

    page.get_by_role("button", name="Generate 1 conversation").dblclick()
    page.wait_for_url(BATCH_URL, timeout=30_000)
    expect(page.get_by_role("heading", name="pressed twice")).to_be_visible()

    page.get_by_role("button", name="All batches").click()
    expect(page.get_by_role("heading", name="Batch Monitor")).to_be_visible()
    expect(cells(page, "pressed twice")).to_have_count(1)


def test_pause_resume_and_cancel(page: Page, url: str) -> None:
    open_generator(page, url)
    select_all(page, "persona", "3 of 3")
    select_all(page, "arc", "5 of 5")
    select_all(page, "topic", "20 of 20")
    page.get_by_role("button", name="Generate 300 conversations").click()
    page.get_by_role("dialog").get_by_role("button", name="Generate 300").click()
    page.wait_for_url(BATCH_URL, timeout=30_000)
    expect_status(page, "processing")

    page.get_by_role("button", name="Pause", exact=True).click()
    expect_status(page, "paused")
    expect(page.get_by_role("button", name="Pause", exact=True)).to_have_count(1)  # The old one is gone after a moment.
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_disabled()
    expect(page.get_by_text("Paused by you")).to_be_visible()

    page.get_by_role("button", name="Resume").click()
    expect_status(page, "processing")

    page.get_by_role("button", name="Cancel", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("cannot be resumed")).to_be_visible()
    page.wait_for_timeout(5_000)  # Two refreshes: the question stays open.
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the batch").click()
    expect_status(page, "cancelled")
    expect(metric(page, "Remaining")).to_have_text("0")
    expect(page.get_by_role("button", name="Generate more")).to_be_visible()


@pytest.mark.extended
def test_the_monitor_refreshes_itself_while_active_and_not_after(page: Page, url: str) -> None:
    open_generator(page, url)
    select_all(page, "persona", "3 of 3")
    tick_boxes(page, "arc", 2)
    tick_boxes(page, "topic", 5)
    frames: list[float] = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda _: frames.append(1)))
    press_generate(page, "Generate 30 conversations")
    page.reload()
    expect(page.get_by_text("30 of 30 done")).to_be_visible(timeout=60_000)  # Nobody touched the page.
    expect_status(page, "completed")

    page.wait_for_timeout(3_000)
    seen = len(frames)
    page.wait_for_timeout(5_000)

    assert seen
    assert len(frames) == seen


@pytest.mark.parametrize(
    "link",
    [
        "nonsense",
        pytest.param("00000000-0000-0000-0000-000000000000", marks=pytest.mark.extended),
        pytest.param("%3Cscript%3Ealert(1)%3C/script%3E", marks=pytest.mark.extended),
    ],
)
def test_a_wrong_batch_id_is_said_and_the_list_offered(page: Page, url: str, link: str) -> None:
    page.goto(f"{url}/Batch_Monitor?batch={link}")

    expect(page.get_by_test_id("stAlert")).to_be_visible()
    expect(page.get_by_role("heading", name="Batch Monitor")).to_be_visible()
    expect(page.get_by_test_id("stDataFrame")).to_be_visible()


def test_the_tables_button_opens_the_batch(page: Page, url: str) -> None:
    page.goto(url)
    settle(page)

    click_table(page, 0, 45)

    page.wait_for_url(BATCH_URL, timeout=30_000)
