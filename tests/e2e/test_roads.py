"""What an analyst meets on the way: a table by keyboard alone, a part that is down, gaps to fill, narrow windows."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from core.config import load_settings
from tests.support.browser import metric, open_generator, press_generate, select_all, settle, tick_boxes, wait_until_idle
from tests.support.heat_maps import HEAT_CELL
from tests.support.running_stack import run_stack

FREE_FAILURES = """
with batch as (
    insert into public.batches (name, status, conversation_category, model, max_tokens, structured_outputs, concurrency,
        selection, snapshot, estimated_seconds, estimated_cost_usd, created_by, created_at, started_at, completed_at)
    select 'Free failures', 'completed', conversation_category, model, max_tokens, structured_outputs, concurrency,
        selection, snapshot, estimated_seconds, estimated_cost_usd, created_by, now(), now(), now()
    from public.batches where id = %(batch)s returning id
), item as (
    insert into public.batch_items (batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier,
        status, created_by, started_at, finished_at)
    select batch.id, i.position, i.persona_id, i.emotional_arc_id, i.training_topic_id, i.template_id, i.tier, 'failed',
        i.created_by, now(), now()
    from public.batch_items i, batch where i.batch_id = %(batch)s returning *
)
insert into public.generation_attempts (batch_id, batch_item_id, attempt_number, outcome, model, max_tokens,
    structured_outputs, prompt_length, failure_type, http_status, cost_usd, duration_ms, simulated, worker, created_by,
    started_at, created_at)
select item.batch_id, item.id, 1, 'failed', a.model, a.max_tokens, a.structured_outputs, a.prompt_length, 'api_error', 529,
    0, 5, true, a.worker, item.created_by, now(), now()
