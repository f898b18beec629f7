"""How long a small batch waits behind a large one, with one worker for both."""

import statistics
import time
from contextlib import closing

import psycopg
from pydantic import AwareDatetime

from core.bench.large_batch import select_items, submit_items, wait_for_batch
from core.bench.throughput import Say, plan_load
from core.bench.throughput_figures import Load
from core.bench.waiting import wait_until
from core.bootstrap import PageServices, open_local_services
from core.config import Settings
from core.domain.batches.batch import BatchAction, BatchId, Selection
from core.domain.record import Record
from core.embedded.stack import start_stack
from core.errors import StackError

SMALL_ITEMS = 2
START_SECONDS = 60.0
_COUNT_ATTEMPTS = "select count(*) from public.generation_attempts where batch_id = %s"
_READ_TIMES = """
select b.created_at, min(a.created_at - make_interval(secs => a.duration_ms / 1000.0)), b.completed_at
from public.batches b join public.generation_attempts a on a.batch_id = b.id where b.id = %s group by b.id
"""


class SmallBatch(Record):
    """When a batch of two conversations was submitted, called Claude for the first time (at the latest), and ended."""

    submitted_at: AwareDatetime
    called_at: AwareDatetime
    ended_at: AwareDatetime

    @property
    def seconds_to_first_call(self) -> float:
        """From its submission; when a call began is known from when its reply was recorded, so this is a little too long."""
        return (self.called_at - self.submitted_at).total_seconds()

    @property
    def seconds_to_end(self) -> float:
        """From its submission."""
        return (self.ended_at - self.submitted_at).total_seconds()


class FairnessResult(Record):
    """Small batches, one after the other, while a large one was under way."""

    load: Load
    smalls: tuple[SmallBatch, ...]
    large_replies_a_second: float


def run_fairness(settings: Settings, load: Load, rounds: int, say: Say) -> FairnessResult:
    """Submit `rounds` small batches while a large one runs, in a stack of its own under `settings.home`."""
    with start_stack(plan_load(settings, load), say) as stack, closing(open_local_services(stack.settings)) as services:
        url = stack.settings.require_db_url()
        selection = select_items(services, url, load.items)
        few = selection.model_copy(update={"limit": SMALL_ITEMS})
        defaults = stack.settings.batch_defaults
        large = submit_items(services, selection, defaults.model_copy(update={"concurrency": load.concurrency}), load.items)
        wait_until(lambda: _count_attempts(url, large) >= load.concurrency, "the large batch is under way", START_SECONDS)
        before, began = _count_attempts(url, large), time.monotonic()
        smalls: list[SmallBatch] = []
        for number in range(1, rounds + 1):
            smalls.append(_run_small(services, stack.settings, few))
            say(f"{number} of {rounds}: first call after {smalls[-1].seconds_to_first_call:.2f} s")
        rate = (_count_attempts(url, large) - before) / (time.monotonic() - began)
        if _count_attempts(url, large) >= load.items:
            raise StackError("The large batch ended first: give it more --items.")
        services.batches.control(large, BatchAction.CANCEL)
        return FairnessResult(load=load, smalls=tuple(smalls), large_replies_a_second=rate)


def write_fairness_table(result: FairnessResult) -> str:
    """Return medians and the worst, with what a batch of two takes alone at least."""
    first = [small.seconds_to_first_call for small in result.smalls]
    end = [small.seconds_to_end for small in result.smalls]
    heading = (
        f"{len(result.smalls)} batches of {SMALL_ITEMS}, one after the other, behind one of {result.load.items:,} "
        f"({result.load}), which goes on with {result.large_replies_a_second:.0f} replies a second:"
    )
    return "\n".join(
        [
            heading,
            "",
            "| from the submission of the small batch | median s | longest s |",
            "|---|---|---|",
            f"| to its first call | {statistics.median(first):.2f} | {max(first):.2f} |",
            f"| to its end | {statistics.median(end):.2f} | {max(end):.2f} |",
        ]
    )


def _run_small(services: PageServices, settings: Settings, selection: Selection) -> SmallBatch:
    url = settings.require_db_url()
    small = submit_items(services, selection, settings.batch_defaults, SMALL_ITEMS)
    wait_for_batch(url, small, START_SECONDS)
    with psycopg.connect(url) as connection:
        row = connection.execute(_READ_TIMES, (small,)).fetchone()
    if row is None:
        raise StackError("The small batch has made no call.")
    return SmallBatch(submitted_at=row[0], called_at=row[1], ended_at=row[2])


def _count_attempts(url: str, batch_id: BatchId) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(_COUNT_ATTEMPTS, (batch_id,)).fetchone()
    return row[0] if row else 0
