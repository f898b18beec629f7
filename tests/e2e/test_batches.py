"""From a batch that fails to what follows: retries, comparisons, imports. One arc fails every other time."""

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.adapters.files.dataset_files import UploadedFile
from core.bootstrap import PageServices
from core.config import load_settings
from core.domain.batches.batch import BatchId
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan
from tests.factories import make_old_data_set
from tests.support.browser import (
    choose_option,
    expect_status,
    metric,
    open_generator,
    open_watched_page,
    press_generate,
    select_all,
    settle,
)
from tests.support.product import CUT_ARC, Results, generate_batch, run_with_results, wait_for_end

FAULTS = f"cut_string@{CUT_ARC}=0.5"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("batches") / "home"


@pytest.fixture(scope="module")
def results(browser: Browser, home: Path) -> Iterator[Results]:
    with run_with_results(home, faults=FAULTS, latency_seconds=0.2) as results:
        yield results


@pytest.fixture
def page(context: BrowserContext, results: Results) -> Iterator[Page]:
    with open_watched_page(context, results.url) as page:
        yield page


def open_batch(page: Page, results: Results, batch: BatchId) -> None:
    page.goto(f"{results.url}/Batch_Monitor?batch={batch}")
    expect(page.get_by_role("button", name="All batches")).to_be_visible(timeout=60_000)
    settle(page)


def count_left(services: PageServices, batch: BatchId) -> int:
    return services.monitor.watch(batch).to_retry