from item join public.batch_items o on o.batch_id = %(batch)s and o.position = item.position
join public.generation_attempts a on a.batch_item_id = o.id and a.attempt_number = 1
"""
NARROW = {"width": 1024, "height": 768}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("roads") / "home"


@pytest.fixture(scope="module")
def url(browser: Browser, home: Path) -> Iterator[str]:
    """A stack of its own, with one batch of thirty of which some failed."""
    with run_stack(home, faults="max_tokens=0.2", latency_seconds=0.2) as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address, timeout=60_000)
        expect(page.get_by_role("link", name="System")).to_be_visible(timeout=90_000)  # The first run imports everything.
        generate_thirty(page, address)
        expect(page.get_by_role("button", name=re.compile("Generate more|Generate again")).first).to_be_visible(
            timeout=90_000
        )
        context.close()
        yield address


def generate_thirty(page: Page, url: str) -> str:
    open_generator(page, url)
    select_all(page, "persona", "3 of 3")
    tick_boxes(page, "arc", 1)
    tick_boxes(page, "topic", 10)
    return press_generate(page, "Generate 30 conversations")


def connect(home: Path) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(load_settings(home=home).require_db_url())


def execute(home: Path, statement: str) -> None:
    with connect(home) as connection:
        connection.execute(statement.encode())


def read_batch(home: Path) -> str:
    """The id of the batch of thirty."""
    with connect(home) as connection:
        (batch_id,) = connection.execute("select id from public.batches order by created_at limit 1").fetchone() or ("",)
        return str(batch_id)


def read_estimate(page: Page, url: str) -> tuple[str, str]:
    open_generator(page, url)
    select_all(page, "persona", "3 of 3")
    tick_boxes(page, "arc", 1)
    tick_boxes(page, "topic", 10)
    expect(page.get_by_role("button", name="Generate 30 conversations")).to_be_enabled()
    settle(page)
    return metric(page, "Estimated time").inner_text(), metric(page, "Estimated cost").inner_text()


@pytest.mark.extended
def test_calls_that_brought_nothing_do_not_change_an_estimate(page: Page, url: str, home: Path) -> None:
    before = read_estimate(page, url)
    with connect(home) as connection:
        made = connection.execute(FREE_FAILURES, {"batch": read_batch(home)}).rowcount
    assert made == 30

    page.reload()

    assert read_estimate(page, url) == before


def test_a_batch_is_opened_by_keyboard_alone(page: Page, url: str) -> None:
    page.goto(f"{url}/Batch_Monitor")
    table = page.get_by_test_id("data-grid-canvas").first
    expect(table).to_be_visible()
    page.wait_for_timeout(1_500)

    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.testid") == "data-grid-canvas":
            break
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")

    page.wait_for_url(re.compile(r"/Batch_Monitor\?batch="))


def test_an_empty_cell_of_the_coverage_leads_to_the_generator_with_it_chosen(page: Page, url: str) -> None:
    page.goto(url)
    cells = page.locator(f".st-key-coverage {HEAT_CELL}")
    expect(cells.first).to_be_visible()
    page.wait_for_timeout(1_500)
    empty = next(cell for cell in cells.all() if re.search(r": 0 of 20 topics", cell.get_attribute("aria-label") or ""))

    empty.click()

    expect(page.get_by_role("heading", name="Bulk Generator")).to_be_visible()
    expect(page.get_by_role("button", name="Generate 20 conversations")).to_be_enabled()
    expect(page.get_by_text("1 of 3 chosen")).to_be_visible()


@pytest.mark.extended
@pytest.mark.parametrize("path", ["/Batch_Monitor", "/Failure_Analytics", "/Failed_Generations"])
def test_numbers_of_charts_are_whole_in_a_narrow_window(page: Page, url: str, home: Path, path: str) -> None:
    page.set_viewport_size(NARROW)
    page.goto(f"{url}{path}?batch={read_batch(home)}")
    numbers = page.locator(".js-plotly-plot .textpoint text")
    expect(numbers.first).to_be_visible(timeout=30_000)
    page.wait_for_timeout(1_500)

    cut = numbers.evaluate_all(
        """texts => texts.filter(text => text.getBoundingClientRect().right
            > text.closest('.js-plotly-plot').getBoundingClientRect().right + 1).map(text => text.textContent)"""
    )

    assert cut == []


@pytest.mark.extended
def test_batches_of_one_minute_have_names_of_their_own(page: Page, url: str) -> None:
    for topics in (1, 2):
        open_generator(page, url)
        for kind in ("persona", "arc"):
            tick_boxes(page, kind, 1)
        tick_boxes(page, "topic", topics)
        page.get_by_role("textbox", name="Name").fill("Autumn")
        page.get_by_role("textbox", name="Name").press("Enter")
        wait_until_idle(page)
        press_generate(page, f"Generate {topics} conversation{'s' if topics > 1 else ''}")

    expect(page.get_by_role("heading", name="Autumn (2)")).to_be_visible()


@pytest.mark.extended
def test_topping_up_offers_what_is_missing_of_the_limit(page: Page, url: str) -> None:
    open_generator(page, url)
    select_all(page, "persona", "3 of 3")
    tick_boxes(page, "arc", 1)
    tick_boxes(page, "topic", 10)
    page.get_by_text("Skip combinations already covered").click()
    expect(page.get_by_text(re.compile("already done"))).to_be_visible()
    missing = int(metric(page, "Conversations to generate").inner_text())
    page.get_by_role("spinbutton", name="Limit").fill("29")
    page.get_by_role("spinbutton", name="Limit").press("Enter")

    expect(metric(page, "Conversations to generate")).to_have_text(str(missing - 1))


@pytest.mark.extended
def test_pages_of_a_long_list_are_numbered_beside_each_other(page: Page, url: str, home: Path) -> None:
    execute(
        home,
        """insert into batch_items (batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier,
            status, created_by, finished_at)
        select i.batch_id, 1000 + n, i.persona_id, i.emotional_arc_id, i.training_topic_id, i.template_id, i.tier,
            'cancelled', i.created_by, now()
        from batch_items i cross join generate_series(1, 4000) n
        where i.id = (select id from batch_items order by created_at limit 1)""",
    )
    page.goto(f"{url}/Batch_Monitor?batch={read_batch(home)}")

    pages = page.get_by_test_id("stPagination")
    expect(pages.get_by_text("3", exact=True)).to_be_visible()
    expect(pages.get_by_text("81", exact=True)).to_be_visible()
