"""What hostile uploads cost: each kind in a process of its own, by the command line and as the page reads it."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from threading import Timer
from time import monotonic
from typing import IO, NamedTuple

from core.bench.hostile_files import list_hostile_files, list_special_files
from core.domain.record import Record

MOST_MEMORY_MB = 300
MOST_SECONDS = 900
_SHOWN = 100
_SCAN = (sys.executable, "-c", "from core.cli import main; main()", "scan", "--json")
_READ = (sys.executable, "-m", "core.bench.upload_reader")


class UploadReading(Record):
    """What the page's process says of an upload; `idle_mb` is what it had taken before."""

    said: str
    idle_mb: float


class UploadCost(Record):
    """What one file took: `scan_mb` is the whole process, `page_mb` what the page's process took beside what it had."""

    name: str
    size_bytes: int
    scan_seconds: float
    scan_mb: float
    page_seconds: float = 0
    page_mb: float = 0
    said: str

    @property
    def is_bounded(self) -> bool:
        """Whether it ended in time, within the memory."""
        return max(self.scan_mb, self.page_mb) < MOST_MEMORY_MB and max(self.scan_seconds, self.page_seconds) < MOST_SECONDS


class _Run(NamedTuple):
    seconds: float
    peak_mb: float
    output: str
    errors: str


def run_uploads(megabytes: int, wanted: str, say: Callable[[str], None]) -> tuple[UploadCost, ...]:
    """Measure all kinds of files with this in their names, large ones of so many megabytes; say each result."""
    costs: list[UploadCost] = []
    with tempfile.TemporaryDirectory(prefix="brightrun-uploads-") as home:
        folder = Path(home)
        for hostile in list_hostile_files(megabytes):
            if wanted in hostile.name:
                path = hostile.write(folder)
                costs.append(_measure_file(path))
                path.unlink()
                say(describe_cost(costs[-1]))
        for path in list_special_files(folder):
            if wanted in str(path):
                run = _run_limited((*_SCAN, str(path)))
                said = run.errors.rpartition(": ")[2].strip()[:_SHOWN]
                costs.append(
                    UploadCost(name=path.name, size_bytes=0, scan_seconds=run.seconds, scan_mb=run.peak_mb, said=said)
                )
                say(describe_cost(costs[-1]))
    return tuple(costs)


def describe_cost(cost: UploadCost) -> str:
    """Return a row of a table."""
    size = f"{cost.size_bytes / 2**20:.1f}" if cost.size_bytes >= 2**20 // 10 else f"{cost.size_bytes / 2**20:.3f}"
    scan, page = f"{cost.scan_seconds:.1f} | {cost.scan_mb:.0f}", f"{cost.page_seconds:.1f} | {cost.page_mb:.0f}"
    return f"| {cost.name} | {size} | {scan} | {page} | {cost.said} |"


def convert_peak(ru_maxrss: int) -> float:
    """Return the most memory that a process has taken, in megabytes."""
    return ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _measure_file(path: Path) -> UploadCost:
    scan = _run_limited((*_SCAN, str(path)))
    page = _run_limited((*_READ, str(path)))
    if page.output:
        reading = UploadReading.model_validate_json(page.output)
    else:
        reading = UploadReading(said=f"PROBLEM: {page.errors[-_SHOWN:]}", idle_mb=0)
    return UploadCost(
        name=path.name,
        size_bytes=path.stat().st_size,
        scan_seconds=scan.seconds,
        scan_mb=scan.peak_mb,
        page_seconds=page.seconds,
        page_mb=page.peak_mb - reading.idle_mb,
        said=" ".join(reading.said.split())[:_SHOWN],
    )


def _run_limited(command: tuple[str, ...]) -> _Run:
    """Run a command to its end, or to the end of the patience; it may print as much as it likes."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)  # noqa: S603 - our own
        patience = Timer(MOST_SECONDS, os.kill, (process.pid, signal.SIGKILL))
        patience.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            patience.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)  # Known to Popen only if it waits itself.
        seconds = monotonic() - started
        return _Run(seconds, convert_peak(usage.ru_maxrss), _read_beginning(output), _read_beginning(errors))


def _read_beginning(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(2**20).decode(errors="replace")
