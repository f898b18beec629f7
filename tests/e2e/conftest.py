"""The running product and a real browser."""

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.bench.browser import VIEWPORT, BrowserMissingError, open_browser
from core.config import load_settings
from tests.support.browser import open_watched_page
from tests.support.running_stack import run_stack

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    opened = open_browser(load_settings().chromium)
    try:
        browser = opened.__enter__()
    except BrowserMissingError as error:
        if os.environ.get("BRIGHTRUN_REQUIRE_BROWSER") == "1":
            pytest.fail(str(error))
        pytest.skip(f"browser tests skipped: {error}")
    yield browser
    opened.__exit__(None, None, None)


@pytest.fixture(scope="session")
def url(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stack that tests share who do not mind what others left there: fast, and without faults."""
    with run_stack(tmp_path_factory.mktemp("e2e") / "home") as address:
        yield address


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport=VIEWPORT, timezone_id="Europe/Berlin")
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, url: str) -> Iterator[Page]:
    with open_watched_page(context, url) as page:
        yield page
