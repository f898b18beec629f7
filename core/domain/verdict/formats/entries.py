"""The contents of a file, before and after they are understood."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from core.domain.record import Record
from core.domain.verdict.conversation import Role
from core.domain.verdict.verdict import Failed


class JsonEntry(Record):
    """One JSON value of a file; `text` is its source, None if it was not JSON there.

    `repeated_key` occurs twice in one of its objects.
    """

    place: str
    value: Any
    text: str | None = None
    repeated_key: str | None = None


class TextEntry(Record):
    """A whole file that is not JSON. `line` and `reason` say where and why the JSON parser stopped."""

    line: int
    reason: str
    text: str


class Unreadable(Record):
    """A file or a part of one that cannot be judged: missing, broken or of an unknown format."""

    place: str | None
    reason: str


Entry = JsonEntry | TextEntry | Unreadable


class Part(StrEnum):
    """What a turn may contain besides text."""

    IMAGE = "images"
    AUDIO = "audio"
    VIDEO = "videos"
    FILE = "files"
    THINKING = "thinking"
    TOOL_CALL = "tool calls"
    TOOL_RESULT = "tool results"
    OTHER = "other parts"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedTurn:
    """One turn as a file has it. `role` is None where `role_name` is neither the user nor the assistant.

    `problem` says why the content cannot be read as text. `parts` are counted, not judged; `data` are the arguments of tool
    calls, which are JSON. Of a tool's turn (`is_data`) the content is data, too. `is_open_ended`: something that is no text
    follows the text, so that it need not end as texts do. `repeated_key` stands twice in the message. `stop` is what the
    turn itself or its record says of why it ended. A conversation may have tens of thousands of turns, and a Record takes
    ten times the memory.
    """

    role: Role | None
    role_name: str
    content: str
    problem: str | None = None
    parts: tuple[Part, ...] = ()
    data: tuple[str, ...] = ()
    is_data: bool = False
    is_open_ended: bool = False
    repeated_key: str | None = None
    stop: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """Turns beside a conversation's own: another answer to what was said before `first_turn`.

    `field` is the member of the record that holds it. What was rejected is judged for its number alone.
    """

    field: str
    turns: tuple[ImportedTurn, ...]
    first_turn: int
    before: Role | None = None
    is_rejected: bool = False


class ImportedConversation(Record):
    """One conversation of a file, without its system message.

    `id` is the record's own, else `number`, which counts the conversations of the file from 0. A shuffled file of training
    pairs gives a conversation in pieces: same number, `first_turn` turns given before. `passages` are other answers that the
    record holds. `failure` is the verdict on a whole reply, `text` is the reply as Claude wrote it, and `ending` its last
    characters. `labels` are what the record says of the fields that were asked for.
    """

    id: str | int
    number: int
    turns: tuple[ImportedTurn, ...]
    first_turn: int = 0
    passages: tuple[Passage, ...] = ()
    system_messages: int = 0
    failure: Failed | None = None
    text: str = ""
    ending: str = ""
    labels: Mapping[str, str] = {}