@pytest.mark.extended
def test_all_failures_of_a_batch_are_retried_from_their_list(page: Page, results: Results) -> None:
    left = count_left(results.services, results.cut_batch)
    page.goto(f"{results.url}/Failed_Generations?batch={results.cut_batch}")

    page.get_by_role("button", name="Retry these").click(timeout=60_000)
    page.get_by_role("dialog").get_by_role("button", name=f"Retry {left} item").click()

    expect(page.get_by_role("heading", name="Retry of Cut")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Generate more|Generate again"))).to_be_visible(timeout=90_000)


@pytest.mark.extended
def test_retry_failed_leaves_out_what_a_retry_has_mended(page: Page, results: Results) -> None:
    batch = generate_batch(results.services, CUT_ARC, 5, "Retried twice")
    failed = count_left(results.services, batch)
    retry = results.services.batches.retry_failed(batch).batch_id
    wait_for_end(results.services, retry)
    left = count_left(results.services, batch)
    assert left < failed

    open_batch(page, results, batch)
    expect(metric(page, "Failed")).to_have_text(str(failed))
    if not left:
        expect(page.get_by_role("button", name="Retry failed")).to_be_disabled()
        return
    page.get_by_role("button", name="Retry failed").click()
    expect(page.get_by_role("dialog").get_by_role("button", name=f"Retry {left} item")).to_be_visible()


@pytest.mark.extended
def test_results_can_be_read_while_the_batch_runs(page: Page, results: Results) -> None:
    open_generator(page, results.url)
    select_all(page, "persona", "3 of 3")
    select_all(page, "arc", "5 of 5")
    select_all(page, "topic", "20 of 20")
    page.get_by_role("button", name="Generate 300 conversations").click()
    page.get_by_role("dialog").get_by_role("button", name="Generate 300").click()
    expect_status(page, "processing")

    expect(page.get_by_role("button", name="View conversations")).to_be_visible()
    expect(page.get_by_role("button", name="View failures")).to_be_visible()
    page.get_by_role("button", name="View failures").click()

    expect(page).to_have_url(re.compile(r"/Failed_Generations\?batch="))
    expect(page.get_by_text(re.compile(r"of \d+ failures?$"))).to_be_visible()
    expect(page.get_by_role("button", name="Retry these")).to_have_count(0)  # Only when the batch has come to its end.
    page.go_back()
    page.get_by_role("button", name="Cancel", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the batch").click()
    expect_status(page, "cancelled")


@pytest.mark.extended
def test_comparisons_are_left_out_of_lists_and_imports_out_of_rates_unless_asked_for(page: Page, results: Results) -> None:
    services = results.services
    page.goto(f"{results.url}/Conversations")
    counted = page.get_by_text(re.compile(r"^1–25 of \d+ conversations$"))
    expect(counted).to_be_visible(timeout=60_000)
    before, failures = counted.text_content(), services.failures.count().total
    plan = ExperimentPlan(
        batch_id=results.whole_batch, change=ExperimentChange(max_tokens=32_000), limit=20, name="Compared"
    )
    wait_for_end(services, services.experiments.compare(plan).changed_batch_id)
    judged = services.overview.read().recent_judged
    services.imports.import_files([UploadedFile(name="old.jsonl", content=make_old_data_set())], name="old")

    page.reload()
    expect(counted).to_have_text(before or "")
    page.get_by_text("With comparisons").click()
    expect(counted).not_to_have_text(before or "")
    page.goto(results.url)
    expect(metric(page, "Failure rate, 7 days")).to_be_visible()
    expect(page.get_by_text(f"of {judged:,} judged", exact=True)).to_be_visible()
    page.goto(f"{results.url}/Failed_Generations")
    expect(page.get_by_text(re.compile(rf"of {failures} failures$"))).to_be_visible()


@pytest.mark.extended
def test_escape_leaves_a_filter_as_it_is(page: Page, results: Results) -> None:
    page.goto(f"{results.url}/Failed_Generations")
    settle(page)
    choose_option(page, "Type", "Cut off")
    expect(page).to_have_url(re.compile("type=truncation"))
    settle(page)

    chosen = page.get_by_role("combobox", name="Type", exact=True)
    chosen.focus()
    for keys in (["Escape"], ["ArrowDown", "Escape"], ["Escape"], ["m", "Escape"]):
        for key in keys:
            page.keyboard.press(key)
        settle(page)
        expect(page.get_by_role("listbox")).to_have_count(0)
        expect(page).to_have_url(re.compile("type=truncation"))
        expect(chosen).to_have_value("Cut off")


@pytest.mark.extended
def test_templates_are_compared_only_where_there_is_another(page: Page, results: Results, home: Path) -> None:
    page.goto(f"{results.url}/Failure_Analytics")
    expect(page.get_by_role("button", name="Write another template version")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Compare template")).to_have_count(0)

    with psycopg.connect(load_settings(home=home).require_db_url()) as connection:
        connection.execute(
            """insert into public.prompt_templates (template_key, name, emotional_arc_id, system_prompt, user_prompt)
            select 'another_one', 'Another one', emotional_arc_id, system_prompt, user_prompt
            from public.prompt_templates where emotional_arc_id = %s limit 1""",
            [find_arc(home)],
        )
    page.reload()

    expect(page.get_by_role("button", name="Compare template")).to_be_visible(timeout=60_000)


def find_arc(home: Path) -> str:
    with psycopg.connect(load_settings(home=home).require_db_url()) as connection:
        row = connection.execute("select id from public.emotional_arcs where arc_key = %s", [CUT_ARC]).fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.extended
def test_a_tall_window_shows_all_rows_and_a_narrow_one_the_first_button_of_each(page: Page, results: Results) -> None:
    page.set_viewport_size({"width": 1920, "height": 1600})
    page.goto(f"{results.url}/Conversations")
    table = page.get_by_test_id("stDataFrame").first
    expect(table).to_be_visible(timeout=60_000)
    settle(page)
    tall = table.bounding_box()
    assert tall is not None
    assert tall["height"] > 25 * 30

    page.set_viewport_size({"width": 911, "height": 512})
    settle(page)
    narrow = table.bounding_box()
    assert narrow is not None
    page.mouse.click(narrow["x"] + 42, narrow["y"] + 45)
    expect(page).to_have_url(re.compile(r"\?conversation=[0-9a-f-]{36}"))


@pytest.mark.extended
def test_what_was_done_is_said_beside_the_buttons_not_over_them(page: Page, results: Results) -> None:
    open_generator(page, results.url)
    for kind in ("persona", "arc", "topic"):
        page.locator(f'[class*="st-key-choice_{kind}_"] label').first.click()
    settle(page)
    press_generate(page, "Generate 1 conversation")

    expect(page.get_by_text(re.compile("1 conversation queued"))).to_be_visible()
    expect(page.get_by_test_id("stToast")).to_have_count(0)
