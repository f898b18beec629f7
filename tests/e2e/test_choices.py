"""Choosing what to generate, and what there is to choose from, in a browser on the running product."""

import re
from urllib.parse import quote_plus
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.support.browser import (
    BATCH_URL,
    cells,
    expect_status,
    metric,
    open_generator,
    press_generate,
    select_all,
    tick_boxes,
    wait_until_idle,
)

pytestmark = pytest.mark.extended


@pytest.fixture(scope="module", autouse=True)
def warm_server(browser: Browser, url: str) -> None:
    """Let the pages import everything once; the first run on a cold server takes longer than these tests wait."""
    page = browser.new_page()
    page.goto(f"{url}/Bulk_Generator")
    expect(page.get_by_role("heading", name="Bulk Generator")).to_be_visible(timeout=90_000)
    page.close()


def wait_until_completed(page: Page, batches: int) -> None:
    for _ in range(60):
        if cells(page, "completed").count() == batches:
            return
        page.wait_for_timeout(2_000)
        page.reload()
        expect(page.get_by_test_id("stDataFrame")).to_be_visible()
    pytest.fail(f"There are not {batches} completed batches after two minutes.")


def open_scaffolding(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/Scaffolding{query}")
    expect(page.get_by_role("heading", name="Scaffolding")).to_be_visible()
    wait_until_idle(page)


def field(page: Page, label: str) -> Locator:
    return page.get_by_role("textbox", name=label, exact=True)


def write(page: Page, label: str, text: str) -> None:
    field(page, label).fill(text)
    field(page, label).press("Tab")
    page.wait_for_timeout(300)


def test_the_search_shows_the_topics_with_its_words(page: Page, url: str) -> None:
    open_generator(page, url)

    page.get_by_placeholder("Search topics").fill("insurance")

    expect(page.get_by_text("Understanding Insurance Policies")).to_be_visible()
    expect(page.get_by_text("Student Loan Repayment Strategy")).to_be_hidden()
    page.locator(".st-key-topic_select_all button").click()
    page.get_by_placeholder("Search topics").fill("")
    expect(page.get_by_text("Student Loan Repayment Strategy")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Training topics . [2-9] of 20 chosen"))).to_be_visible()


def test_an_arc_hints_at_whom_it_was_not_written_for_and_forbids_nothing(page: Page, url: str) -> None:
    open_generator(page, url)
    select_all(page, "persona", "3 of 3")
    page.get_by_text("Shame \N{RIGHTWARDS ARROW} Acceptance").click()
    tick_boxes(page, "topic", 1)

    expect(page.get_by_text("Acceptance is not recommended for David Chen")).to_be_visible()
    expect(page.get_by_role("button", name="Generate 3 conversations")).to_be_enabled()


def test_the_whole_data_set_is_two_batches_of_ninety_and_ten(page: Page, url: str) -> None:
    open_generator(page, url)

    page.get_by_role("button", name="Presets").click()
    page.get_by_text("Whole data set: core 3 personas").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("= 90")).to_be_visible()
    dialog.get_by_role("button", name="Generate 100 conversations").click()

    page.wait_for_url(re.compile(r"/Batch_Monitor$"), timeout=30_000)
    expect(page.get_by_text("100 conversations queued in 2 batches")).to_be_visible()
    expect(cells(page, "Core batch")).to_have_count(1)
    expect(cells(page, "Edge case batch")).to_have_count(1)
    wait_until_completed(page, 2)


def test_skipping_what_exists_changes_the_count(page: Page, url: str) -> None:
    open_generator(page, url)
    select_all(page, "persona", "3 of 3")
    select_all(page, "arc", "5 of 5")
    select_all(page, "topic", "20 of 20")
    expect(page.get_by_role("button", name="Generate 300 conversations")).to_be_enabled()
    expect(page.get_by_text("90 of 300 combinations already covered, 210 to go.")).to_be_visible()

    page.get_by_text("Skip combinations already covered").click()

    expect(page.get_by_role("button", name="Generate 210 conversations")).to_be_enabled()
    expect(metric(page, "Conversations to generate")).to_have_text("210")
    expect(page.get_by_text(re.compile("from 100 simulated conversations", re.IGNORECASE))).to_be_visible()
    expect(page.get_by_text("8 in 10 batches stay within the range")).to_be_visible()


def test_a_shared_link_brings_the_choices_back(page: Page, url: str) -> None:
    open_generator(page, url)
    select_all(page, "persona", "3 of 3")
    tick_boxes(page, "arc", 2)
    tick_boxes(page, "topic", 3)
    page.get_by_role("spinbutton", name="Limit").fill("7")
    page.get_by_role("spinbutton", name="Limit").press("Enter")
    expect(page.get_by_role("button", name="Generate 7 conversations")).to_be_enabled()
    page.get_by_role("button", name="Copy link").click()
    link = page.get_by_test_id("stCode").inner_text().replace("\n", "")

    page.goto(link + "&concurrency=9")

    expect(page.get_by_role("button", name="Generate 7 conversations")).to_be_enabled()
    expect(page.get_by_text("3 of 3 chosen")).to_be_visible()
    expect(page.get_by_text(re.compile(r"Training topics . 3 of 20 chosen"))).to_be_visible()
    page.get_by_text("Advanced").first.click()
    expect(page.get_by_role("spinbutton", name="Parallel calls")).to_have_value("9")


def test_a_link_with_unknown_keys_names_them(page: Page, url: str) -> None:
    page.goto(f"{url}/Bulk_Generator?category=core&personas=nobody,anxious_planner&limit=many")

    expect(page.get_by_text("nobody (not there, not active, or without a template for you)")).to_be_visible()
    expect(page.get_by_text("limit: many")).to_be_visible()
    expect(page.get_by_text("1 of 3 chosen")).to_be_visible()


def test_the_preview_shows_the_prompt_and_claudes_count_of_its_tokens(page: Page, url: str) -> None:
    open_generator(page, url)
    for kind in ("persona", "arc", "topic"):
        tick_boxes(page, kind, 1)

    page.get_by_role("button", name="Preview a prompt").click()

    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("You write training conversations")).to_be_visible()
    expect(dialog.get_by_text(re.compile(r"[\d,]+ input tokens"))).to_be_visible()
    expect(dialog.get_by_text("counted by the simulated Claude")).to_be_visible(timeout=20_000)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_topic_is_added_edited_and_switched_off(page: Page, url: str) -> None:
    name = f"Pets {uuid4().hex[:6]}"
    open_scaffolding(page, url, "?kind=Topics")
    page.get_by_role("button", name="Add topic").click()
    write(page, "Key", "Not a key")
    write(page, "Name", name)
    write(page, "Category", "family")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Use 1–100 of a–z, 0–9 and _")).to_be_visible()
    key = f"pets_{uuid4().hex[:6]}"
    write(page, "Key", key)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{name} is saved")).to_be_visible()

    open_generator(page, url)
    expect(page.get_by_text(name)).to_be_visible()

    open_scaffolding(page, url, f"?kind=Topics&open={key}")
    write(page, "Name", f"{name} and more")
    page.get_by_text("Active", exact=True).click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text(f"{name} and more is saved")).to_be_visible()

    open_generator(page, url)
    expect(page.get_by_text("Training topics")).to_be_visible()
    expect(page.get_by_text(name)).to_be_hidden()


