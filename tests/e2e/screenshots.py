"""Pictures of every page, light and dark, to look at: `python -m tests.e2e.screenshots OUT_DIR [--url URL]`."""

import argparse
import re
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Page, expect

from core.bench.browser import VIEWPORT, open_browser
from core.config import load_settings
from tests.support.running_stack import run_stack

# Few enough that the circuit breaker (30 % of the last 20) does not pause the batch that is pictured.
FAULTS = "cut_string@shame_to_acceptance=0.3,max_tokens=0.04,refusal=0.02,overloaded=0.03"
BATCH_SECONDS = 240_000


def settle(page: Page) -> None:
    """Wait until the page has drawn itself."""
    page.wait_for_selector('[data-testid="stHeading"]', timeout=30_000)
    page.wait_for_timeout(2_500)


def choose(page: Page, *kinds: str) -> None:
    """Select all of these kinds of choices."""
    for kind in kinds:
        page.locator(f".st-key-{kind}_select_all button").click()
        page.wait_for_timeout(700)


def open_first_row(page: Page) -> None:
    """Press the first button of the first row of a list of records, at its left; the table is a canvas."""
    frame = page.get_by_test_id("stDataFrame").first.bounding_box()
    if frame is None:
        raise LookupError("There is no table to open a row of.")
    page.mouse.click(frame["x"] + 42, frame["y"] + 45)
    page.wait_for_url(re.compile("(failure|conversation)="))
    page.wait_for_timeout(3_500)


def take_pictures(page: Page, url: str, folder: Path, theme: str) -> None:
    """Walk through all pages once."""

    def shoot(name: str) -> None:
        page.screenshot(path=folder / f"{name}-{theme}.png")

    page.goto(url)
    settle(page)
    shoot("home-before")
    picture_a_batch(page, url, shoot)
    picture_records(page, url, shoot)
    picture_a_dataset(page, url, shoot, theme)
    page.goto(url)
    settle(page)
    shoot("home")


def picture_a_batch(page: Page, url: str, shoot: Callable[[str], None]) -> None:
    """Choose a batch, watch it run and end."""
    page.goto(f"{url}/Bulk_Generator")
    settle(page)
    shoot("generator-empty")
    choose(page, "persona", "arc")
    for number in range(6):
        page.locator('[class*="st-key-choice_topic_"] label').nth(number).click()
        page.wait_for_timeout(250)
    expect(page.get_by_role("button", name="Generate 90 conversations")).to_be_enabled(timeout=10_000)
    page.wait_for_timeout(1_000)
    shoot("generator")
    page.get_by_text("Advanced").first.click()
    page.set_viewport_size({"width": 1366, "height": 1100})
    page.wait_for_timeout(1_000)
    shoot("generator-advanced")
    page.set_viewport_size(VIEWPORT)
    page.get_by_role("button", name="Generate 90 conversations").click()
    page.wait_for_url("**/Batch_Monitor?batch=*", timeout=20_000)
    settle(page)
    expect(page.get_by_text(re.compile(r"started .* ago"))).to_be_visible(timeout=60_000)
    page.wait_for_timeout(6_000)
    shoot("monitor-running")
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.wait_for_timeout(1_500)
    shoot("monitor-cancel")
    page.get_by_role("button", name="Keep it running").click()
    expect(page.get_by_role("button", name="Generate more")).to_be_visible(timeout=BATCH_SECONDS)
    page.wait_for_timeout(2_500)
    shoot("monitor-completed")
    page.locator(".st-key-link_items").get_by_text("failed", exact=True).click()
    page.wait_for_timeout(2_000)
    shoot("monitor-failures")
    page.goto(f"{url}/Batch_Monitor")
    settle(page)
    shoot("monitor-list")
    page.goto(f"{url}/Batch_Monitor?batch=nonsense")
    settle(page)
    shoot("monitor-bad-link")


