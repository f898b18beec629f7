"""What a file holds, before and after it is understood."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.domain.record import Record
from core.domain.verdict.conversation import Role
from core.domain.verdict.verdict import Failed


class JsonEntry(Record):
    """One JSON value of a file; `text` is what it was read from, None where a streaming parser built it."""

    place: str
    value: Any
    text: str | None = None


class TextEntry(Record):
    """A whole file that is not JSON. `line` and `reason` tell where and why the JSON parser gave up."""

    line: int
    reason: str
    text: str


class Unreadable(Record):
    """A file or a part of one that nothing can be said about: missing, broken or of an unknown format."""

    place: str | None
    reason: str


Entry = JsonEntry | TextEntry | Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTurn:
    """One turn as a file has it. `role` is None where `role_name` is neither the user nor the assistant.

    `problem` says why the content cannot be read as text. A conversation may have tens of thousands of turns, and a Record
    takes ten times the memory.
    """

    role: Role | None
    role_name: str
    content: str
    problem: str | None = None


class ImportedConversation(Record):
    """One conversation of a file, without its system message.

    `id` is the record's own, else `number`, which counts the conversations of the file from 0. A shuffled file of training
    pairs gives a conversation in pieces: same number, `first_turn` turns given before. `failure` is the verdict on a whole
    reply, `text` is the reply as Claude wrote it, and `ending` its last characters. `labels` are what the record says of the
    fields that were asked for.
    """

    id: str | int
    number: int
    turns: tuple[ImportedTurn, ...]
    first_turn: int = 0
    failure: Failed | None = None
    text: str = ""
    ending: str = ""
    labels: Mapping[str, str] = {}
