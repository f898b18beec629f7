"""Processor time and memory of the stack's parts, from Linux's /proc."""

import os
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from core.domain.record import Record
from core.embedded.folder import StackFolder
from core.embedded.plan import Part
from core.embedded.state import read_state
from core.embedded.supervision import Supervisor
from core.errors import ConfigurationError, StackError

PROC = Path("/proc")
SAMPLE_SECONDS = 0.5
IDLE_SECONDS, IDLE_SHARE = 2.0, 0.1
"""A stack is idle if it uses no more than this share of one processor for so long."""
RECONCILER = "reconciler"
SUPERVISOR = "supervisor"
_RECONCILER_COMMAND = "multiprocessing.spawn"
"""A worker forks what does its jobs, and starts its reconciler afresh."""
_KILOBYTES_OF_MEGABYTE = 1024


class Process(Record):
    """One process; its processor time holds that of its children that have ended."""

    pid: int
    parent: int
    command: str
    processor_seconds: float
    private_mb: float
    shared_mb: float
    """Files and shared memory, which other processes may have mapped, too."""

    @property
    def memory_mb(self) -> float:
        """The resident memory."""
        return self.private_mb + self.shared_mb


class Usage(Record):
    """What one part of the stack, with all its processes, has used."""

    part: str
    processor_seconds: float
    memory_mb: float
    """At one moment or at most, of all its processes. Shared memory counts once; what a fork has not yet changed, twice."""
    largest_process_mb: float
    private_mb: float
    """Without files and shared memory, such as PostgreSQL's buffers: what a leak would add to."""


def read_processes() -> tuple[Process, ...]:
    """Return every process of this machine; raise ConfigurationError on one without /proc."""
    if not PROC.exists():
        raise ConfigurationError("Processor time by process is measured on Linux only.")
    found: list[Process] = []
    ticks = os.sysconf("SC_CLK_TCK")
    for folder in PROC.glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found.append(parse_process((folder / "stat").read_text(), (folder / "status").read_text(), command, ticks))
        except (FileNotFoundError, ProcessLookupError):
            continue  # It has ended meanwhile.
    return tuple(found)


def parse_process(stat: str, status: str, command: str, ticks_of_second: int) -> Process:
    """Return a process from its files `stat` and `status`. A name may hold blanks and brackets."""
    pid, _, _ = stat.partition(" ")
    fields = stat.rpartition(")")[2].split()
    sizes = dict(line.split(":", 1) for line in status.splitlines() if line.startswith("Rss"))
    megabytes = {name: int(size.split()[0]) / _KILOBYTES_OF_MEGABYTE for name, size in sizes.items()}
    return Process(
        pid=int(pid),
        parent=int(fields[1]),
        command=command,
        processor_seconds=sum(map(int, fields[11:15])) / ticks_of_second,
        private_mb=megabytes.get("RssAnon", 0.0),
        shared_mb=megabytes.get("RssFile", 0.0) + megabytes.get("RssShmem", 0.0),
    )


def find_family(processes: Sequence[Process], root: int) -> tuple[Process, ...]:
    """Return a process and all that descend from it."""
    by_pid = {process.pid: process for process in processes}
    return tuple(process for process in processes if root in {each.pid for each in _list_ancestors(process, by_pid)})


def sum_by_part(processes: Sequence[Process], roots: Mapping[str, int]) -> tuple[Usage, ...]:
    """Return what each part uses: the process that its root names, and all that descend from it."""
    by_pid = {process.pid: process for process in processes}
    names = {pid: name for name, pid in roots.items()}
    members: dict[str, list[Process]] = {}
    for process in processes:
        if (part := _find_part(process, by_pid, names)) is not None:
            members.setdefault(part, []).append(process)
    return tuple(_sum(part, members[part]) for part in sorted(members))


def _list_ancestors(process: Process, by_pid: Mapping[int, Process]) -> Generator[Process]:
    """Yield a process, its parent and so on."""
    ancestor: Process | None = process
    while ancestor is not None:
        yield ancestor
        ancestor = by_pid.get(ancestor.parent)


