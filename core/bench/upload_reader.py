"""One upload, read and judged as the page does it, in a process of its own: `python -m core.bench.upload_reader FILE`.

The process has loaded what the page's process has. What would go to the database is written as JSON and forgotten. It prints
what came of it and what it had taken before; whoever started it sees what it took in all.
"""

import json
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pandas as pd
import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]
import streamlit as st
from scipy import stats

from core.adapters.dataset_files import UploadedFile
from core.bench.uploads import UploadReading, convert_peak
from core.domain.batch import BatchId
from core.domain.importing import FileDigest, ImportFinish, ImportId, ImportItem, ImportStart
from core.domain.scaffolding import EmotionalArc, Persona, PromptTemplate, TrainingTopic
from core.errors import InvalidRequest
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics
from core.services.importing import ImportService

LOADED = (pd, go, stats, st)
"""What the page's process has, and what takes most of its memory."""


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


def read_upload(path: Path) -> str:
    """Import a file as the page does; return what the analyst is told."""
    service = ImportService(store=_ForgettingStore(), scaffolding=_SeededScaffolding())
    try:
        report = service.import_files([UploadedFile(name=path.name, content=path.read_bytes())])
    except InvalidRequest as error:
        return str(error)
    reasons = [f"{problem.place or 'file'}: {problem.reason}" for problem in report.problems[-1:]]
    return "; ".join([f"{report.conversations} conversations, {report.unreadable} unreadable", *reasons])


if __name__ == "__main__":
    idle_mb = convert_peak(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    sys.stdout.write(UploadReading(said=read_upload(Path(sys.argv[1])), idle_mb=idle_mb).model_dump_json())
