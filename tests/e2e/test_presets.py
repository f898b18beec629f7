"""Presets and scaffolding that has grown: a fourth persona, an arc without a template, names that do not exist."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from core.config import load_settings
from tests.support.browser import open_generator, wait_until_idle
from tests.support.running_stack import run_stack

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("presets") / "home"


@pytest.fixture(scope="module")
def url(browser: Browser, home: Path) -> Iterator[str]:
    with run_stack(home) as address:
        page = browser.new_page()
        page.goto(f"{address}/Bulk_Generator")
        expect(page.get_by_role("heading", name="Bulk Generator")).to_be_visible(timeout=90_000)
        page.close()
        yield address


def copy_row(home: Path, table: str, changes: dict[str, str]) -> None:
    """Add a copy of a table's first row with some columns changed."""
    with psycopg.connect(load_settings(home=home).require_db_url()) as connection:
        columns = [
            name
            for (name,) in connection.execute(
                "select column_name from information_schema.columns where table_schema = 'public' and table_name = %s"
                " and is_generated = 'NEVER' and column_name not in ('id', 'created_at', 'updated_at')",
                [table],
            )
        ]
        values = ", ".join("%s" if name in changes else name for name in columns)
        query = f"insert into public.{table} ({', '.join(columns)}) select {values} from public.{table} limit 1"
        connection.execute(query.encode(), [changes[name] for name in columns if name in changes])


def test_presets_name_what_they_take_with_a_fourth_persona_and_an_arc_without_a_template(
    page: Page, url: str, home: Path
) -> None:
    copy_row(home, "personas", {"persona_key": "fourth", "name": "Zoe Fourth"})
    copy_row(home, "emotional_arcs", {"arc_key": "without_template", "name": "Without template"})
    open_generator(page, url)

    page.get_by_role("button", name="Presets").click()

    times = "\N{MULTIPLICATION SIGN}"
    expect(page.get_by_text(f"All core: 4 personas {times} 5 arcs {times} 20 topics = 400")).to_be_visible()
    page.get_by_text(f"Whole data set: core 4 personas {times} 5 arcs {times} 6 topics = 120").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Generate 130 conversations")).to_be_enabled()


def test_suitable_personas_that_do_not_exist_are_refused_by_name(page: Page, url: str) -> None:
    page.goto(f"{url}/Scaffolding?kind=Emotional+arcs&open=fear_to_confidence")
    field = page.get_by_role("textbox", name="Suitable personas")
    expect(field).to_be_visible()
    wait_until_idle(page)
    field.fill("nobody_at_all")
    field.press("Tab")
    wait_until_idle(page)

    page.get_by_role("button", name="Save").click()

    expect(page.get_by_text("nobody_at_all does not exist")).to_be_visible()
