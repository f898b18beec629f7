"""A program of the stack, and processes that an earlier start may have left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.embedded import launch
from core.embedded.folder import StackFolder, write_private


@dataclass(frozen=True)
class Program:
    """A program that the supervisor runs. Secrets go into `environment`, never into `argv`."""

    name: str
    argv: tuple[str, ...]
    folder: Path
    rank: int
    """Started from the lowest, stopped from the highest."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    inherits_environment: bool = False
    removed_variables: frozenset[str] = frozenset()
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    parent_death_signal: str | None = "SIGTERM"
    """Sent by the kernel when the supervisor dies; None: the program lives on."""
    drops_root: bool = False


@dataclass(frozen=True)
class LeftProcess:
    """A process that the launcher recorded and that still runs."""

    name: str
    pid: int
    start_ticks: str

    @property
    def runs(self) -> bool:
        """Whether it is still the same process."""
        return _is_running(self.pid, self.start_ticks)


def write_program(folder: StackFolder, program: Program) -> Path:
    """Write the launcher's file for a program and return its path."""
    path = folder.programs / f"{program.name}.json"
    record = {
        "argv": program.argv,
        "folder": str(program.folder),
        "environment": dict(program.environment),
        "inherits_environment": program.inherits_environment,
        "removed_variables": sorted(program.removed_variables),
        "parent_death_signal": program.parent_death_signal,
        "drops_root": program.drops_root,
    }
    write_private(path, json.dumps(record, indent=1))
    return path


def launcher_argv(program_file: Path) -> list[str]:
    """Return the command that becomes the program."""
    return [sys.executable, "-I", launch.__file__, str(program_file)]


def run_program(
    folder: StackFolder, program: Program, *, stdin: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    """Run a short program to its end, in the same way as the supervisor would, and return its output."""
    path = write_program(folder, program)
    try:
        return subprocess.run(launcher_argv(path), stdin=stdin, capture_output=True, text=True, check=False)  # noqa: S603
    finally:
        path.unlink(missing_ok=True)
        path.with_suffix(".pid").unlink(missing_ok=True)


def find_left_processes(folder: StackFolder) -> list[LeftProcess]:
    """Return the recorded processes that still run; forget the others."""
    left: list[LeftProcess] = []
    for path in sorted(folder.programs.glob("*.pid")):
        pid, _, start_ticks = path.read_text().strip().partition(" ")
        process = LeftProcess(path.stem, int(pid) if pid.isdigit() else 0, start_ticks)
        if process.pid and process.runs:
            left.append(process)
        else:
            path.unlink(missing_ok=True)
    return left


def stop_left_processes(folder: StackFolder, patience_seconds: float = 10.0) -> list[str]:
    """Stop what an earlier start left running: first politely, then by force. Return the names."""
    left = find_left_processes(folder)
    for process in left:
        # PostgreSQL: TERM would wait for its clients, INT does not.
        _send(process, signal.SIGINT if process.name == "postgres" else signal.SIGTERM)
    wait_for_end(left, patience_seconds)
    for process in left:
        _send(process, signal.SIGKILL)
    wait_for_end(left, patience_seconds)
    return [process.name for process in left]


def wait_for_end(processes: Iterable[LeftProcess], limit_seconds: float) -> bool:
    """Wait until all of them have ended; return false if one still runs."""
    deadline = time.monotonic() + limit_seconds
    while any(process.runs for process in processes):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _send(process: LeftProcess, number: signal.Signals) -> None:
    if process.runs:
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return  # It ended between the two lines, as it should.


def _is_running(pid: int, start_ticks: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if start_ticks != "-":
        return launch.read_start_ticks(pid) == start_ticks and not _is_zombie(pid)
    # No /proc here: a recorded number may now belong to a foreign process, which we must not stop.
    found = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return any(word in found.stdout for word in ("postgres", "valkey", "node", "python", "supervisord", "streamlit"))


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
