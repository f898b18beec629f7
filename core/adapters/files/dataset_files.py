"""Files of conversations, read in pieces that fit into memory: JSON by record, JSON Lines by line, tables by row."""

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, assert_never

from core.adapters.files.bounded_file import BoundedStream, FileRefused, Opener, open_bounded, open_regular_file
from core.adapters.files.foreign_formats import PARQUET
from core.adapters.files.json_items import BrokenArray, Layout, RawRecord, peek_layout, read_records
from core.adapters.files.json_text import LONG_NUMBER, parse_record, parse_text
from core.adapters.files.parquet_file import read_parquet
from core.adapters.files.tables import describe_table, find_delimiter, read_table
from core.domain.datasets.recipes import DATASET_INFO
from core.domain.record import Record
from core.domain.verdict.bounded_json import TOO_LARGE, ExcessiveJson, parse_json
from core.domain.verdict.formats.chat import is_message
from core.domain.verdict.formats.entries import Entry, TextEntry, Unreadable
from core.domain.verdict.formats.recognition import RecordKind, is_evident_reply, recognise_record
from core.domain.verdict.formats.trees import is_row
from core.domain.verdict.limits import LARGEST_RECORD, MOST_BLANK_LINES
from core.errors import InvalidRequest

_FIRST_LINES = 50
_MORE_FOLLOWS = "Extra data"
SUFFIXES = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
"""Names of files that are searched for in folders; each but Parquet may be compressed with gzip."""
_DATA_ERRORS = (OSError, EOFError, zlib.error, FileRefused)
_HASHED_BYTES = 256 * 1024

ByteProgress = Callable[[int], None]
"""Receives how many bytes of the file on disk have been read."""


class Table(Record):
    """A table holds one record in each row."""

    delimiter: str


def find_files(path: Path) -> list[Path]:
    """Return the path itself, or the data files in a folder and below, sorted.

    What an export writes beside its data is none: it has the name of a data file and holds no conversation.
    """
    if not path.is_dir():
        return [path]
    found = (file for file in path.rglob("*") if file.name.lower().removesuffix(".gz").endswith(SUFFIXES))
    return sorted(file for file in found if file.name != DATASET_INFO and not file.is_dir())


def measure_file(path: Path) -> int:
    """Return the size in bytes; 0 for a missing file."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def read_entries(path: Path, on_progress: ByteProgress) -> Iterator[Entry]:
    """Yield the contents of a file piece by piece; an error of the file is an entry, too."""
    return _read_opened(lambda: open_regular_file(path), on_progress)


@dataclass(frozen=True, kw_only=True)
class DiskFile:
    """Implements DataSetFile for a file on the disk."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def size(self) -> int:
        return measure_file(self.path)

    def hash_content(self) -> str:
        try:
            with open_regular_file(self.path) as file:
                return _hash_file(file, self.size)
        except (OSError, FileRefused) as error:
            raise InvalidRequest(f"{self.path} cannot be read: {_describe_error(error)}. Nothing was imported.") from error

    def read_entries(self, on_progress: ByteProgress) -> Iterator[Entry]:
        return read_entries(self.path, on_progress)


@dataclass(frozen=True, kw_only=True)
class UploadedFile:
    """Implements DataSetFile for an upload from a browser. Its name is only a label: nothing is opened by it."""

    name: str
    content: bytes

    @property
    def size(self) -> int:
        return len(self.content)

    def hash_content(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def read_entries(self, on_progress: ByteProgress) -> Iterator[Entry]:
        return _read_opened(lambda: BytesIO(self.content), on_progress)


def _hash_file(file: BinaryIO, size: int) -> str:
    """Hash as many bytes as the file had when it was opened: a growing file has no end."""
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, _HASHED_BYTES))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


def _read_opened(opener: Opener, on_progress: ByteProgress) -> Iterator[Entry]:
    try:
        with opener() as raw:
            size = raw.seek(0, os.SEEK_END)
            raw.seek(0)
            if raw.read(len(PARQUET)) == PARQUET:
                raw.seek(0)
                yield from read_parquet(raw, size, on_progress)
                return
        layout = _find_layout(opener)
        if isinstance(layout, Unreadable):
            yield layout
            return
        with open_bounded(opener) as (raw, data):
            for entry in _read_layout(layout, data):
                yield entry
                on_progress(raw.tell())
    except _DATA_ERRORS as error:
        yield Unreadable(place=None, reason=_describe_error(error))


