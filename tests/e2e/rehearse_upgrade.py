"""Start today's code on a stack that an older commit made and filled: `make rehearse-upgrade FROM=59bc2a5`.

The older commit is checked out beside this one and installed from its own lock. Both look at the same data in a browser, and
what they count on every page must be equal. Takes some minutes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from core.bench.browser import VIEWPORT, open_browser
from core.config import load_settings
from tests.support.running_stack import FOREIGN, ROOT, UP_SECONDS

FAULTS = "cut_string@shame_to_acceptance=0.4,max_tokens=0.04,refusal=0.02"
BATCHES = (
    ("--category", "core", "--topics", "4", "--canary", "0", "--name", "Core journeys"),
    ("--category", "edge", "--topics", "2", "--limit", "12", "--canary", "0", "--name", "Edge cases"),
)
PAGES = (
    "",
    "Batch_Monitor",
    "Failed_Generations",
    "Failure_Analytics",
    "Failure_Analytics?view=dimensions",
    "Failure_Analytics?view=kinds",
    "Failure_Analytics?view=experiments",
    "Conversations",
    "Scaffolding",
)
FIGURES = r"""() => ({
    metrics: [...document.querySelectorAll('[data-testid=stMetricValue]')].map(mark => mark.innerText.replace(/\s+/g, '')),
    rows: [...document.querySelectorAll('[data-testid=stDataFrame] table[role=grid]')]
        .map(grid => grid.getAttribute('aria-rowcount')),
})"""
COMPARISON_MILLISECONDS = 240_000


class Product:
    """One checkout of the product over the shared folder of data."""

    def __init__(self, checkout: Path, python: Path, home: Path) -> None:
        self.checkout, self.python, self.home = checkout, python, home
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)} | {
            "BRIGHTRUN_HOME": str(home),
            "BRIGHTRUN_SIM_FAULTS": FAULTS,
            "BRIGHTRUN_SIM_LATENCY_SECONDS": "0.05",
        }

    def run(self, *words: str) -> str:
        """Run one command of the product and return what it printed; an unexpected exit code ends the rehearsal."""
        command = [self.python.parent / "brightrun", *words]
        done = subprocess.run(
            command, cwd=self.checkout, env=self.environment, capture_output=True, text=True, timeout=UP_SECONDS, check=False
        )
        # 1 says that a batch or an import has failures in it, which is what is wanted here.
        if done.returncode not in {0, 1}:
            raise SystemExit(f"brightrun {' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    @contextmanager
    def up(self) -> Iterator[str]:
        """Run the stack and give the address of its pages."""
        self.run("up", "--detach", "--no-browser")
        try:
            yield json.loads((self.home / "stack.json").read_text())["page_url"]
        finally:
            self.run("down")


def install(commit: str, folder: Path) -> Path:
    """Check the commit out into the folder, install it, and return its Python."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", commit], check=True)
    subprocess.run(["make", ".venv/.ready"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / ".venv/bin/python"


def fill(product: Product, url: str, page: Page, imported: Path) -> list[str]:
    """Leave batches with failures, an import and a comparison; return the ids of the batches and the import."""
    made = [product.run("generate", *batch, "--wait", "--json") for batch in BATCHES]
    made.append(product.run("import", str(imported), "--name", "Old data", "--json"))
    page.goto(f"{url}/Failure_Analytics?view=experiments")
    page.get_by_role("button", name="Compare a setting").click()
    page.get_by_role("button", name="Start with").click()
    page.wait_for_url("**experiment=*", timeout=20_000)
    expect(page.get_by_text("completed").first).to_be_visible(timeout=COMPARISON_MILLISECONDS)
    return [json.loads(said)["batch_id"] for said in made]


def read_figures(page: Page, url: str, batch_ids: list[str]) -> dict[str, object]:
    """Return what every page counts: its figures and the rows of its tables."""
    figures: dict[str, object] = {}
    of_batches = [f"{name}?batch={batch_id}" for batch_id in batch_ids for name in ("Batch_Monitor", "Failure_Analytics")]
    for path in (*PAGES, *of_batches):
        page.goto(f"{url}/{path}")
        page.wait_for_selector('[data-testid="stHeading"]', timeout=30_000)
        # Parts that draw themselves again begin a moment after the page; then it is still.
        page.wait_for_timeout(2_000)
        page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=30_000)
        page.wait_for_timeout(2_000)
        figures[path or "Home"] = page.evaluate(FIGURES)
    return figures


def write_foreign_file(path: Path) -> None:
    """Write an old data set, one conversation of it cut."""
    texts = (
        "Start with the emergency fund, then look at the pension.",
        "Start with the emergency fund, then look at the pen",
    )
    turns = [[{"role": "user", "content": "How do I begin?"}, {"role": "assistant", "content": text}] for text in texts]
    path.write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in turns))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit")
    with (
        tempfile.TemporaryDirectory(prefix="brightrun-upgrade-") as temporary,
        open_browser(load_settings().chromium) as browser,
    ):
        folder = Path(temporary)
        python = install(parser.parse_args().commit, folder / "old")
        write_foreign_file(folder / "old.jsonl")
        old = Product(folder / "old", python, folder / "home")
        page = browser.new_page(viewport=VIEWPORT)
        with old.up() as url:
            batch_ids = fill(old, url, page, folder / "old.jsonl")
            before = read_figures(page, url, batch_ids)
        with Product(ROOT, Path(sys.executable), folder / "home").up() as url:
            after = read_figures(page, url, batch_ids)
    for path, figures in before.items():
        print(f"{'same' if figures == after[path] else 'DIFFERENT'}  {path}\n    before {figures}\n    after  {after[path]}")
    return int(before != after)


if __name__ == "__main__":
    sys.exit(main())
