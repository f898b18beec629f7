"""An old data set is uploaded in a browser and is diagnosed."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.factories import make_old_data_set

pytestmark = pytest.mark.extended


def test_an_uploaded_data_set_ends_at_its_diagnosis(page: Page, url: str, tmp_path: Path) -> None:
    file = tmp_path / "old <b>*data*.jsonl"
    file.write_bytes(make_old_data_set() + b"\n{broken\n")
    page.goto(f"{url}/Failure_Analytics")

    page.get_by_role("button", name="Import data set").click(timeout=60_000)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Import", exact=True)).to_be_disabled()
    dialog.locator("input[type=file]").set_input_files(file)
    dialog.get_by_role("button", name="Import 1 file").click()

    expect(dialog.get_by_text("Flagged")).to_be_visible(timeout=60_000)
    expect(dialog.get_by_text("144", exact=True)).to_be_visible()
    expect(dialog.get_by_text("24", exact=True)).to_be_visible()
    expect(dialog.get_by_text("1 record could not be read.")).to_be_visible()
    expect(dialog.get_by_text("Imported: old <b>*data*.jsonl")).to_be_visible()

    dialog.get_by_role("button", name="Find out why").click()
    expect(page).to_have_url(re.compile(r"Failure_Analytics\?batch=[0-9a-f-]{36}$"))
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("24 of 24 failures come from", exact=False).first).to_be_visible(timeout=60_000)

    page.get_by_role("button", name="Import data set").click()
    dialog.locator("input[type=file]").set_input_files(file)
    dialog.get_by_role("button", name="Import 1 file").click()
    expect(dialog.get_by_text("One file was imported before")).to_be_visible()
    expect(dialog.get_by_role("button", name="Import more")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
