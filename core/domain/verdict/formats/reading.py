"""The entries of one file, read as conversations."""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, assert_never, cast

from core.domain.verdict.formats.chat import TooManyTurns, read_chat_turns, read_record_id
from core.domain.verdict.formats.entries import Entry, ImportedConversation, JsonEntry, TextEntry, Unreadable
from core.domain.verdict.formats.metadata import read_labels
from core.domain.verdict.formats.pairs import PairAssembler, read_pair_id, read_pair_turns
from core.domain.verdict.formats.recognition import RecordKind, is_evident_reply, recognise_record
from core.domain.verdict.formats.replies import import_api_error, import_reply, read_message, read_written
from core.domain.verdict.limits import MOST_UNREADABLE

UNKNOWN_FORMAT = "no known format of conversations (see docs/scan.md)"


def read_conversations(entries: Iterable[Entry], fields: Sequence[str] = ()) -> Iterator[ImportedConversation | Unreadable]:
    """Conversations in the order of the file, and what is unreadable between them.

    `fields` are looked for in each record and become the labels of its conversation. A file of which too much is unreadable
    is left: it holds something else, and each piece of it costs as much as a conversation.
    """
    unreadable = 0
    for found in _read_entries(entries, fields):
        yield found
        if isinstance(found, Unreadable):
            unreadable += 1
            if unreadable >= MOST_UNREADABLE:
                yield Unreadable(
                    place=found.place, reason=f"{unreadable:,} records could not be read, so the rest is left out"
                )
                return


def _read_entries(entries: Iterable[Entry], fields: Sequence[str]) -> Iterator[ImportedConversation | Unreadable]:
    numbers = itertools.count()
    pairs = PairAssembler(numbers)
    for entry in entries:
        match entry:
            case Unreadable():
                next(numbers)  # It keeps its index, so that those behind it keep theirs.
                yield entry
            case TextEntry():
                yield _read_text(entry, numbers)
            case JsonEntry():
                try:
                    yield from _read_value(entry, numbers, pairs, fields)
                except TooManyTurns as error:
                    next(numbers)
                    yield Unreadable(place=entry.place, reason=str(error))
            case _:
                assert_never(entry)
    yield from _present(pairs.close())


def _read_text(entry: TextEntry, numbers: Iterator[int]) -> ImportedConversation | Unreadable:
    if not is_evident_reply(entry.text):
        return Unreadable(place=f"line {entry.line}", reason=f"not JSON: {entry.reason}")
    number = next(numbers)
    return import_reply(read_written(entry.text), conversation_id=number, number=number)


def _read_value(
    entry: JsonEntry, numbers: Iterator[int], pairs: PairAssembler, fields: Sequence[str]
) -> Iterator[ImportedConversation | Unreadable]:
    kind = recognise_record(entry.value)
    if kind is RecordKind.PAIR:
        pair = cast("Mapping[str, object]", entry.value)
        yield from _present(pairs.add_pair(read_pair_id(pair), read_pair_turns(pair), read_labels(pair, fields)))
        return
    yield from _present(pairs.close())
    if kind is RecordKind.PAIRS:
        yield from _read_pairs(entry, numbers, fields)
        return
    labels = {} if kind in (None, RecordKind.HEADER) else read_labels(entry.value, fields)
    for found in _read_record(entry, kind, numbers):
        yield found.model_copy(update={"labels": labels}) if isinstance(found, ImportedConversation) else found


def _read_record(
    entry: JsonEntry,
    kind: Literal[RecordKind.HEADER, RecordKind.CHAT, RecordKind.API_MESSAGE, RecordKind.API_ERROR, RecordKind.WRITTEN]
    | None,
    numbers: Iterator[int],
) -> Iterator[ImportedConversation | Unreadable]:
    match kind:
        case None:
            next(numbers)
            yield Unreadable(place=entry.place, reason=UNKNOWN_FORMAT)
        case RecordKind.HEADER:
            pass
        case RecordKind.CHAT:
            turns = read_chat_turns(entry.value)
            number = next(numbers)
            yield ImportedConversation(id=_choose_id(entry, number), number=number, turns=turns)
        case RecordKind.API_MESSAGE:
            number = next(numbers)
            yield import_reply(read_message(entry.value), conversation_id=_choose_id(entry, number), number=number)
        case RecordKind.API_ERROR:
            number = next(numbers)
            yield import_api_error(entry.value, conversation_id=_choose_id(entry, number), number=number)
        case RecordKind.WRITTEN:
            number = next(numbers)
            text = json.dumps(entry.value, ensure_ascii=False) if entry.text is None else entry.text
            yield import_reply(read_written(text), conversation_id=_choose_id(entry, number), number=number)
        case _:
            assert_never(kind)


def _read_pairs(
    entry: JsonEntry, numbers: Iterator[int], fields: Sequence[str]
) -> Iterator[ImportedConversation | Unreadable]:
    """One record with all pairs of a conversation, which has the record's id or else that of the pairs."""
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
        yield from _present(pairs.add_pair(pair_id, read_pair_turns(members), labels))
    yield from _present(pairs.close())


def _choose_id(entry: JsonEntry, number: int) -> str | int:
    found = read_record_id(entry.value)
    return number if found is None else found


def _present(conversation: ImportedConversation | None) -> tuple[ImportedConversation, ...]:
    return () if conversation is None else (conversation,)
