"""`brightrun up --detach` in a folder of its own, stopped at the end."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.embedded.folder import StackFolder
from core.embedded.state import read_state
from core.embedded.supervision import Supervisor

ROOT = Path(__file__).parents[2]
UP_SECONDS = 240
FOREIGN = ("SUPABASE_", "REDIS_", "ANTHROPIC_", "BRIGHTRUN_", "STREAMLIT_")
KEPT = frozenset({"BRIGHTRUN_CHROMIUM", "BRIGHTRUN_REQUIRE_BROWSER"})


@contextmanager
def run_stack(home: Path, *, faults: str = "", latency_seconds: float = 0.1) -> Iterator[str]:
    """Run the whole product in `home` and give its address; the caller's settings do not reach it."""
    environment = {name: value for name, value in os.environ.items() if name in KEPT or not name.startswith(FOREIGN)} | {
        "BRIGHTRUN_HOME": str(home),
        "BRIGHTRUN_SIM_FAULTS": faults,
        "BRIGHTRUN_SIM_LATENCY_SECONDS": str(latency_seconds),
    }

    def brightrun(*words: str) -> None:
        command = [sys.executable, "-c", "from core.cli.main import main; main()", *words]
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=UP_SECONDS, check=False
        )
        assert done.returncode == 0, f"brightrun {' '.join(words)} failed:\n{done.stdout}\n{done.stderr}"

    try:
        brightrun("up", "--detach", "--no-browser")
        yield json.loads((home / "stack.json").read_text())["page_url"]
    finally:
        brightrun("down")


def open_supervisor(home: Path) -> Supervisor:
    socket = read_state(StackFolder(home)).supervisor_socket
    assert socket is not None
    return Supervisor(socket)


@contextmanager
def stop_parts(home: Path, *parts: str) -> Iterator[None]:
    """Keep parts down for the length of a `with` block."""
    supervisor = open_supervisor(home)
    for part in parts:
        supervisor.stop(part)
    try:
        yield
    finally:
        for part in parts:
            supervisor.start(part)