def picture_records(page: Page, url: str, shoot: Callable[[str], None]) -> None:
    """Look at what the batch left, at the scaffolding and at the parts."""
    for path, name in (("Failed_Generations", "failures"), ("Conversations", "conversations")):
        page.goto(f"{url}/{path}")
        settle(page)
        shoot(name)
        open_first_row(page)
        shoot(f"{name}-open")
    for view in ("suspects", "dimensions", "heatmaps", "limits", "signatures"):
        page.goto(f"{url}/Failure_Analytics?view={view}")
        settle(page)
        page.wait_for_timeout(2_000)
        page.set_viewport_size({"width": 1366, "height": 768 if view == "suspects" else 1200})
        page.wait_for_timeout(500)
        shoot(f"analytics-{view}")
    page.set_viewport_size(VIEWPORT)
    picture_a_comparison(page, url, shoot)
    page.goto(f"{url}/Scaffolding")
    settle(page)
    shoot("scaffolding")
    page.goto(f"{url}/Scaffolding?kind=Templates&open=calm_and_clear")
    settle(page)
    shoot("scaffolding-template")
    page.goto(f"{url}/System")
    settle(page)
    shoot("system")


def picture_a_dataset(page: Page, url: str, shoot: Callable[[str], None], theme: str) -> None:
    """Plan a data set, top it up once, review some, freeze and look at the download."""
    page.goto(f"{url}/Datasets")
    settle(page)
    page.get_by_role("button", name="New data set").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Name").fill(f"Money talks, {theme}")
    dialog.get_by_role("textbox", name="Name").press("Tab")
    page.wait_for_timeout(1_500)
    shoot("dataset-new")
    dialog.get_by_role("button", name="Create").click()
    settle(page)
    page.get_by_role("button", name="Top up").click()
    page.wait_for_timeout(1_500)
    shoot("dataset-top-up")
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Generate")).click()
    expect(page.get_by_text("being generated").first).to_be_visible()
    expect(page.get_by_text("being generated").first).to_be_hidden(timeout=BATCH_SECONDS)
    page.get_by_role("button", name=re.compile("^Review")).click()
    page.wait_for_url("**conversation=*")
    page.mouse.move(683, 700)
    settle(page)
    for _ in range(5):
        page.keyboard.press("a")
        page.wait_for_timeout(2_000)
    shoot("review")
    page.keyboard.press("x")
    page.wait_for_timeout(1_500)
    shoot("review-reject")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Data set", exact=True).click()
    settle(page)
    page.get_by_role("button", name="Freeze").click()
    page.get_by_role("dialog").get_by_text("Include simulated conversations").click()
    page.get_by_role("dialog").get_by_role("button", name="Freeze").click()
    expect(page.get_by_text(re.compile("Version 1: "))).to_be_visible(timeout=60_000)
    settle(page)
    shoot("dataset")
    page.get_by_role("button", name="Download", exact=True).click()
    page.wait_for_timeout(1_500)
    shoot("dataset-download")
    page.goto(f"{url}/Datasets")
    settle(page)
    shoot("datasets")


def picture_a_comparison(page: Page, url: str, shoot: Callable[[str], None]) -> None:
    """Ask for a comparison and look at its result."""
    page.goto(f"{url}/Failure_Analytics?view=experiments")
    settle(page)
    page.get_by_role("button", name="Compare a setting").click()
    expect(page.get_by_role("button", name="Start with")).to_be_enabled(timeout=10_000)
    page.wait_for_timeout(1_000)
    shoot("analytics-question")
    page.get_by_role("button", name="Start with").click()
    page.wait_for_url("**experiment=*", timeout=20_000)
    expect(page.get_by_text("completed").first).to_be_visible(timeout=BATCH_SECONDS)
    page.wait_for_timeout(2_500)
    shoot("analytics-experiment")


def main() -> None:
    """Take the pictures from a running address, or from a stack started for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", help="A running Bright Run; without it one is started in a temporary folder")
    parser.add_argument("--themes", default="light,dark")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as cleanup:
        url = arguments.url
        if url is None:
            home = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="brightrun-pictures-")))
            url = cleanup.enter_context(run_stack(home, faults=FAULTS, latency_seconds=0.5))
        browser = cleanup.enter_context(open_browser(load_settings().chromium))
        for theme in arguments.themes.split(","):
            context = browser.new_context(viewport=VIEWPORT, color_scheme=theme)
            take_pictures(context.new_page(), url.rstrip("/"), arguments.folder, theme)
            context.close()
    print(f"Pictures are in {arguments.folder}")


if __name__ == "__main__":
    main()
