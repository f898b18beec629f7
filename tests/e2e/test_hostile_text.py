"""Hostile text in every field that a page shows: nothing is fetched, nothing runs or leads away, all is shown as it is.

The text is written into the database past all checks, so that it does not matter which road one might find for it.
"""

import csv
import io
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import psycopg
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from core.adapters.files.dataset_files import UploadedFile
from core.bootstrap import open_local_services
from core.config import load_settings
from core.domain.batches.batch import BatchId, RetryChanges
from core.domain.batches.pricing import PRICES_SOURCE
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan
from tests.e2e.hostile import EVERYTHING, HIT, KINDS, CountingServer, plant, run_counting_server
from tests.support.browser import settle
from tests.support.heat_maps import HEAT_CELL
from tests.support.product import CUT_ARC, generate_batch, wait_for_end
from tests.support.running_stack import run_stack

pytestmark = pytest.mark.timeout(1_800)

FAULTS = f"cut_string@{CUT_ARC}=0.6,refusal@couple_conflict_to_alignment=0.5"
FEWEST_COLUMNS = 60
LONGEST_LINK = 300
SECONDS = 90
"""A bound against hanging."""
LEADS_AWAY = """() => {
  const away = (address) => {
    try { const url = new URL(address, location.href);
          return url.origin !== location.origin && !['data:', 'blob:'].includes(url.protocol); }
    catch { return true; }
  };
  const found = [];
  for (const element of document.querySelectorAll('*')) {
    for (const name of ['href', 'src', 'action', 'data', 'xlink:href', 'poster', 'srcset', 'formaction']) {
      const value = element.getAttribute(name);
      if (value && away(value)) found.push(element.outerHTML.slice(0, 300));
    }
    for (const { name } of element.attributes) if (/^on/.test(name)) found.push(element.outerHTML.slice(0, 300));
  }
  return found;
}"""
"""What in the page has an address outside it, or a script of its own."""


@dataclass(frozen=True)
class Target:
    """A running product in which everything has been made that a page can show, with the ids of some of it."""

    url: str
    home: Path
    foreign: CountingServer
    batch: BatchId
    experiment: UUID
    failure: UUID
    conversation: UUID