def test_kind_search_and_record_are_in_the_link(page: Page, url: str) -> None:
    open_scaffolding(page, url, f"?kind={quote_plus('Emotional arcs')}&search=shame")
    expect(page.get_by_placeholder("Search all texts")).to_have_value("shame")
    expect(cells(page, "Acceptance")).to_have_count(1)

    open_scaffolding(page, url, "?kind=Personas&open=anxious_planner")
    expect(field(page, "Name")).to_have_value("Jennifer Martinez")

    page.goto(f"{url}/Scaffolding?kind=Personas&open=nobody")
    expect(page.get_by_text("There is no persona")).to_be_visible()


def test_a_template_with_an_unknown_placeholder_cannot_be_saved_and_a_good_one_is_a_version(page: Page, url: str) -> None:
    open_scaffolding(page, url, "?kind=Templates&open=calm_and_clear")
    prompt = field(page, "User prompt")
    expect(prompt).not_to_have_value("")  # It stands there for a moment before its text does.
    text = prompt.input_value()
    prompt.fill(text + "\n{{ persona_shoe_size }}")
    prompt.press("Control+Enter")

    expect(page.get_by_text("Unknown placeholder {{ persona_shoe_size }}")).to_be_visible()
    expect(page.get_by_role("button", name="Save as a new version")).to_be_disabled()

    prompt.fill(text + "\nBe brief, {{ persona_name }}.")
    prompt.press("Control+Enter")
    expect(page.get_by_text("Every placeholder is known")).to_be_visible()
    page.get_by_role("button", name="Save as a new version").click()
    expect(page.get_by_text("Calm and clear is saved")).to_be_visible()
    page.get_by_placeholder("Search all texts").fill("calm_and_clear")
    expect(cells(page, "version 2")).to_have_count(1)
    expect(cells(page, "version 1")).to_have_count(1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ 1/0 }}", "The user prompt uses arithmetic, which is not allowed"),
        ("{% for i in range(10**9) %}{% for j in range(10**9) %}{% endfor %}{% endfor %}", "a call such as range"),
        ("{{ 'x' * 10**10 }}", "The user prompt uses arithmetic"),
        ("{% for a in topic_key_concepts %}" * 15 + "{% endfor %}" * 15, "loops run too often"),
    ],
)
def test_a_template_that_raises_or_never_ends_is_named_at_once_and_cannot_be_saved(
    page: Page, url: str, text: str, said: str
) -> None:
    open_scaffolding(page, url, "?kind=Templates&open=safety_first")
    prompt = field(page, "User prompt")
    expect(prompt).not_to_have_value("")
    prompt.fill(f"{text}\n{prompt.input_value()}")
    prompt.press("Control+Enter")

    expect(page.get_by_text(said)).to_be_visible(timeout=60_000)
    expect(page.get_by_role("button", name="Save as a new version")).to_be_disabled()
    page.get_by_role("button", name="Back to the list").click()
    expect(page.get_by_placeholder("Search all texts")).to_be_visible()


def test_a_batch_from_the_trial_preset_completes(page: Page, url: str) -> None:
    open_generator(page, url)
    page.get_by_role("button", name="Presets").click()
    page.get_by_text(re.compile("Try it: David Chen, .*= 2$")).click()

    press_generate(page, "Generate 2 conversations")

    assert BATCH_URL.search(page.url)
    expect_status(page, "completed")


def test_the_back_button_leads_from_a_new_batch_to_the_choices(page: Page, url: str) -> None:
    open_generator(page, url)
    for kind in ("persona", "arc", "topic"):
        tick_boxes(page, kind, 1)
    press_generate(page, "Generate 1 conversation")

    page.go_back()

    expect(page).to_have_url(re.compile(r"/Bulk_Generator$"))
    expect(page.get_by_role("button", name="Generate 1 conversation")).to_be_enabled()
    expect(page.get_by_text("Some choices in this link")).to_have_count(0)
