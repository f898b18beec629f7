"""How long an analyst waits: each page in a real browser, over a database with the rows of years of work.

The time runs from the click (or the start of a load) to the last change of the page's content. A page opened within the app
is warm. A page opened by its address starts Streamlit anew in the tab: the empty page shows what that takes, and a press.
"""

import json
import statistics
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import cycle
from pathlib import Path
from time import perf_counter

from playwright.sync_api import Locator, Page

from core.adapters.supabase.migrations import apply_migrations
from core.bench.browser import VIEWPORT, open_browser
from core.bench.empty_page import serve_empty_page
from core.bench.page_watch import WATCH_SCRIPT, wait_until_settled
from core.bench.volume import DATASET, LARGE_BATCH, Volume, fill_database
from core.bootstrap import PageServices, open_local_services
from core.config import Settings
from core.domain.batches.batch import BatchId
from core.domain.batches.monitor import BatchFilters
from core.domain.batches.results import FailureFilters
from core.domain.datasets.records import ConversationFilters, ReviewStatus
from core.domain.diagnosis.plain_names import name_failure_type
from core.domain.record import Record
from core.embedded.plan import REPOSITORY, SERVICES, Part, StackPlan
from core.embedded.stack import start_stack
from core.errors import StackError
from core.seed import seed
from core.services.diagnostics import MOST_BATCHES

ROUNDS = 5
FOLLOWED = (
    "Bulk Generator",
    "Batch Monitor",
    "Failed Generations",
    "Failure Analytics",
    "Conversations",
    "Datasets",
    "Scaffolding",
    "System",
)
ANALYTICS_VIEWS = ("suspects", "dimensions", "heatmaps", "limits", "signatures", "experiments")
PAGE_MS, ADDRESS_MS = 1_000, 2_000
FILTER_MS, DIALOG_MS, REFRESH_MS, DOWNLOAD_MS = 500, 300, 300, 1_000
NEXT_MS = 300
QUERY_MS, DIAGNOSIS_MS = 200, 500
DIAGNOSIS_SECONDS = 21
"""After this time a diagnosis is computed again (`core.ui.analytics.view`)."""
Say = Callable[[str], None]
Act = Callable[[], object]


class Timing(Record):
    """One action of an analyst, and how long it takes, in milliseconds."""

    page: str
    action: str
    target_ms: float
    rounds_ms: tuple[float, ...]

    @property
    def median_ms(self) -> float:
        """The median of all rounds."""
        return statistics.median(self.rounds_ms)

    @property
    def is_kept(self) -> bool:
        """Whether the target is met."""
        return self.median_ms <= self.target_ms


def run_pages(settings: Settings, volume: Volume, say: Say) -> tuple[Timing, ...]:
    """Measure every page of a stack of its own, under `settings.home`, with `volume` in its database."""
    plan = StackPlan(
        settings.model_copy(update={"sim_faults": "", "sim_latency_seconds": 3.0}),
        SERVICES | {Part.SIMULATOR, Part.WORKER, Part.PAGES},
        migrate=partial(apply_migrations, folder=REPOSITORY / "migrations"),
        seed=seed,
    )
    with start_stack(plan, say) as stack:
        if stack.settings.email is None or stack.page_url is None:
            raise StackError("The stack on this machine has no analyst or no pages; look at its logs.")
        fill_database(stack.settings.require_db_url(), stack.settings.email, volume, say)
        with closing(open_local_services(stack.settings)) as services, open_browser(settings.chromium) as browser:
            page = browser.new_context(viewport=VIEWPORT).new_page()
            page.add_init_script(WATCH_SCRIPT)
            with serve_empty_page(stack.settings.home) as empty_url:
                floor = PageBench(page=page, url=empty_url, services=services, say=say).measure_empty()
            return *floor, *PageBench(page=page, url=stack.page_url, services=services, say=say).run()


def _clock(act: Act) -> float:
    began = perf_counter()
    act()
    return (perf_counter() - began) * 1000


