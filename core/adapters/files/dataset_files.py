"""Files of conversations, read in pieces that fit into memory: JSON by streaming, JSON Lines by lines, gzip or not."""

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, assert_never

from core.adapters.files.bounded_file import BoundedStream, FileRefused, Opener, open_bounded, open_regular_file
from core.adapters.files.json_items import JSON_ERRORS, Layout, peek_layout, read_items
from core.domain.verdict.bounded_json import TOO_LARGE, ExcessiveJson, parse_json
from core.domain.verdict.formats.entries import Entry, JsonEntry, TextEntry, Unreadable
from core.domain.verdict.formats.recognition import recognise_record
from core.domain.verdict.limits import LARGEST_RECORD, LONGEST_LABEL, MOST_BLANK_LINES
from core.errors import InvalidRequest

_FIRST_LINES = 50
_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_DATA_ERRORS = (OSError, EOFError, zlib.error, FileRefused)
_LONG_NUMBER = "not JSON that can be read: an integer has thousands of digits"
"""The one thing that Python refuses in what is JSON."""
_HASHED_BYTES = 256 * 1024

ByteProgress = Callable[[int], None]
"""Told how many bytes of the file, as it lies on the disk, have been read."""


def find_files(path: Path) -> list[Path]:
    """The path itself, or the JSON files in and under a folder, sorted."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.name.lower().endswith(_SUFFIXES) and not file.is_dir())


def measure_file(path: Path) -> int:
    """Size in bytes; 0 for what is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def read_entries(path: Path, on_progress: ByteProgress) -> Iterator[Entry]:
    """What a file holds, piece by piece; an error of the file is an entry, too."""
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
    """Implements DataSetFile for what a browser sent. Its name is a label: nothing is opened by it."""

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
    """Of as many bytes as the file had: one that grows has no end."""
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, _HASHED_BYTES))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.hexdigest()


def _read_opened(opener: Opener, on_progress: ByteProgress) -> Iterator[Entry]:
    try:
        layout = _find_layout(opener)
        if isinstance(layout, Unreadable):
            yield layout
            return
        with open_bounded(opener) as (raw, data):
            for entry in _read_layout(layout, opener, data):
                yield entry
                on_progress(raw.tell())
    except _DATA_ERRORS as error:
        yield Unreadable(place=None, reason=_describe_error(error))


def _describe_error(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    return getattr(error, "strerror", None) or str(error)


def _read_layout(layout: Layout, opener: Opener, data: BoundedStream) -> Iterator[Entry]:
    match layout:
        case Layout.LINES:
            return _read_lines(data)
        case Layout.ITEMS:
            return _read_items(data, None, opener)
        case Layout.CONVERSATIONS | Layout.TRAINING_PAIRS:
            return _read_items(data, layout, opener)
        case Layout.DOCUMENT:
            return iter((_read_document(data),))
        case _:
            assert_never(layout)


def _find_layout(opener: Opener) -> Layout | Unreadable:
    """How the records lie.

    A first line that is a record for itself decides, then one array or object around all records, whose lines may look like
    records too, then any other line: the first may be the bad one.
    """
    with open_bounded(opener) as (_, data):
        lines, has_more = _read_first_lines(data)
    if not lines:
        return Unreadable(place=None, reason="it begins with nothing but blanks" if has_more else "the file is empty")
    if (len(lines) > 1 or has_more) and _begin_with_record(lines):
        return Layout.LINES
    with open_bounded(opener) as (_, data):
        found = peek_layout(data)
    is_open_array = lines[0].startswith(b"[") and _parse_quietly(lines[0]) is None
    if found in (Layout.DOCUMENT, Layout.ITEMS) and not is_open_array and any(map(_is_record, lines[1:])):
        return Layout.LINES
    return found


def _read_first_lines(data: BoundedStream) -> tuple[list[bytes], bool]:
    """The first lines that are not blank, the last perhaps in part, and whether there is more behind them."""
    lines: list[bytes] = []
    read = 0
    for _ in range(MOST_BLANK_LINES):
        try:
            line = data.readline(LARGEST_RECORD - read)
        except _DATA_ERRORS:
            if lines:
                return lines, False  # Whoever reads it comes to the same, behind these lines.
            raise
        read += len(line)
        if line.strip():
            lines.append(line.strip())
        if not line or len(lines) == _FIRST_LINES:
            return lines, read >= LARGEST_RECORD or bool(line)
    return lines, True


def _begin_with_record(lines: list[bytes]) -> bool:
    """Whether the first line is a record, or at least an object that the next line does not belong to."""
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
            yield _parse_line(line, place)
            continue
        while line and not line.endswith(b"\n"):
            line = data.readline(LARGEST_RECORD)
            data.begin_record()
        yield Unreadable(place=place, reason=TOO_LARGE)


def _parse_line(line: bytes, place: str) -> Entry:
    try:
        text = line.decode()
        return JsonEntry(place=place, value=parse_json(text), text=text)
    except json.JSONDecodeError as error:
        return Unreadable(place=place, reason=f"not JSON: {error.msg} at column {error.colno}")
    except UnicodeDecodeError as error:
        return Unreadable(place=place, reason=f"not UTF-8 at byte {error.start}")
    except ExcessiveJson as error:
        return Unreadable(place=place, reason=f"not JSON that can be read: {error}")
    except ValueError:
        return Unreadable(place=place, reason=_LONG_NUMBER)


def _read_items(data: BoundedStream, key: str | None, opener: Opener) -> Iterator[Entry]:
    index = 0
    try:
        for index, value in enumerate(read_items(data, key), start=1):
            yield JsonEntry(place=f"item {index - 1}", value=value)
    except ExcessiveJson as error:
        yield Unreadable(place=f"item {index}", reason=f"not JSON that can be read: {error}; it and the rest are left out")
    except JSON_ERRORS as error:
        yield _locate_error(opener, str(error), index)


def _locate_error(opener: Opener, reason: str, items_before: int) -> Unreadable:
    """The streaming parser does not know its line; a file that fits into memory is read again by one that does."""
    whole = f"{items_before} items before it were read"
    with open_bounded(opener) as (_, data):
        entry = _read_document(data)
    match entry:
        case TextEntry():
            return Unreadable(place=f"line {entry.line}", reason=f"not JSON: {entry.reason}; {whole}")
        case Unreadable(place=str()):
            return entry
        case _:
            told = " ".join(reason.split())[:LONGEST_LABEL]
            return Unreadable(place=f"behind item {items_before - 1}", reason=f"not JSON: {told}; {whole}")


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
        return JsonEntry(place="line 1", value=parse_json(text), text=text)
    except json.JSONDecodeError as error:
        return TextEntry(line=error.lineno, reason=f"{error.msg} at column {error.colno}", text=text)
    except ExcessiveJson as error:
        return TextEntry(line=1, reason=str(error), text=text)
    except ValueError:
        return Unreadable(place="line 1", reason=_LONG_NUMBER)
