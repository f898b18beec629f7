"""Labelled turns, read from JSONL files."""

import json
from enum import StrEnum
from pathlib import Path

from core.domain.record import Record
from core.domain.verdict.conversation import Role

CORPUS_DIRECTORY = Path(__file__).parent / "corpus"


class Label(StrEnum):
    """What a reader says of the turn."""

    COMPLETE = "complete"
    TRUNCATED = "truncated"


class LabelledTurn(Record):
    """One turn as it stands in a line of a file: label, role, text."""

    label: Label
    role: Role
    text: str


def load_turns(path: Path) -> list[LabelledTurn]:
    """The turns of a file, one JSON object a line."""
    with path.open(encoding="utf-8") as lines:
        return [LabelledTurn.model_validate(json.loads(line)) for line in lines if line.strip()]


def load_corpus() -> list[LabelledTurn]:
    """The turns written for this repository, in many styles of ending."""
    return [turn for path in sorted(CORPUS_DIRECTORY.glob("*.jsonl")) for turn in load_turns(path)]