@pytest.fixture(scope="module")
def target(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    home = tmp_path_factory.mktemp("hostile") / "home"
    with run_counting_server() as foreign, run_stack(home, faults=FAULTS) as url:
        settings = load_settings(home=home)
        with closing(open_local_services(settings)) as services:
            batch = generate_batch(services, CUT_ARC, 4, "Cut")
            generate_batch(services, "couple_conflict_to_alignment", 2, "Refused")
            again = services.batches.retry_failed(batch, RetryChanges(name="Again"))
            wait_for_end(services, again.batch_id)  # Until then nothing is left to retry.
            plan = ExperimentPlan(batch_id=batch, change=ExperimentChange(max_tokens=32_000), limit=4, name="Compared")
            experiment = services.experiments.compare(plan).id
            hostile = EVERYTHING.replace(HIT, foreign.address)
            lines = (
                b'{"messages": [{"role": "user", "content": "I owe"}, {"role": "assistant", "content": "You can"}]}\n' * 3
            )
            services.imports.import_files([UploadedFile(name=f"{hostile}.jsonl", content=lines)], name=hostile)
            failure = services.failures.list_page().rows[0].id
        with psycopg.connect(settings.require_db_url()) as connection:
            row = connection.execute("select id from public.conversations limit 1").fetchone()
        assert row is not None
        yield Target(url, home, foreign, batch, experiment, failure, row[0])


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@dataclass(frozen=True)
class View:
    """One address and what is done there; `first` marks those that are looked at with every test run."""

    path: str
    act: Callable[[Page], None] | None = None
    first: bool = False


def press(name: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("button", name=name).first.click()


def open_origin(page: Page) -> None:
    for tab in ("Prompt", "Attempts", "Origin"):
        page.get_by_role("tab", name=tab).click()


def choose_all_and_preview(page: Page) -> None:
    page.get_by_role("button", name="Presets").click()
    page.wait_for_timeout(500)
    page.keyboard.press("Escape")
    for icon in page.get_by_test_id("stTooltipIcon").all()[:4]:
        icon.hover()
        page.wait_for_timeout(300)
    for kind in ("persona", "arc"):
        page.locator(f".st-key-{kind}_select_all button").click()
        settle(page)
    page.locator('[class*="st-key-choice_topic_"] label').first.click()
    settle(page)
    page.get_by_role("button", name="Preview a prompt").click()


def open_filter(page: Page) -> None:
    page.get_by_role("combobox", name="Persona", exact=True).click()


def point_at_charts(page: Page) -> None:
    for mark in page.locator(f".js-plotly-plot .point, {HEAT_CELL}").all()[:12]:
        mark.hover(force=True)
        page.wait_for_timeout(100)


def list_views(target: Target, text: str) -> list[View]:
    """Return the address of every view, and of links that carry the text themselves, with what is done there."""
    filters = (
        "model",
        "topic_category",
        "fingerprint",
        "text",
        "type",
        "stop_reason",
        "pattern",
        "effort",
        "category",
        "batch",
    )
    link = urlencode(dict.fromkeys(filters, text[:LONGEST_LINK]))
    choices = urlencode(dict.fromkeys(("personas", "arcs", "topics", "model"), text[:LONGEST_LINK]))
    return [
        View("", first=True),
        View("Bulk_Generator", choose_all_and_preview, first=True),
        View(f"Bulk_Generator?{choices}"),
        View("Batch_Monitor", first=True),
        View(f"Batch_Monitor?batch={target.batch}", press("Retry failed"), first=True),
        View(f"Batch_Monitor?{urlencode({'batch': text[:LONGEST_LINK]})}"),
        View("Failed_Generations", open_filter),
        View(f"Failed_Generations?failure={target.failure}", open_origin, first=True),
        View(f"Failed_Generations?{link}"),
        View("Failure_Analytics", point_at_charts),
        *(View(f"Failure_Analytics?view={view}", point_at_charts) for view in ("dimensions", "limits", "signatures")),
        View("Failure_Analytics?view=heatmaps", point_at_charts, first=True),
        View("Failure_Analytics?view=experiments", press("Compare a setting")),
        View(f"Failure_Analytics?experiment={target.experiment}", point_at_charts),
        View(f"Failure_Analytics?{link}"),
        View("Conversations", open_filter),
        View(f"Conversations?conversation={target.conversation}", point_at_charts, first=True),
        *(View(f"Scaffolding?kind={kind}") for kind in ("Personas", "Emotional+arcs", "Templates")),
        View("Scaffolding?kind=Topics", first=True),
        View("Scaffolding?kind=Personas&open=anxious_planner"),
        View("Scaffolding?kind=Templates&open=calm_and_clear"),
        View(f"Scaffolding?{urlencode({'open': text[:LONGEST_LINK]})}"),
        View("System", first=True),
    ]


def look(page: Page, target: Target, text: str, place: str) -> None:
    """Check the page as it is now; `text` must be somewhere on it, letter by letter."""
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible(timeout=SECONDS * 1000)
    expect(page.locator("body"), place).to_contain_text(text, timeout=SECONDS * 1000)
    page.wait_for_timeout(1_000)  # Tables and charts draw themselves after the script has ended.
    assert [found for found in page.evaluate(LEADS_AWAY) if f'href="{PRICES_SOURCE}"' not in found] == [], place
    assert page.evaluate("() => window.hostile ?? null") is None, place
    assert target.foreign.hits == [], place
    expect(page.get_by_text("Something went wrong")).to_have_count(0)


@pytest.mark.parametrize("kind", ["everything", *(pytest.param(kind, marks=pytest.mark.extended) for kind in KINDS)])
def test_hostile_text_is_shown_as_it_is_and_does_nothing(page: Page, target: Target, kind: str) -> None:
    text = (EVERYTHING if kind == "everything" else KINDS[kind]).replace(HIT, target.foreign.address)
    # As much as charts show of it. Of the letters, those that turn the line around are shown as unreadable.
    begin = " ".join(text.split())[:24] if kind != "letters" else "evil"
    assert plant(target.home, text) > FEWEST_COLUMNS
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    for view in list_views(target, text):
        if kind == "everything" and not view.first:
            continue
        page.goto(f"{target.url}/{view.path}")
        look(page, target, begin, view.path)
        if view.act is not None:
            view.act(page)
            look(page, target, begin, view.path)

    assert not [url for url in asked if not url.startswith((f"{target.url}/", "data:", "blob:"))]


def test_no_table_gives_away_a_formula(page: Page, target: Target) -> None:
    formula = KINDS["formula"].replace(HIT, target.foreign.address)
    plant(target.home, formula)
    for path in ("Batch_Monitor", "Failed_Generations", "Conversations", "Scaffolding?kind=Topics"):
        page.goto(f"{target.url}/{path}")
        look(page, target, "=HYPERLINK", path)
        table = page.get_by_test_id("stDataFrame").first
        table.hover()
        expect(page.get_by_role("button", name="Fullscreen").first).to_be_visible()  # The table's own tools are there …
        expect(page.get_by_role("button", name="Download as CSV")).to_have_count(0)  # … but this one.

        with page.expect_download() as downloading:
            page.get_by_test_id("stDownloadButton").get_by_role("button", name="CSV", exact=True).click()

        rows = list(csv.reader(io.StringIO(downloading.value.path().read_text())))
        assert any("HYPERLINK" in cell for row in rows for cell in row)
        assert not [cell for row in rows for cell in row if cell.lstrip(' "').startswith(("=", "+", "-", "@"))]