def _describe_error(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return getattr(error, "strerror", None) or str(error)


def _read_layout(layout: Layout | Table, data: BoundedStream) -> Iterator[Entry]:
    match layout:
        case Table(delimiter=delimiter):
            return read_table(data, delimiter)
        case Layout.LINES:
            return _read_lines(data)
        case Layout.ITEMS | Layout.WRAPPED | Layout.SEQUENCE:
            return _read_items(data, layout)
        case Layout.DOCUMENT:
            return iter((_read_document(data),))
        case _:
            assert_never(layout)


def _find_layout(opener: Opener) -> Layout | Table | Unreadable:
    """Return how the records are laid out.

    A first line that is a record of its own decides; then one array or object around all records, whose lines may look like
    records too; then any other line, since the first may be the bad one.
    """
    with open_bounded(opener) as (_, data):
        lines, has_more = _read_first_lines(data)
    if not lines:
        return Unreadable(place=None, reason="it begins with nothing but blanks" if has_more else "the file is empty")
    if (len(lines) > 1 or has_more) and _begin_with_record(lines):
        return Layout.LINES
    if not lines[0].startswith((b"{", b"[")):
        table = _find_table(lines)
        if table is not None:
            return table
    with open_bounded(opener) as (_, data):
        layout, first = peek_layout(data)
    layout = _refine_layout(layout, first, opener)
    is_open_array = lines[0].startswith(b"[") and _parse_quietly(lines[0]) is None
    is_wrapped = layout is Layout.WRAPPED and _parse_quietly(first) is not None
    if not is_wrapped and not is_open_array and any(map(_is_record, lines[1:])):
        return Layout.LINES
    return layout


def _find_table(lines: list[bytes]) -> Table | Unreadable | None:
    header, *others = [line.decode(errors="replace") for line in lines]
    delimiter = find_delimiter(header)
    if delimiter is not None:
        return Table(delimiter=delimiter)
    words = None if any(map(_is_record, lines)) or is_evident_reply(header) else describe_table([header, *others])
    return None if words is None else Unreadable(place=None, reason=words)


def _is_turn(content: bytes) -> bool:
    """Whether the line is one message of a conversation, not a conversation or a row of many."""
    value = _parse_quietly(content)
    return is_message(value) and not is_row(value)


def _refine_layout(layout: Layout, first: bytes, opener: Opener) -> Layout:
    """Distinguish a record that has lists from an object that holds records: anything larger than a record is none."""
    is_turn = _is_turn(first)
    if layout is not Layout.WRAPPED:
        return Layout.DOCUMENT if is_turn else layout
    with open_bounded(opener) as (_, data):
        content = data.read(LARGEST_RECORD + 1)
    if len(content) > LARGEST_RECORD:
        return Layout.SEQUENCE if is_turn else Layout.WRAPPED
    try:
        value: object = parse_json(content.decode())
    except json.JSONDecodeError as error:
        if error.msg == _MORE_FOLLOWS:
            return Layout.SEQUENCE
        value = None
    except ValueError:
        value = None
    is_record = is_turn or recognise_record(value) not in (None, RecordKind.PAIRS, RecordKind.HEADER)
    return Layout.DOCUMENT if is_record else Layout.WRAPPED


def _read_first_lines(data: BoundedStream) -> tuple[list[bytes], bool]:
    """Return the first lines that are not blank, the last one possibly cut, and whether more follow."""
    lines: list[bytes] = []
    read = 0
    for _ in range(MOST_BLANK_LINES):
        try:
            line = data.readline(LARGEST_RECORD - read)
        except _DATA_ERRORS:
            if lines:
                return lines, False  # The reader reaches the same error after these lines.
            raise
        read += len(line)
        if line.strip():
            lines.append(line.strip())
        if not line or len(lines) == _FIRST_LINES:
            return lines, read >= LARGEST_RECORD or bool(line)
    return lines, True


def _begin_with_record(lines: list[bytes]) -> bool:
    """Whether the first line is a record, or at least an object that the next line does not continue."""
    value = _parse_quietly(lines[0])
    return isinstance(value, dict) or recognise_record(value) is not None


def _is_record(line: bytes) -> bool:
    return recognise_record(_parse_quietly(line)) is not None


def _parse_quietly(line: bytes) -> object:
    try:
        return parse_json(line.decode())
    except ValueError:
        return None


def _read_lines(data: BoundedStream) -> Iterator[Entry]:
    number = blank_lines = 0
    while line := data.readline(LARGEST_RECORD + 1):
        data.begin_record()
        number += 1
        place = f"line {number}"
        if line.isspace() and len(line) <= LARGEST_RECORD:
            blank_lines += 1
            if blank_lines > MOST_BLANK_LINES:
                yield Unreadable(place=place, reason="there are only blank lines, so the rest is not read")
                return
            continue
        blank_lines = 0
        if len(line) <= LARGEST_RECORD:
            yield parse_record(line, place)
            continue
        while line and not line.endswith(b"\n"):
            line = data.readline(LARGEST_RECORD)
            data.begin_record()
        yield Unreadable(place=place, reason=TOO_LARGE)


def _read_items(data: BoundedStream, layout: Layout) -> Iterator[Entry]:
    index = 0
    try:
        for index, record in enumerate(read_records(data, layout), start=1):
            place = f"item {index - 1}"
            if record.is_too_large:
                yield Unreadable(place=place, reason=TOO_LARGE)
            else:
                yield _parse_item(record, place, index - 1)
    except BrokenArray as error:
        yield Unreadable(place=f"line {error.line}", reason=f"not JSON: {error}; {index} items before it were read")


def _parse_item(record: RawRecord, place: str, items_before: int) -> Entry:
    entry = parse_record(record.content, place, first_line=record.line)
    if isinstance(entry, Unreadable) and entry.place != place:
        return entry.model_copy(update={"reason": f"{entry.reason}; {items_before} items before it were read"})
    return entry


def _read_document(data: BoundedStream) -> Entry:
    content = data.read(LARGEST_RECORD + 1)
    if len(content) > LARGEST_RECORD:
        return Unreadable(place=None, reason=f"it is one record, {TOO_LARGE}")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Unreadable(place=f"line {line}", reason="not UTF-8")
    try:
        return parse_text(text, "line 1")
    except json.JSONDecodeError as error:
        return TextEntry(line=error.lineno, reason=f"{error.msg} at column {error.colno}", text=text)
    except ExcessiveJson as error:
        return TextEntry(line=1, reason=str(error), text=text)
    except ValueError:
        return Unreadable(place="line 1", reason=LONG_NUMBER)