class PageBench:
    """The measurements, one page after the other, in one browser tab."""

    def __init__(self, *, page: Page, url: str, services: PageServices, say: Say) -> None:
        self._page, self._url, self._services, self._say = page, url, services, say
        self._timings: list[Timing] = []

    def measure_empty(self) -> tuple[Timing, ...]:
        """Measure a page with nothing on it but a button."""
        name = "Empty page of Streamlit"
        self._open("")
        self._measure(name, "open by its address", ADDRESS_MS, partial(self._open, ""))
        self._measure(name, "press a button", NEXT_MS, partial(self._press, "press"))
        return tuple(self._timings)

    def run(self) -> tuple[Timing, ...]:
        """Run all measurements; return them in order."""
        (large,) = self._services.monitor.list_batches(BatchFilters(text=LARGE_BATCH)).batches
        failure = self._services.failures.list_page().rows[0].id
        for name, path in self._list_pages(large.id):
            self._open(path)  # Warm, as for an analyst who has worked here before.
            self._measure(name, "open by its address", ADDRESS_MS, partial(self._open, path))
        for name in FOLLOWED:
            self._measure(name, "open from Home", PAGE_MS, partial(self._follow, name))
        self._measure_queries()
        self._measure_analytics()
        self._measure_failures(str(failure))
        self._measure_list("Conversations", "Conversations", words="retirement")
        self._measure_dataset()
        self._measure_monitor(large.id)
        return tuple(self._timings)

    def _list_pages(self, large: BatchId) -> list[tuple[str, str]]:
        return [
            ("Home", ""),
            ("Bulk Generator", "Bulk_Generator"),
            ("Batch Monitor", "Batch_Monitor"),
            ("Batch Monitor, 10,000 items", f"Batch_Monitor?batch={large}"),
            ("Failed Generations", "Failed_Generations"),
            *((f"Failure Analytics, {view}", f"Failure_Analytics?view={view}") for view in ANALYTICS_VIEWS),
            ("Conversations", "Conversations"),
            ("Datasets", "Datasets"),
            ("Scaffolding", "Scaffolding"),
            ("System", "System"),
        ]

    def _measure_queries(self) -> None:
        """The database queries of the list of failures, without a page around them."""
        failures, name = self._services.failures, "Failed generations, query"
        first = failures.list_page()
        rare = FailureFilters(failure_type="refusal")
        acts: dict[str, Act] = {
            "25 rows, newest": failures.list_page,
            "25 rows, older": lambda: failures.list_page(cursor=first.next_cursor),
            "25 rows, one type": lambda: failures.list_page(rare),
            "counts of all": failures.count,
            "counts of one type": lambda: failures.count(rare),
        }
        for action, act in acts.items():
            self._measure(name, action, QUERY_MS, partial(_clock, act))

    def _measure_analytics(self) -> None:
        """The diagnosis alone, with its queries and computations; then the page."""
        page, name, path = self._page, "Failure Analytics", "Failure_Analytics"
        diagnostics, store = self._services.diagnostics, self._services.diagnostics.store
        rare, every = FailureFilters(failure_type="refusal"), FailureFilters()
        acts: dict[str, Act] = {
            "query: counts of all": lambda: store.count(every, MOST_BATCHES),
            "queries and diagnosis, all": diagnostics.diagnose,
            "queries and diagnosis, one type": lambda: diagnostics.diagnose(rare),
        }
        for action, act in acts.items():
            self._measure(name, action, DIAGNOSIS_MS, partial(_clock, act))

        def open_anew() -> float:
            self._open("")
            page.wait_for_timeout(1000 * DIAGNOSIS_SECONDS)
            return self._time(page.get_by_role("link", name=name).first.click)

        def change_view() -> float:
            self._open(path)
            return self._time(page.get_by_text("Heat maps", exact=True).click)

        self._measure(name, "open from Home, nothing kept", PAGE_MS, open_anew)
        # A filter counts everything again; its limit is that of the page, not of lists.
        self._measure_filter(name, path, PAGE_MS)
        self._measure(name, "another view", FILTER_MS, change_view)

    def _measure_failures(self, failure_id: str) -> None:
        page, name = self._page, "Failed Generations"

        def open_report() -> float:
            took = self._time(lambda: page.mouse.click(*view))
            page.keyboard.press("Escape")
            page.get_by_role("dialog").wait_for(state="hidden")
            page.wait_for_timeout(1_000)
            return took

        def download() -> float:
            began = perf_counter()
            with page.expect_download() as started:
                page.mouse.click(*raw)
            size = len(json.dumps(json.loads(Path(started.value.path()).read_text())))
            if not size:
                raise StackError("The RAW report is empty.")
            return (perf_counter() - began) * 1000

        self._measure_filter(name, "Failed_Generations", FILTER_MS)
        self._measure_list(name, "Failed_Generations", words="overloaded")
        self._open("Failed_Generations")
        view, raw = self._find_buttons()
        open_report()
        self._measure(name, "open a report", DIALOG_MS, open_report)
        self._measure(name, "download RAW", DOWNLOAD_MS, download)
        self._measure(
            name, "open a report by its address", ADDRESS_MS, lambda: self._open(f"Failed_Generations?failure={failure_id}")
        )

    def _measure_filter(self, name: str, path: str, target_ms: float) -> None:
        """Another type each round, so that no cached result is used."""
        kinds = cycle(sorted(self._services.failures.count().by_type))

        def filter_by_type() -> float:
            self._open(path)
            self._page.get_by_role("combobox", name="Type", exact=True).click()
            return self._time(self._page.get_by_role("option", name=name_failure_type(next(kinds)), exact=True).click)

        self._measure(name, "filter by type", target_ms, filter_by_type)

    def _measure_list(self, name: str, path: str, *, words: str) -> None:
        """The actions of a list of records. Fewer letters each round find the same rows, and no cached result is used."""
        beginnings = cycle(words[: len(words) - missing] for missing in range(ROUNDS))

        def search() -> float:
            self._open(path)
            self._page.get_by_role("searchbox").first.fill(next(beginnings))
            return self._time(lambda: self._page.keyboard.press("Enter"))

        def turn_page() -> float:
            self._open(path)
            return self._time(self._page.get_by_role("button", name="Older").click)

        self._measure(name, "search the text", FILTER_MS, search)
        self._measure(name, "older page", FILTER_MS, turn_page)

    def _measure_dataset(self) -> None:
        """A data set of all past batches, and the review of its conversations."""
        page, dataset = self._page, self._services.datasets.get(DATASET)
        waiting = ConversationFilters(dataset_id=dataset.id, review_status=ReviewStatus.PENDING_REVIEW)
        first = self._services.conversations.find_place(None, waiting).older_id
        name = f"Datasets, {round(dataset.accepted + dataset.rejected, -3):,} conversations"

        def open_from_list() -> float:
            self._open("Datasets")
            table = page.get_by_test_id("stDataFrame").first
            return self._time(lambda: table.click(position={"x": 45, "y": 45}))

        self._measure(name, "open from the list", PAGE_MS, open_from_list)
        self._measure(name, "open by its address", ADDRESS_MS, lambda: self._open(f"Datasets?dataset={dataset.id}"))
        self._open(f"Conversations?dataset={dataset.id}&review=pending_review&conversation={first}")
        self._measure(name, "review: next", NEXT_MS, partial(self._press, "read_next"))
        self._measure(name, "review: approve and next", NEXT_MS, partial(self._press, "review_approved"))

    def _measure_monitor(self, large: BatchId) -> None:
        """The large batch is running, so its page refreshes itself."""
        self._open(f"Batch_Monitor?batch={large}")
        seen: list[float] = []
        while len(seen) < ROUNDS:
            self._page.wait_for_timeout(2_500)
            runs = self._page.evaluate("window.brightrunRuns.filter(run => run.ended).map(run => run.ended - run.began)")
            seen = runs[1:]
        self._note("Batch Monitor, 10,000 items", "refresh", REFRESH_MS, seen[:ROUNDS])

    def _open(self, path: str) -> float:
        self._page.goto(f"{self._url}/{path}", wait_until="commit")
        return wait_until_settled(self._page)

    def _follow(self, name: str) -> float:
        self._open("")
        return self._time(self._page.get_by_role("link", name=name).first.click)

    def _time(self, act: Act) -> float:
        act()  # The driver waits until the button stands still before it clicks: that is not the analyst's time.
        return wait_until_settled(self._page, float(self._page.evaluate("window.brightrunActed")))

    def _press(self, key: str) -> float:
        return self._time(self._page.locator(f".st-key-{key} button").click)

    def _find_buttons(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the positions of the first row's buttons; the table is a picture."""
        table: Locator = self._page.get_by_test_id("stDataFrame").first
        table.wait_for()
        frame = table.bounding_box()
        if frame is None:
            raise StackError("The table is not visible.")
        right, y = frame["x"] + frame["width"], frame["y"] + 45
        return (right - 112, y), (right - 37, y)

    def _measure(self, name: str, action: str, target_ms: float, act: Callable[[], float]) -> None:
        self._note(name, action, target_ms, [act() for _ in range(ROUNDS)])

    def _note(self, name: str, action: str, target_ms: float, rounds_ms: Sequence[float]) -> None:
        timing = Timing(page=name, action=action, target_ms=target_ms, rounds_ms=tuple(rounds_ms))
        self._timings.append(timing)
        self._say(
            f"{name:<30}{action:<30}{timing.median_ms:>7.0f} ms of {target_ms:.0f}{'' if timing.is_kept else '  MISSED'}"
        )
