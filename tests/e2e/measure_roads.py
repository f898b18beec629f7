"""An analyst's roads in clicks and seconds: `python -m tests.e2e.measure_roads`, or `make measure-roads`.

Clicks are those that the browser sees, and Enter. Seconds go from Home, loaded, to the last thing on the road; a script does
not read, so they are what the product takes.
"""

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, expect

from core.bench.browser import VIEWPORT, open_browser
from core.bootstrap import PageServices, open_local_services
from core.cli.bench.machine import print_machine
from core.config import load_settings
from core.domain.batches.batch import BatchSettings, Selection
from core.domain.scaffolding.records import ConversationCategory
from tests.factories import make_old_data_set
from tests.support.browser import click_table
from tests.support.product import CUT_ARC, wait_for_end
from tests.support.running_stack import run_stack

ITEMS = 200
FAULTS = f"cut_string@{CUT_ARC}=0.5"
COUNT_CLICKS = """
const add = () => sessionStorage.setItem('clicks', Number(sessionStorage.getItem('clicks') ?? 0) + 1);
addEventListener('pointerdown', add, {capture: true});
addEventListener('keydown', (event) => { if (event.key === 'Enter') add(); }, {capture: true});
"""
SECONDS = 60_000


@dataclass(frozen=True)
class Taken:
    """What a road took."""

    road: str
    clicks: int
    seconds: float


def generate_mixed(services: PageServices) -> None:
    """Generate items of all core arcs, of which one is cut every other time."""
    choices = services.scaffolding.list_choices()
    selection = Selection(
        category=ConversationCategory.CORE,
        persona_ids=tuple(persona.id for persona in choices.personas),
        arc_ids=tuple(arc.id for arc in choices.usable_arcs_of(ConversationCategory.CORE)),
        topic_ids=tuple(topic.id for topic in choices.topics),
        limit=ITEMS,
    )
    settings = BatchSettings(model="claude-sonnet-5-5", max_tokens=24_576, concurrency=20)
    wait_for_end(services, services.batches.submit(selection, settings, name="Two hundred").batch_id)


class Walk:
    """Roads that begin at Home, in one tab."""

    def __init__(self, page: Page, url: str) -> None:
        self._page, self._url = page, url
        self.taken: list[Taken] = []

    @contextmanager
    def measure(self, road: str) -> Iterator[Page]:
        """Go to Home and measure what is done in a `with` block."""
        page = self._page
        page.goto(self._url, timeout=SECONDS)
        expect(page.get_by_role("heading", name="Home")).to_be_visible(timeout=SECONDS)
        expect(page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]')).to_be_visible(timeout=SECONDS)
        page.wait_for_timeout(2_000)
        page.evaluate("sessionStorage.removeItem('clicks')")
        began = time.monotonic()
        yield page
        seconds = time.monotonic() - began
        self.taken.append(Taken(road, int(page.evaluate("sessionStorage.getItem('clicks') ?? 0")), seconds))


def walk(page: Page, url: str, services: PageServices, old: Path) -> list[Taken]:
    """Walk all roads, one after the other."""
    roads = Walk(page, url)
    make_first_batch(roads)
    generate_mixed(services)
    find_cause(roads)
    retry_failures(roads)
    load_old_data(roads, old)
    return roads.taken


def make_first_batch(roads: Walk) -> None:
    with roads.measure("first batch: two conversations are there") as page:
        page.get_by_role("button", name="Generate conversations").click()
        page.get_by_role("button", name="Presets").click()
        page.get_by_text(re.compile("^Try it: .*= 2$")).click()
        page.get_by_role("button", name="Generate 2 conversations").click()
        expect(page.get_by_text("2 of 2 done")).to_be_visible(timeout=SECONDS)


def find_cause(roads: Walk) -> None:
    with roads.measure(f"find the planted cause among {ITEMS} items: it is named") as page:
        page.get_by_role("link", name="Failure Analytics").click()
        finding = page.get_by_text(re.compile("failures come from arc"))
        expect(finding).to_be_visible(timeout=SECONDS)
        expect(finding).to_be_in_viewport(ratio=1)
    with roads.measure("and its failures are on the screen") as page:
        page.get_by_role("link", name="Failure Analytics").click()
        page.get_by_role("button", name="Show these failures").click()
        expect(page.get_by_text(re.compile(r"of \d+ failures?$"))).to_be_visible(timeout=SECONDS)


def retry_failures(roads: Walk) -> None:
    with roads.measure("retry its failures: the retry has come to its end") as page:
        click_table(page, 0, 300)
        page.get_by_role("button", name="Retry failed").click()
        page.get_by_role("dialog").get_by_role("button", name=re.compile(r"Retry \d+ item")).click()
        expect(page.get_by_role("heading", name="Retry of Two hundred")).to_be_visible(timeout=SECONDS)
        expect(page.get_by_role("button", name=re.compile("Generate more|Generate again"))).to_be_visible(timeout=SECONDS)


def load_old_data(roads: Walk, old: Path) -> None:
    with roads.measure("load old data (144 conversations): its cause is named") as page:
        page.get_by_role("link", name="Failure Analytics").click()
        page.get_by_role("button", name="Import data set").click()
        dialog = page.get_by_role("dialog")
        with page.expect_file_chooser() as choosing:
            dialog.get_by_role("button", name=re.compile("Upload|Browse")).first.click()
        choosing.value.set_files(old)
        dialog.get_by_role("button", name="Import 1 file").click()
        dialog.get_by_role("button", name="Find out why").click()
        expect(page.get_by_text(re.compile("24 of 24 failures come from")).first).to_be_visible(timeout=SECONDS)


def main() -> None:
    """Print the roads as a table of docs/measurements.md."""
    with tempfile.TemporaryDirectory(prefix="brightrun-roads-") as folder:
        home, old = Path(folder) / "home", Path(folder) / "old.jsonl"
        old.write_bytes(make_old_data_set())
        with (
            run_stack(home, faults=FAULTS, latency_seconds=1.0) as url,
            closing(open_local_services(load_settings(home=home))) as services,
            open_browser(load_settings().chromium) as browser,
        ):
            page = browser.new_context(viewport=VIEWPORT).new_page()
            page.set_default_timeout(SECONDS)
            page.add_init_script(COUNT_CLICKS)
            taken = walk(page, url, services, old)
    print("| road, from Home | clicks | seconds |\n|---|---|---|")
    for each in taken:
        print(f"| {each.road} | {each.clicks} | {each.seconds:.1f} |")
    print_machine()


if __name__ == "__main__":
    main()
