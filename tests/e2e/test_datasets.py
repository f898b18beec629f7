"""From an empty database to a downloaded data set, in a browser: plan, top up until full, review by keys, freeze."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.support.browser import click_table, metric, open_watched_page, settle
from tests.support.hub import run_hub
from tests.support.running_stack import run_stack

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def url(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A stack of its own, where a tenth of the replies are cut, and a Hub that takes no token."""
    home: Path = tmp_path_factory.mktemp("datasets") / "home"
    with pytest.MonkeyPatch.context() as environment, run_hub(401) as hub:
        environment.setenv("HF_ENDPOINT", hub)
        with run_stack(home, faults="cut_string=0.1") as address:
            yield address


@pytest.fixture
def page(context: BrowserContext, url: str) -> Iterator[Page]:
    with open_watched_page(context, url) as page:
        yield page


def top_up(page: Page) -> None:
    page.get_by_role("button", name="Top up").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Generate")).click()
    expect(page.get_by_text(re.compile("queued"))).to_be_visible()
    settle(page)  # The notice stands before the figures do.
    expect(page.get_by_text("being generated").first).to_be_hidden(timeout=120_000)
    settle(page)


def press_key(page: Page, key: str) -> None:
    """Press a review key and wait for the next conversation."""
    before = page.url
    page.keyboard.press(key)
    page.wait_for_function("before => location.href !== before", arg=before)
    settle(page)


def download(page: Page) -> None:
    page.get_by_role("button", name="Export", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("train 90 · validation 10")).to_be_visible()
    expect(dialog.get_by_text("share 0 combinations, 0 texts")).to_be_visible()
    with page.expect_download() as downloading:
        dialog.get_by_role("button", name="Download version 1").click()
    assert "money-talks-v1.zip" == downloading.value.suggested_filename
    with ZipFile(downloading.value.path()) as files:
        rows = [json.loads(line) for line in files.read("data/messages-jsonl/train.jsonl").splitlines()]
        assert "simulated" in files.read("README.md").decode()
    assert 90 == len(rows)


def push(page: Page) -> None:
    """Push from the open dialog with a token that is refused, and without one."""
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Hugging Face Hub").click()
    dialog.get_by_role("textbox", name="Repository").fill("owner/money-talks")
    token = dialog.get_by_role("textbox", name="Token that may write")
    token.fill("hf_secretsecretsecret")
    token.press("Tab")
    dialog.get_by_role("button", name="Push version 1").click()
    expect(dialog.get_by_text("The Hub refused the token (401)")).to_be_visible(timeout=30_000)
    expect(token).to_have_value("")
    assert "hf_secretsecretsecret" not in page.content()
    dialog.get_by_role("button", name="Push version 1").click()
    expect(dialog.get_by_text("would be uploaded to owner/money-talks (private)")).to_be_visible(timeout=30_000)


def review_by_keys(page: Page) -> None:
    """Approve two; what letters do while a question is open, or faster than one can read."""
    page.get_by_role("button", name=re.compile("^Review")).click()
    expect(page.get_by_text("0 of 100 reviewed")).to_be_visible()
    settle(page)
    press_key(page, "a")
    page.keyboard.press("x")
    expect(page.get_by_text("Why is it rejected?")).to_be_visible()
    page.keyboard.press("a")  # Means the conversation behind the question, and does nothing.
    press_key(page, "3")
    expect(page.get_by_text("2 of 100 reviewed")).to_be_visible()
    press_key(page, "u")
    expect(page.get_by_text("1 of 100 reviewed")).to_be_visible()

    page.keyboard.press("n")
    note = page.get_by_role("dialog").get_by_role("textbox")
    expect(note).to_be_focused()
    page.keyboard.type("axujken")  # Each of these letters is a key.
    expect(note).to_have_value("axujken")
    page.keyboard.press("Escape")
    expect(page.get_by_text("1 of 100 reviewed")).to_be_visible()

    page.get_by_role("dialog").wait_for(state="hidden")
    settle(page)
    for _ in range(3):
        page.keyboard.press("a")  # Faster than anybody sees the next one: one conversation is approved.
    expect(page.get_by_text("2 of 100 reviewed")).to_be_visible()
    settle(page)
    expect(page.get_by_text("2 of 100 reviewed")).to_be_visible()


def test_from_an_empty_database_to_a_downloaded_data_set(page: Page, url: str) -> None:
    page.goto(f"{url}/Datasets")
    page.get_by_role("button", name="New data set").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("100 conversations")).to_be_visible()
    dialog.get_by_role("textbox", name="Name").fill("Money talks")
    dialog.get_by_role("button", name="Create").click()
    expect(metric(page, "To generate")).to_have_text("100")
    for _ in range(5):
        if page.get_by_role("button", name="Top up").is_disabled():
            break
        top_up(page)
    expect(metric(page, "To review")).to_have_text("100")

    review_by_keys(page)
    page.mouse.move(683, 700)  # Away from the badge under the pointer, whose tooltip covers the navigation.
    page.get_by_role("link", name="Datasets").first.click()
    page.get_by_role("button", name="New data set").wait_for()
    settle(page)
    click_table(page, 0, 45)
    page.get_by_role("button", name="Approve all").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve all").click()
    expect(metric(page, "Approved")).to_have_text("100")
    page.get_by_role("button", name=re.compile("^Freeze")).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Include simulated conversations").click()
    dialog.get_by_role("button", name="Freeze").click()
    expect(page.get_by_text(re.compile("Version 1: 100 conversations"))).to_be_visible(timeout=60_000)

    download(page)
    push(page)
    page.goto(url)
    expect(page.get_by_text(re.compile("100 of 100 approved · version 1, exported"))).to_be_visible()
