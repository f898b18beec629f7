"""How long commands, the stack and its first page take to start."""

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from playwright.sync_api import BrowserContext

from core.adapters.supabase.migrations import apply_migrations
from core.bench.browser import VIEWPORT, open_browser
from core.bench.page_watch import WATCH_SCRIPT, wait_until_settled
from core.config import Settings, child_environment
from core.domain.record import Record
from core.embedded.plan import REPOSITORY, Part, StackPlan
from core.embedded.stack import start_stack
from core.errors import StackError
from core.seed import seed

COMMAND_ROUNDS = 7
HELP_SECONDS, SCAN_SECONDS, STATUS_SECONDS, PAGE_SECONDS = 0.4, 0.8, 1.2, 2.0
SMALL_FILE = (
    json.dumps({"messages": [{"role": "user", "content": "May I retire?"}, {"role": "assistant", "content": "You may."}]})
    + "\n"
)
Say = Callable[[str], None]


class StartTiming(Record):
    """How long one thing took to start, each time, in seconds."""

    name: str
    target_seconds: float | None = None
    rounds_seconds: tuple[float, ...]
    processor_seconds: tuple[float, ...] = ()
    """For a command: its processor time, which other programs affect less."""

    @property
    def least_seconds(self) -> float:
        """The shortest round: closest to an idle machine."""
        return min(self.rounds_seconds)

    @property
    def is_kept(self) -> bool:
        """Whether the target, if there is one, was met at least once."""
        return self.target_seconds is None or self.least_seconds <= self.target_seconds

    @property
    def row(self) -> str:
        """A row of the table below HEADING."""
        processor = f"{min(self.processor_seconds):.2f}" if self.processor_seconds else ""
        target = "" if self.target_seconds is None else f"{self.target_seconds:.1f}"
        median = statistics.median(self.rounds_seconds)
        return f"| {self.name} | {self.least_seconds:.2f} | {median:.2f} | {processor} | {target} |"


HEADING = "| what | least s | median s | processor: least s | target s |\n|---|---|---|---|---|"


def run_start(settings: Settings, starts: int, say: Say) -> tuple[StartTiming, ...]:
    """Measure commands, and a stack of its own under `settings.home` that is started this many times over the same data."""
    small_file = settings.home / "small.jsonl"
    small_file.write_text(SMALL_FILE)
    plan = StackPlan(
        settings, frozenset(Part), migrate=partial(apply_migrations, folder=REPOSITORY / "migrations"), seed=seed
    )
    ups: list[float] = []
    pages: list[float] = []
    commands: tuple[StartTiming, ...] = ()
    with open_browser(settings.chromium) as browser, browser.new_context(viewport=VIEWPORT) as context:
        context.add_init_script(WATCH_SCRIPT)
        context.new_page()  # The browser of an analyst at work is open already.
        for _ in range(starts):
            began = time.perf_counter()
            with start_stack(plan, lambda _: None) as stack:
                ups.append(time.perf_counter() - began)
                if stack.page_url is None:
                    raise StackError("The stack on this machine has no pages; look at its logs.")
                pages.append(_open_page(context, stack.page_url))
                say(f"start {len(ups)}: ready in {ups[-1]:.1f} s, first page in {pages[-1]:.1f} s")
                if len(ups) == starts:
                    commands = _measure_commands(settings.home, small_file)
    return (
        *commands,
        StartTiming(name="`brightrun up`, the first time", rounds_seconds=(ups[0],)),
        StartTiming(name="`brightrun up` with data", rounds_seconds=tuple(ups[1:])),
        StartTiming(name="first page, in a browser that is new to it", rounds_seconds=(pages[0],)),
        StartTiming(name="first page after a start", target_seconds=PAGE_SECONDS, rounds_seconds=tuple(pages[1:])),
    )


def _open_page(context: BrowserContext, url: str) -> float:
    """Open an address in a new tab and return the seconds until everything is shown."""
    with context.new_page() as page:
        page.goto(url, wait_until="commit")
        return wait_until_settled(page) / 1000


def _measure_commands(home: Path, small_file: Path) -> tuple[StartTiming, ...]:
    made = _run(home, "generate", "--category", "core", "--limit", "1", "--wait", "--json")
    batch_id = str(json.loads(made)["batch_id"])
    return (
        _measure_command(home, "`brightrun --help`", HELP_SECONDS, "--help"),
        _measure_command(home, "`scan` of a small file", SCAN_SECONDS, "scan", str(small_file)),
        _measure_command(home, "`status`", STATUS_SECONDS, "status", batch_id),
        _measure_command(home, "`export`", None, "export", "--output", "-"),
    )


def _measure_command(home: Path, name: str, target_seconds: float | None, *words: str) -> StartTiming:
    rounds: list[float] = []
    processor: list[float] = []
    for _ in range(COMMAND_ROUNDS):
        used, began = _count_processor_seconds(), time.perf_counter()
        _run(home, *words)
        rounds.append(time.perf_counter() - began)
        processor.append(_count_processor_seconds() - used)
    return StartTiming(
        name=name, target_seconds=target_seconds, rounds_seconds=tuple(rounds), processor_seconds=tuple(processor)
    )


def _run(home: Path, *words: str) -> bytes:
    command = [str(Path(sys.executable).with_name("brightrun")), *words]
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=child_environment(BRIGHTRUN_HOME=str(home)), capture_output=True, check=False
    )
    if done.returncode:
        raise StackError(f"`brightrun {' '.join(words)}` failed: {done.stderr.decode()}")
    return done.stdout


def _count_processor_seconds() -> float:
    """Return the processor time of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
