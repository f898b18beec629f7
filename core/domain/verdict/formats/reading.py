"""The entries of one file, read as conversations."""

import itertools
import json
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, assert_never, cast

from core.domain.record import Record
from core.domain.verdict.formats.chat import TooManyTurns, read_record_id
from core.domain.verdict.formats.entries import (
    Entry,
    ImportedConversation,
    ImportedTurn,
    JsonEntry,
    Passage,
    TextEntry,
    Unreadable,
)
from core.domain.verdict.formats.envelopes import Refused, find_message, find_refused, read_answer, read_completion
from core.domain.verdict.formats.hints import PLAIN_TEXT, describe_unknown
from core.domain.verdict.formats.metadata import read_labels
from core.domain.verdict.formats.pairs import PairAssembler, read_pair_id, read_pair_turns
from core.domain.verdict.formats.recognition import RecordKind, fold_names, is_evident_reply, recognise_record, unwrap_record
from core.domain.verdict.formats.replies import import_reply, import_unanswered, read_message, read_written
from core.domain.verdict.formats.roles import RoleNames, Voice
from core.domain.verdict.formats.spoken import Spoken, read_dialogue, read_spoken
from core.domain.verdict.formats.trees import RowAssembler, read_export, read_nested
from core.domain.verdict.limits import MOST_UNREADABLE
from core.domain.verdict.reply import Reply
from core.domain.verdict.verdict import Confidence, Failed, FailureType

_SingleKind = Literal[
    RecordKind.CHAT,
    RecordKind.SPOKEN,
    RecordKind.EXPORT,
    RecordKind.NESTED,
    RecordKind.COMPLETION,
    RecordKind.WRITTEN,
    RecordKind.API_MESSAGE,
    RecordKind.REFUSED,
]
"""What can be read as one conversation."""
_LOOK_AHEAD, _LOOK_AHEAD_CHARACTERS = 50, 1_000_000


class ReadOptions(Record):
    """How a file is read: which fields are collected, and what role names mean."""

    fields: tuple[str, ...] = ()
    roles: Mapping[str, Voice] = {}


READ_PLAIN = ReadOptions()


def read_conversations(
    entries: Iterable[Entry], options: ReadOptions = READ_PLAIN
) -> Iterator[ImportedConversation | Unreadable]:
    """Yield the conversations in the order of the file, and the unreadable entries between them.

    The values of `options.fields` become the labels of each conversation. A file with too many unreadable entries is left:
    it holds something else, and each piece of it costs as much as a conversation.
    """
    unreadable = 0
    for found in _Reader(entries, options).read():
        yield found
        if isinstance(found, Unreadable):
            unreadable += 1
            if unreadable >= MOST_UNREADABLE:
                yield Unreadable(
                    place=found.place, reason=f"{unreadable:,} records could not be read, so the rest is left out"
                )
                return


