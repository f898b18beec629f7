"""Every page in every state, in four windows, light and dark: pictures to look at, and what can be measured of them.

`make state-pictures` writes the pictures into build/states. The tests run in this order, each leads to the next state.
"""

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal
from uuid import UUID

import psycopg
import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from core.bench.browser import VIEWPORT
from core.bench.volume import LARGE_BATCH, Volume, fill_database
from core.bootstrap import PageServices, open_local_services
from core.config import load_settings
from core.domain.batches.batch import BatchId, BatchSettings, Selection
from core.domain.batches.monitor import BatchFilters
from core.domain.datasets.plans import PlanPart
from core.domain.datasets.versions import CountedStatus
from core.domain.diagnosis.experiments import ExperimentChange, ExperimentPlan
from core.domain.scaffolding.records import ConversationCategory
from core.errors import DatabaseUnavailable
from core.services.scaffolding import pick_arcs
from tests.e2e.hostile import plant
from tests.e2e.layout import find_faults, walk_by_keyboard
from tests.support.product import CUT_ARC, WHOLE_ARC, generate_batch, wait_for_end
from tests.support.running_stack import run_stack, stop_parts

pytestmark = [pytest.mark.extended, pytest.mark.timeout(1_800)]

PICTURES = Path(os.environ.get("STATE_PICTURES", "build/states"))
FAULTS = f"cut_string@{CUT_ARC}=0.5,max_tokens@{WHOLE_ARC}=0.05"
WINDOWS: dict[str, ViewportSize] = {
    "1366": VIEWPORT,
    "1920": {"width": 1920, "height": 1080},
    "1024": {"width": 1024, "height": 768},
    "zoomed": {"width": 911, "height": 512},  # 1366 by 768 at 150 %.
}
THEMES: tuple[Literal["light", "dark"], ...] = ("dark", "light")
WHOLE_PAGE: ViewportSize = {"width": 1366, "height": 2400}
LONG_NAME = "A name as long as it may be because somebody wrote everything into it that came to mind "
PAGES = (
    "",
    "Bulk_Generator",
    "Batch_Monitor",
    "Failed_Generations",
    "Failure_Analytics",
    "Conversations",
    "Datasets",
    "Scaffolding",
    "System",
)
VIEWS = tuple(f"Failure_Analytics?view={view}" for view in ("dimensions", "heatmaps", "limits", "signatures", "experiments"))


class State(StrEnum):
    """In what state the product is looked at."""

    EMPTY = "empty"
    FILLED = "filled"
    CLAUDE_DOWN = "claude-down"
    WORKER_DOWN = "worker-down"
    QUEUE_DOWN = "queue-down"
    LOADING = "loading"
    API_DOWN = "api-down"
    LONG_NAMES = "long-names"
    FULL = "full"


@dataclass(frozen=True)
class Target:
    """A running product."""

    url: str
    home: Path
    services: PageServices

    @contextmanager
    def without(self, *parts: str) -> Iterator[None]:
        """Stop parts for the length of a `with` block."""
        try:
            with stop_parts(self.home, *parts):
                yield
        finally:
            self.wait_until_it_answers()

    def wait_until_it_answers(self) -> None:
        """Wait for the database and its API."""
        for _ in range(60):
            with suppress(DatabaseUnavailable):
                self.services.overview.read()
                return
            time.sleep(1)
        pytest.fail("The API is not back after a minute.")


@contextmanager
def run_product(home: Path) -> Iterator[Target]:
    with run_stack(home, faults=FAULTS) as url, closing(open_local_services(load_settings(home=home))) as services:
        yield Target(url, home, services)