def _find_part(process: Process, by_pid: Mapping[int, Process], names: Mapping[int, str]) -> str | None:
    is_reconciler = False
    for ancestor in _list_ancestors(process, by_pid):
        if (name := names.get(ancestor.pid)) is not None:
            is_reconciler = is_reconciler and name.startswith(Part.WORKER)
            # The supervisor is the ancestor of all; only what is no part of its own counts as it.
            return f"{name} {RECONCILER}" if is_reconciler else name if name != SUPERVISOR or ancestor is process else None
        is_reconciler = is_reconciler or _RECONCILER_COMMAND in ancestor.command
    return None


def _sum(part: str, processes: Sequence[Process]) -> Usage:
    private_mb = sum(process.private_mb for process in processes)
    return Usage(
        part=part,
        processor_seconds=sum(process.processor_seconds for process in processes),
        memory_mb=private_mb + max(process.shared_mb for process in processes),
        largest_process_mb=max(process.memory_mb for process in processes),
        private_mb=private_mb,
    )


def find_roots(folder: StackFolder) -> dict[str, int]:
    """Return the process of each running part by name, and the supervisor's."""
    socket = read_state(folder).supervisor_socket
    if socket is None:
        raise StackError("The supervisor has no socket; the stack has ended.")
    roots = {status.name: status.pid for status in Supervisor(socket).read_statuses().values() if status.pid}
    parents = {process.pid: process.parent for process in read_processes()}
    return roots | {SUPERVISOR: parents[roots[Part.POSTGRES]]}


def raise_peak(peak: Usage, usage: Usage) -> Usage:
    """Return a part's usage with the most memory of both."""
    return usage.model_copy(
        update={
            "memory_mb": max(peak.memory_mb, usage.memory_mb),
            "largest_process_mb": max(peak.largest_process_mb, usage.largest_process_mb),
            "private_mb": max(peak.private_mb, usage.private_mb),
        }
    )


class UsageWatch:
    """Samples the parts of a stack while something runs; a part that restarts meanwhile is lost."""

    def __init__(self, folder: StackFolder) -> None:
        self._roots = find_roots(folder)
        self._began = {usage.part: usage for usage in self.read()}
        self._peaks: dict[str, Usage] = {}

    def read(self) -> tuple[Usage, ...]:
        """Return what each part uses now."""
        return sum_by_part(read_processes(), self._roots)

    def note_peaks(self) -> tuple[Usage, ...]:
        """Take one sample."""
        usages = self.read()
        for usage in usages:
            self._peaks[usage.part] = raise_peak(self._peaks.get(usage.part, usage), usage)
        return usages

    def end(self) -> tuple[Usage, ...]:
        """Return the processor time since the beginning and the most memory of each part."""
        return tuple(
            self._peaks[usage.part].model_copy(
                update={"processor_seconds": usage.processor_seconds - self._find_beginning(usage.part)}
            )
            for usage in self.note_peaks()
        )

    def _find_beginning(self, part: str) -> float:
        return self._began[part].processor_seconds if part in self._began else 0.0


def wait_until_idle(folder: StackFolder, most_seconds: float) -> None:
    """Wait until the parts of a stack, which may still be starting or tidying up, use next to nothing."""
    deadline = time.monotonic() + most_seconds
    while time.monotonic() < deadline:
        watch = UsageWatch(folder)
        time.sleep(IDLE_SECONDS)
        if sum(usage.processor_seconds for usage in watch.end()) < IDLE_SHARE * IDLE_SECONDS:
            return


@contextmanager
def watch_usage(folder: StackFolder) -> Generator[UsageWatch]:
    """Sample the parts of a running stack until the `with` block ends; ask `end` inside of it."""
    watch = UsageWatch(folder)
    over = threading.Event()

    def sample() -> None:
        while not over.wait(SAMPLE_SECONDS):
            watch.note_peaks()

    thread = threading.Thread(target=sample, name="usage", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        over.set()
        thread.join()
