"""What hostile uploads cost: each kind is read in a process of its own, as `scan` reads it and as the page does.

The processes are forked from this one, which has loaded what the page's process has; what they use beyond it is the file's.
What would go to the database is written as JSON and dropped.
"""

import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pandas as pd
import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]
import streamlit as st

from core.adapters.files.dataset_files import UploadedFile, read_entries
from core.bench.hostile_files import list_hostile_files, list_special_files
from core.domain.batches.batch import BatchId
from core.domain.datasets.importing import FileDigest, ImportFinish, ImportId, ImportItem, ImportStart
from core.domain.record import Record
from core.domain.scaffolding.records import EmotionalArc, Persona, PromptTemplate, TrainingTopic, VariationAxis
from core.domain.verdict.formats.entries import Unreadable
from core.domain.verdict.limits import MEGABYTE
from core.errors import InvalidRequest
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics
from core.services.importing import ImportService
from core.services.scanning import Scan

LOADED = (pd, go, st)
"""What uses most of the page's memory while nothing is uploaded."""
MOST_MEMORY_MB, MOST_SECONDS = 300, 300
_SHOWN = 90


class UploadCost(Record):
    """What one file took: processor time in seconds, and megabytes beyond the process's own, including the file itself."""

    name: str
    size_bytes: int
    scan_seconds: float
    scan_mb: float
    page_seconds: float = 0
    page_mb: float = 0
    said: str

    @property
    def is_bounded(self) -> bool:
        """Whether it finished, within the memory."""
        return self.said != "" and max(self.scan_mb, self.page_mb) < MOST_MEMORY_MB


class _Run(NamedTuple):
    seconds: float
    peak_mb: float
    said: str


class _ForgettingStore:
    """Implements ImportStore."""

    def begin(self, name: str, files: Sequence[FileDigest]) -> ImportStart:
        del name, files
        return ImportStart(import_id=ImportId(UUID(int=1)))

    def stage(self, import_id: ImportId, items: Sequence[ImportItem]) -> None:
        del import_id
        json.dumps([item.model_dump(mode="json") for item in items], ensure_ascii=False).encode()

    def finish(self, import_id: ImportId) -> ImportFinish:
        return ImportFinish(batch_id=BatchId(import_id))


class _SeededScaffolding:
    """Implements ScaffoldingStore."""

    def list_personas(self) -> tuple[Persona, ...]:
        return load_personas()

    def list_arcs(self) -> tuple[EmotionalArc, ...]:
        return load_emotional_arcs()

    def list_topics(self) -> tuple[TrainingTopic, ...]:
        return load_training_topics()

    def list_templates(self) -> tuple[PromptTemplate, ...]:
        return load_prompt_templates()

    def list_axes(self) -> tuple[VariationAxis, ...]:
        return ()

    def list_offered_axes(self) -> tuple[VariationAxis, ...]:
        return ()

    def list_offered_templates(self) -> tuple[PromptTemplate, ...]:
        return load_prompt_templates()


def run_uploads(megabytes: int, wanted: str, say: Callable[[str], None]) -> tuple[UploadCost, ...]:
    """Measure all kinds of files with this in their names, large ones of this many megabytes; report each result."""
    costs: list[UploadCost] = []
    with tempfile.TemporaryDirectory(prefix="brightrun-uploads-") as home:
        folder = Path(home)
        for hostile in list_hostile_files(megabytes * MEGABYTE):
            if wanted in hostile.name:
                path = folder / hostile.name
                _run_apart(hostile.write, path)  # Memory left over from writing would be taken for idle memory.
                scan, page = _run_apart(scan_file, path), _run_apart(upload_file, path)
                costs.append(
                    UploadCost(
                        name=path.name,
                        size_bytes=path.stat().st_size,
                        scan_seconds=scan.seconds,
                        scan_mb=scan.peak_mb,
                        page_seconds=page.seconds,
                        page_mb=page.peak_mb,
                        said=page.said,
                    )
                )
                path.unlink()
                say(_describe_cost(costs[-1]))
        for path in list_special_files(folder):
            if wanted in str(path):
                scan = _run_apart(scan_file, path)
                name = path.name if path.is_relative_to(folder) else str(path)
                costs.append(
                    UploadCost(name=name, size_bytes=0, scan_seconds=scan.seconds, scan_mb=scan.peak_mb, said=scan.said)
                )
                say(_describe_cost(costs[-1]))
    return tuple(costs)


def scan_file(path: Path) -> str:
    """Judge a file as `brightrun scan` does; return the last error of the file."""
    scan, last = Scan(), ""
    for found in scan.scan_entries(read_entries(path, lambda _: None)):
        if isinstance(found, Unreadable):
            last = f"; {found.place or 'file'}: {found.reason}"
    return f"{scan.summary.conversations} conversations, {scan.unreadable} unreadable{last}"


def upload_file(path: Path) -> str:
    """Import a file as the page does; return what the page says."""
    service = ImportService(store=_ForgettingStore(), scaffolding=_SeededScaffolding())
    try:
        report = service.import_files([UploadedFile(name=path.name, content=path.read_bytes())])
    except InvalidRequest as error:
        return str(error)
    last = f"; {report.problems[-1].place or 'file'}: {report.problems[-1].reason}" if report.problems else ""
    return f"{report.conversations} conversations, {report.unreadable} unreadable{last}"


def _run_apart(read: Callable[[Path], str | None], path: Path) -> _Run:
    """Read in a child process, which is ended if it takes too long; it then reports nothing."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(MOST_SECONDS)
        try:
            idle_mb = _convert_peak(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
            os.write(theirs, f"{idle_mb} {' '.join((read(path) or '').split())[:_SHOWN]}".encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        idle_mb, _, said = pipe.read().decode().partition(" ")
    _, _, usage = os.wait4(child, 0)
    peak_mb = _convert_peak(usage.ru_maxrss)
    return _Run(usage.ru_utime + usage.ru_stime, peak_mb - float(idle_mb or 0), said)


def _convert_peak(ru_maxrss: int) -> float:
    return ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _describe_cost(cost: UploadCost) -> str:
    size = f"{cost.size_bytes / 2**20:.1f}" if cost.size_bytes >= 2**20 // 10 else f"{cost.size_bytes / 2**20:.3f}"
    scan, page = f"{cost.scan_seconds:.1f} | {cost.scan_mb:.0f}", f"{cost.page_seconds:.1f} | {cost.page_mb:.0f}"
    return f"| {cost.name} | {size} | {scan} | {page} | {cost.said} |"