class _Reader:
    """Reads one file; knows how its records belong together."""

    def __init__(self, entries: Iterable[Entry], options: ReadOptions) -> None:
        self._entries = iter(entries)
        self._ahead: deque[Entry] = deque()
        self._fields = options.fields
        self._names = RoleNames(options.roles)
        self._numbers = itertools.count()
        self._pairs = PairAssembler(self._numbers)
        self._rows = RowAssembler(self._numbers, self._names)
        self._writes_json: bool | None = None
        self._is_numbered = False

    def read(self) -> Iterator[ImportedConversation | Unreadable]:
        while (entry := self._next_entry()) is not None:
            self._is_numbered = False
            match entry:
                case Unreadable():
                    self._number_record()  # It keeps its index, so that later ones keep theirs.
                    yield entry
                case TextEntry():
                    yield self._read_text(entry)
                case JsonEntry():
                    try:
                        yield from self._read_value(entry)
                    except TooManyTurns as error:
                        self._number_record()
                        yield Unreadable(place=entry.place, reason=str(error))
                case _:
                    assert_never(entry)
        yield from self._close()

    def _number_record(self) -> int:
        """Return the next number, or none if the record has its own."""
        if self._is_numbered:
            return -1
        self._is_numbered = True
        return next(self._numbers)

    def _next_entry(self) -> Entry | None:
        return self._ahead.popleft() if self._ahead else next(self._entries, None)

    def _close(self) -> Iterator[ImportedConversation]:
        yield from _present(self._pairs.close())
        yield from _present(self._rows.close())

    def _read_text(self, entry: TextEntry) -> ImportedConversation | Unreadable:
        if not is_evident_reply(entry.text):
            is_json = entry.text.lstrip()[:1] in ("{", "[", '"')
            hint = "" if is_json else f"; {PLAIN_TEXT}"
            return Unreadable(place=f"line {entry.line}", reason=f"not JSON: {entry.reason}{hint}")
        number = next(self._numbers)
        return import_reply(read_written(entry.text), conversation_id=number, number=number)

    def _read_value(self, entry: JsonEntry) -> Iterator[ImportedConversation | Unreadable]:
        found = unwrap_record(entry.value)
        value = fold_names(found)
        kind = recognise_record(value)
        if kind is RecordKind.PAIR:
            pair = cast("Mapping[str, object]", value)
            labels = read_labels(found, self._fields)
            yield from _present(self._pairs.add_pair(read_pair_id(pair), read_pair_turns(pair, self._names), labels))
            return
        if kind is RecordKind.ROW:
            row = cast("Mapping[str, object]", value)
            yield from _present(self._rows.add_row(row, read_labels(found, self._fields)))
            return
        yield from self._close()
        if kind is RecordKind.PAIRS:
            yield from _read_pairs(entry, self._numbers, self._names, self._fields)
        elif kind is None:
            next(self._numbers)
            yield Unreadable(place=entry.place, reason=describe_unknown(value))
        elif kind is not RecordKind.HEADER:
            read = self._read_record(entry, value, kind, self._number_record())
            changes: dict[str, object] = {"labels": read_labels(found, self._fields)}
            if entry.repeated_key is not None and read.failure is None and not any(turn.repeated_key for turn in read.turns):
                changes["failure"] = _describe_repeated_key(entry.repeated_key)
            yield read.model_copy(update=changes)

    def _read_record(self, entry: JsonEntry, value: object, kind: _SingleKind, number: int) -> ImportedConversation:
        record = cast("Mapping[str, object]", value)
        found_id = read_record_id(value)
        record_id = number if found_id is None else found_id
        match kind:
            case RecordKind.CHAT:
                return _present_spoken(read_dialogue(cast("list[object]", value), self._names), record_id, number)
            case RecordKind.EXPORT:
                return _present_tree(read_export(record, self._names), record_id, number)
            case RecordKind.NESTED:
                prompt = cast("Mapping[str, object]", record["prompt"])
                return _present_tree(read_nested(prompt, self._names), record_id, number)
            case RecordKind.API_MESSAGE:
                message = cast("Mapping[str, object]", find_message(record))
                reply = read_message(message)
                if self._is_prose(reply):
                    return _present_spoken(read_answer(record, message, self._names), record_id, number)
                return import_reply(reply, conversation_id=record_id, number=number)
            case RecordKind.REFUSED:
                refused = cast("Refused", find_refused(record))
                return import_unanswered(refused.details, refused.said, conversation_id=record_id, number=number)
            case RecordKind.WRITTEN:
                text = json.dumps(value, ensure_ascii=False) if entry.text is None else entry.text
                return import_reply(read_written(text), conversation_id=record_id, number=number)
            case RecordKind.COMPLETION:
                return _present_spoken(read_completion(record, self._names) or Spoken(), record_id, number)
            case RecordKind.SPOKEN:
                return _present_spoken(read_spoken(record, self._names) or Spoken(), record_id, number)
            case _:
                assert_never(kind)

    def _is_prose(self, reply: Reply) -> bool:
        """Whether a reply was not meant to be a conversation: it has no JSON, nor have the next ones of its file."""
        if "{" in reply.text:
            self._writes_json = True
        if reply.stop_reason is None or not reply.text.strip():
            return False
        if self._writes_json is None:
            characters = 0
            while len(self._ahead) < _LOOK_AHEAD and characters < _LOOK_AHEAD_CHARACTERS:
                entry = next(self._entries, None)
                if entry is None:
                    break
                self._ahead.append(entry)
                characters += len(getattr(entry, "text", None) or "")
            self._writes_json = any(_is_json_reply(entry) for entry in self._ahead)
        return not self._writes_json


def _is_json_reply(entry: Entry) -> bool:
    if not isinstance(entry, JsonEntry) or not isinstance(entry.value, dict):
        return False
    message = find_message(cast("Mapping[str, object]", entry.value))
    return message is not None and "{" in read_message(message).text


def _present_spoken(found: Spoken, record_id: str | int, number: int) -> ImportedConversation:
    return ImportedConversation(
        id=record_id,
        number=number,
        turns=tuple(found.turns),
        passages=tuple(found.passages),
        system_messages=found.system_messages,
    )


def _present_tree(
    found: tuple[tuple[ImportedTurn, ...], tuple[Passage, ...], int], record_id: str | int, number: int
) -> ImportedConversation:
    turns, passages, system_messages = found
    return ImportedConversation(id=record_id, number=number, turns=turns, passages=passages, system_messages=system_messages)


def _describe_repeated_key(key: str) -> Failed:
    details = f"The record can be read in two ways: its key {key!r} stands twice in one object"
    return Failed(failure_type=FailureType.PARSE_ERROR, confidence=Confidence.HIGH, details=details)


def _read_pairs(
    entry: JsonEntry, numbers: Iterator[int], names: RoleNames, fields: Sequence[str]
) -> Iterator[ImportedConversation | Unreadable]:
    """One record with all pairs of a conversation; its id is the record's, or else that of the pairs."""
    record = cast("Mapping[str, object]", entry.value)
    pairs = PairAssembler(numbers)
    record_id = read_record_id(record)
    for index, pair in enumerate(cast("list[object]", record["training_pairs"])):
        if recognise_record(pair) is not RecordKind.PAIR:
            yield Unreadable(place=entry.place, reason=f"training pair {index} is none")
            continue
        members = cast("Mapping[str, object]", pair)
        pair_id = read_pair_id(members) if record_id is None else record_id
        labels = read_labels(members, fields) | read_labels(record, fields)
        yield from _present(pairs.add_pair(pair_id, read_pair_turns(members, names), labels))
    yield from _present(pairs.close())


def _present(conversation: ImportedConversation | None) -> tuple[ImportedConversation, ...]:
    return () if conversation is None else (conversation,)
