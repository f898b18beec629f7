"""A Chromium for the browser tests and the screenshots, whichever this machine has."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, sync_playwright

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
VIEWPORT = {"width": 1366, "height": 768}


class BrowserMissingError(Exception):
    """There is no Chromium or Chrome here."""


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Open the browser of BRIGHTRUN_CHROMIUM, of the PATH, or playwright's own; raise BrowserMissingError without one."""
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=_find_executable(), args=list(ARGUMENTS))
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
    if chosen := os.environ.get("BRIGHTRUN_CHROMIUM"):
        return Path(chosen)
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return None if found is None else Path(found)
