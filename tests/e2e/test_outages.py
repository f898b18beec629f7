"""A part is down while an analyst looks: the page says which, and what to do; it neither hopes nor stays blank."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import metric, submit_batch
from tests.support.running_stack import open_supervisor, run_stack, stop_parts


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outages") / "home"


@pytest.fixture(scope="module")
def url(browser: Browser, home: Path) -> Iterator[str]:
    with run_stack(home) as address:
        yield address


@contextmanager
def hold_part(home: Path, part: str) -> Iterator[None]:
    """Let a part hang for the length of a `with` block: it takes connections, and never answers."""
    pid = open_supervisor(home).read_statuses()[part].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        pytest.param(["worker-1"], "No worker is alive", marks=pytest.mark.extended),
        pytest.param(["worker-1", "valkey"], "Redis is down", marks=pytest.mark.extended),
    ],
)
def test_the_page_of_a_batch_says_what_holds_it_up_and_promises_no_end(
    page: Page, url: str, home: Path, parts: list[str], said: str
) -> None:
    with stop_parts(home, parts[0]):
        submit_batch(page, url, f"Without {parts[-1]}", topics=3)
        with stop_parts(home, *parts[1:]):
            expect(page.get_by_test_id("stAlert").filter(has_text=said)).to_be_visible(timeout=60_000)  # Nobody reloads it.
            expect(page.get_by_text("held up")).to_be_visible()
            expect(page.get_by_text("left", exact=False)).to_have_count(0)
            expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_enabled()
    expect(page.get_by_text("3 of 3 done")).to_be_visible(timeout=90_000)
    expect(page.get_by_test_id("stAlert").filter(has_text=said)).to_have_count(0)


def test_a_database_api_that_hangs_is_said_with_what_to_do(page: Page, url: str, home: Path) -> None:
    page.goto(url)
    expect(page.get_by_role("heading", name="Home")).to_be_visible()

    with hold_part(home, "api"):
        page.get_by_role("link", name="Conversations").click()
        expect(page.get_by_test_id("stAlert").filter(has_text="does not answer").first).to_be_visible(timeout=45_000)

    page.reload()
    expect(page.get_by_role("heading", name="Conversations")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("does not answer")).to_have_count(0)


@pytest.mark.extended
def test_an_api_that_is_back_needs_no_restart_of_the_pages(page: Page, url: str, home: Path) -> None:
    with stop_parts(home, "api"):
        page.goto(url)
        expect(page.get_by_test_id("stAlert").filter(has_text="does not answer").first).to_be_visible(timeout=45_000)
        expect(page.get_by_test_id("stSkeletonElement")).to_have_count(0)  # Nothing more is to come.

    for _ in range(20):  # It starts anew for some seconds.
        page.get_by_role("button", name="Retry").click()
        page.wait_for_timeout(2_000)
        if not page.get_by_text("does not answer").count():
            break

    expect(metric(page, "Conversations accepted")).to_be_visible()
