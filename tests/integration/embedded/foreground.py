"""What `brightrun up` does, with parts and programs that a test chooses."""

from pathlib import Path

import typer

from core.cli.error_exits import report_errors
from core.cli.up import run_up
from core.embedded.plan import Part, StackPlan
from tests.support.stack import bare_settings


def start(home: Path, root: Path, parts: str, *, detach: bool = False) -> None:
    chosen = frozenset(Part(name) for name in parts.split(","))
    with report_errors():
        run_up(StackPlan(bare_settings(home), chosen, root=root, detached=detach), opens_browser=False)


if __name__ == "__main__":
    typer.run(start)
