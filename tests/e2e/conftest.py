"""The running product and a real browser."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from core.bench.browser import VIEWPORT, BrowserMissingError, open_browser
from core.config import load_settings
from tests.e2e.running_stack import run_stack

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


def is_problem(message: ConsoleMessage) -> bool:
    """Say whether the console reports an error; a deep link makes Streamlit look for its server under the page first."""
    searched = message.location["url"].endswith(("/_stcore/health", "/_stcore/host-config"))
    return message.type == "error" and not searched


@pytest.fixture
def page(context: BrowserContext, url: str) -> Iterator[Page]:
    with open_watched_page(context, url) as page:
        yield page


@contextmanager
def open_watched_page(context: BrowserContext, url: str) -> Iterator[Page]:
    """Open a page that must stay free of errors in the console and of requests to other hosts."""
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if is_problem(message) else None)
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
