"""A steady batch for an hour, watched in a browser, while the memory of every part is sampled."""

import time
from contextlib import closing
from dataclasses import replace

import psycopg
from playwright.sync_api import Browser

from core.bench.browser import open_browser
from core.bench.large_batch import select_items, submit_items
from core.bench.processes import UsageWatch
from core.bench.soak_figures import SoakResult, SoakSample, compare_quarters
from core.bench.throughput import Say, plan_load
from core.bench.throughput_figures import Load
from core.bootstrap import open_local_services
from core.config import Settings
from core.domain.batches.batch import BatchId, BatchStatus
from core.embedded.plan import Part
from core.embedded.stack import Stack, start_stack
from core.errors import StackError

SAMPLES, LONGEST_PAUSE_SECONDS = 12, 60.0
PATIENCE = 3
"""The batch may take this many times as long as its calls, and ten minutes."""


def plan_soak(minutes: float, items: int, concurrency: int, workers: int) -> Load:
    """Return a load that takes this long if no slot is ever empty."""
    return Load(latency_seconds=60 * minutes * concurrency / items, concurrency=concurrency, items=items, workers=workers)


def run_soak(settings: Settings, load: Load, say: Say) -> SoakResult:
    """Run one batch in a stack of its own under `settings.home`, with its page open in a browser."""
    timeout = max(settings.request_timeout_seconds, 2 * load.latency_seconds)
    plan = plan_load(settings, load, request_timeout_seconds=timeout)
    plan = replace(plan, parts=plan.parts | {Part.PAGES})
    with (
        start_stack(plan, say) as stack,
        closing(open_local_services(stack.settings)) as services,
        open_browser(settings.chromium) as browser,
    ):
        selection = select_items(services, stack.settings.require_db_url(), load.items)
        batch = stack.settings.batch_defaults.model_copy(update={"concurrency": load.concurrency})
        batch_id = submit_items(services, selection, batch, load.items)
        return Soak(stack, load, batch_id, browser, say).run()


class Soak:
    """The samples of one batch."""

    def __init__(self, stack: Stack, load: Load, batch_id: BatchId, browser: Browser, say: Say) -> None:
        self._load, self._batch_id, self._say = load, batch_id, say
        self._database_url = stack.settings.require_db_url()
        self._page_url = f"{stack.page_url}/Batch_Monitor?batch={batch_id}"
        self._page = browser.new_page()
        self._watch = UsageWatch(stack.folder)
        self._began = time.monotonic()

    def run(self) -> SoakResult:
        """Sample until the batch has ended; raise StackError if it takes far too long."""
        samples: list[SoakSample] = []
        pause_seconds = min(self._load.ideal_seconds / SAMPLES, LONGEST_PAUSE_SECONDS)
        deadline = self._began + 600 + PATIENCE * self._load.ideal_seconds
        accepted, status = 0, BatchStatus.QUEUED
        while not status.is_final:
            if time.monotonic() > deadline:
                raise StackError(f"The batch has {accepted} of {self._load.items} items after {self._seconds:.0f} s.")
            self._page.goto(self._page_url)  # A new session each time; the page refreshes itself until the next.
            time.sleep(pause_seconds)
            accepted, status = self._read_progress()
            if not status.is_final:
                samples.append(self._sample(accepted))
        return SoakResult(
            load=self._load,
            accepted=accepted,
            seconds=self._seconds,
            samples=tuple(samples),
            growths=compare_quarters(samples),
        )

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    def _sample(self, accepted: int) -> SoakSample:
        sample = SoakSample(second=self._seconds, accepted=accepted, usages=self._watch.read())
        memory = ", ".join(f"{usage.part} {usage.private_mb:.0f}" for usage in sample.usages)
        self._say(f"{sample.second / 60:5.1f} min, {accepted:,} accepted, MB: {memory}")
        return sample

    def _read_progress(self) -> tuple[int, BatchStatus]:
        with psycopg.connect(self._database_url) as connection:
            row = connection.execute(
                "select count(i.id), b.status from public.batches b"
                " left join public.batch_items i on i.batch_id = b.id and i.status = 'completed'"
                " where b.id = %s group by b.status",
                (self._batch_id,),
            ).fetchone()
        if row is None:
            raise StackError(f"There is no batch {self._batch_id}.")
        return int(row[0]), BatchStatus(row[1])
