"""A Chromium for measurements, browser tests and screenshots: whichever this machine has."""

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, ViewportSize, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
)
VIEWPORT: ViewportSize = {"width": 1366, "height": 768}


class BrowserMissingError(Exception):
    """There is no Chromium or Chrome on this machine."""


@contextmanager
def open_browser(chosen: Path | None) -> Generator[Browser]:
    """Open the configured browser, the one on the PATH, or playwright's own; raise BrowserMissingError without one."""
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=chosen or _find_executable(), args=list(ARGUMENTS))
        except Error as error:
            raise BrowserMissingError(
                "No Chromium or Chrome is found. Install one (`apt install chromium`, or `playwright install chromium`), "
                f"or set BRIGHTRUN_CHROMIUM to its path. ({error.message.splitlines()[0]})"
            ) from error
        try:
            yield browser
        finally:
            browser.close()


def _find_executable() -> Path | None:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return None if found is None else Path(found)