@pytest.fixture(scope="module")
def target(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with run_product(tmp_path_factory.mktemp("states") / "home") as target:
        yield target


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One tab for all: what is loaded once is fast."""
    context = browser.new_context(viewport=VIEWPORT)
    yield context.new_page()
    context.close()


def open_settled(page: Page, url: str) -> None:
    page.goto(url, timeout=90_000)
    title = page.get_by_test_id("stHeading").or_(page.get_by_test_id("stAlert"))  # Or what is wrong.
    expect(title.first).to_be_visible(timeout=90_000)
    expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible(timeout=90_000)
    page.wait_for_timeout(1_200)  # Tables and charts draw themselves after the script has ended.


def look(page: Page, target: Target, state: State, paths: dict[str, str]) -> list[str]:
    """Take the pictures of pages and return what is wrong with them."""
    found: list[str] = []
    for name, path in paths.items():
        page.set_viewport_size(VIEWPORT)
        open_settled(page, f"{target.url}/{path}")
        for window, size in WINDOWS.items():
            page.set_viewport_size(size)
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                page.wait_for_timeout(400)
                take_picture(page, f"{state}-{name}-{window}-{theme}")
            found += [f"{name}, {window}: {fault}" for fault in find_faults(page)]
        page.set_viewport_size(WHOLE_PAGE)
        page.emulate_media(color_scheme="light")
        page.wait_for_timeout(700)
        take_picture(page, f"{state}-{name}-whole")
    return found


def take_picture(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def name_paths(*paths: str) -> dict[str, str]:
    """Return a name for the picture of each address."""
    return {path.replace("?view=", "-") or "Home": path for path in paths}


def list_filled(target: Target) -> dict[str, str]:
    """Return every page that shows records, and one record of each kind."""
    batch = target.services.monitor.list_batches(BatchFilters(text="Cut")).batches[0].id
    return (
        name_paths(*PAGES, *VIEWS)
        | list_records(target)
        | {
            "Batch": f"Batch_Monitor?batch={batch}",
            "Comparison": f"Failure_Analytics?experiment={find_experiment(target)}",
            "Template": "Scaffolding?kind=Templates&open=calm_and_clear",
            "Persona": "Scaffolding?kind=Personas&open=anxious_planner",
        }
    )


def list_records(target: Target) -> dict[str, str]:
    """Return one record of each kind that an analyst reads, and the newest data set."""
    failure, conversation = target.services.failures.list_page().rows[0], target.services.conversations.list_page().rows[0]
    dataset = target.services.datasets.list_all(most=1)[0]
    return {
        "Failure": f"Failed_Generations?failure={failure.id}",
        "Conversation": f"Conversations?conversation={conversation.id}",
        "Review": f"Conversations?review=pending_review&conversation={conversation.id}",
        "Dataset": f"Datasets?dataset={dataset.id}",
    }


def find_experiment(target: Target) -> UUID:
    with psycopg.connect(load_settings(home=target.home).require_db_url()) as connection:
        row = connection.execute("select id from public.experiments limit 1").fetchone()
    assert row is not None
    return row[0]


def fill_dataset(target: Target, name: str) -> None:
    """Plan a data set, generate a part of it, and freeze that."""
    choices, datasets = target.services.scaffolding.list_choices(), target.services.datasets
    part = PlanPart(
        conversation_category=ConversationCategory.CORE,
        persona_ids=tuple(persona.id for persona in choices.personas),
        arc_ids=tuple(arc.id for arc in pick_arcs(choices, ConversationCategory.CORE, WHOLE_ARC)),
        topic_ids=tuple(topic.id for topic in choices.topics[:4]),
    )
    dataset = datasets.create(name, CountedStatus.ACCEPTED, [part])
    settings = BatchSettings(model="claude-sonnet-5-5", max_tokens=24_576, concurrency=12)
    for submitted in datasets.top_up(dataset, settings):
        wait_for_end(target.services, submitted.batch_id)
    datasets.freeze(datasets.get(name), include_simulated=True)


def submit_waiting(target: Target) -> BatchId:
    """Submit a batch that nobody works on."""
    choices = target.services.scaffolding.list_choices()
    selection = Selection(
        category=ConversationCategory.CORE,
        persona_ids=tuple(persona.id for persona in choices.personas),
        arc_ids=(choices.usable_arcs_of(ConversationCategory.CORE)[0].id,),
        topic_ids=tuple(topic.id for topic in choices.topics[:5]),
    )
    settings = BatchSettings(model="claude-sonnet-5-5", max_tokens=24_576, concurrency=3)
    return target.services.batches.submit(selection, settings, name="Waiting").batch_id


def test_an_empty_product(tab: Page, target: Target) -> None:
    assert look(tab, target, State.EMPTY, name_paths(*PAGES)) == []


def test_a_filled_product(tab: Page, target: Target) -> None:
    cut = generate_batch(target.services, CUT_ARC, 10, "Cut")
    generate_batch(target.services, WHOLE_ARC, 20, "Whole")
    plan = ExperimentPlan(batch_id=cut, change=ExperimentChange(max_tokens=32_000), limit=20, name="More tokens")
    target.services.experiments.compare(plan)
    fill_dataset(target, "A data set")
    tab.goto(f"{target.url}/Failure_Analytics?experiment={find_experiment(target)}")
    expect(tab.get_by_text("20 of 20 pairs")).to_be_visible(timeout=90_000)

    assert look(tab, target, State.FILLED, list_filled(target)) == []


def test_every_place_of_a_page_is_reached_by_keyboard_and_shows_it(tab: Page, target: Target) -> None:
    found: list[str] = []
    tab.set_viewport_size(VIEWPORT)
    for name, path in list_filled(target).items():
        open_settled(tab, f"{target.url}/{path}")
        found += [f"{name}: {fault}" for fault in walk_by_keyboard(tab)]

    assert found == []


def test_claude_is_down(tab: Page, target: Target) -> None:
    with target.without("claude"):
        batch = submit_waiting(target)
        paths = name_paths("", "Bulk_Generator", "Batch_Monitor", "System") | {"Batch": f"Batch_Monitor?batch={batch}"}
        assert look(tab, target, State.CLAUDE_DOWN, paths) == []


@pytest.mark.parametrize(("state", "part"), [(State.WORKER_DOWN, "worker-1"), (State.QUEUE_DOWN, "valkey")])
def test_a_part_is_down_while_a_batch_waits(tab: Page, target: Target, state: State, part: str) -> None:
    with target.without("worker-1"):
        batch = submit_waiting(target)
        with target.without(*{part} - {"worker-1"}):
            paths = name_paths("", "Bulk_Generator", "Batch_Monitor", "System") | {"Batch": f"Batch_Monitor?batch={batch}"}
            assert look(tab, target, state, paths) == []


def test_the_database_is_slow(tab: Page, target: Target) -> None:
    """What is on the screen while a page waits, and what after it has given up."""
    with psycopg.connect(load_settings(home=target.home).require_db_url()) as connection:
        connection.execute("lock table public.batches, public.batch_items, public.personas in access exclusive mode")
        for name, path in name_paths(*PAGES).items():
            tab.set_viewport_size(VIEWPORT)
            tab.goto(f"{target.url}/{path}", timeout=90_000)
            tab.wait_for_timeout(3_000)
            take_picture(tab, f"{State.LOADING}-{name}-1366-light")
            if name != "System":  # It reads none of these.
                expect(tab.get_by_test_id("stSkeletonElement").or_(tab.get_by_test_id("stSpinner")).first).to_be_visible()


def test_the_api_is_down(tab: Page, target: Target) -> None:
    with target.without("api"):
        assert look(tab, target, State.API_DOWN, name_paths(*PAGES)) == []


def test_names_are_very_long(tab: Page, target: Target) -> None:
    paths = list_filled(target)
    del paths["Conversation"], paths["Review"]  # Planted speakers make it unreadable.
    plant(target.home, (LONG_NAME * 3)[:200])

    assert look(tab, target, State.LONG_NAMES, paths) == []


def test_a_hundred_thousand_rows(tab: Page, tmp_path: Path) -> None:
    with run_product(tmp_path / "home") as target:
        settings = load_settings(home=target.home)
        assert settings.email is not None
        volume = Volume(failures=80_000, conversations=20_000, large_batch_items=10_000)
        fill_database(settings.require_db_url(), settings.email, volume, print)
        batch = target.services.monitor.list_batches(BatchFilters(text=LARGE_BATCH)).batches[0].id
        paths = name_paths(*PAGES, *VIEWS) | list_records(target) | {"Batch": f"Batch_Monitor?batch={batch}"}
        assert look(tab, target, State.FULL, paths) == []
