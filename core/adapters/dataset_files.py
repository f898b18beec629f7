"""Files of conversations, read in pieces that fit into memory: JSON by streaming, JSON Lines by lines, gzip or not."""

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, assert_never, cast

import ijson  # pyright: ignore[reportMissingTypeStubs] - it has none; its answers are cast

from core.domain.formats.entries import Entry, JsonEntry, TextEntry, Unreadable
from core.domain.formats.recognition import is_message, recognise_record
from core.errors import InvalidRequest

LARGEST_RECORD = 64 * 2**20
_FIRST_LINES, _FIRST_BYTES = 50, 8 * 2**20
_PEEK_BYTES, _LONGEST_PATH = 4096, 1000
_SUFFIXES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_DATA_ERRORS = (OSError, EOFError, zlib.error)

ByteProgress = Callable[[int], None]
"""Told how many bytes of the file, as it lies on the disk, have been read."""
Opener = Callable[[], BinaryIO]
"""Opens the file from its beginning; whoever opens it closes it."""


class _Layout(StrEnum):
    """How records lie in a file."""

    LINES = "lines"  #: one on each line
    ITEMS = "items"  #: in one JSON array
    CONVERSATIONS = "conversations"  #: in the array `conversations` of one object
    TRAINING_PAIRS = "training_pairs"  #: in the array `training_pairs` of one object
    DOCUMENT = "document"  #: the file is one record


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
    if not path.is_file():
        yield Unreadable(place=None, reason="not a file" if path.exists() else "there is no such file")
        return
    yield from _read_opened(lambda: path.open("rb"), on_progress)


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
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InvalidRequest(f"{self.path} cannot be read: {error.strerror or error}. Nothing was imported.") from error

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


def _read_opened(opener: Opener, on_progress: ByteProgress) -> Iterator[Entry]:
    try:
        layout = _find_layout(opener)
        if layout is None:
            yield Unreadable(place=None, reason="the file is empty")
            return
        with _open_file(opener) as (raw, data):
            for entry in _read_layout(layout, opener, data):
                yield entry
                on_progress(raw.tell())
    except _DATA_ERRORS as error:
        yield Unreadable(place=None, reason=getattr(error, "strerror", None) or str(error))


def _read_layout(layout: _Layout, opener: Opener, data: BinaryIO) -> Iterator[Entry]:
    match layout:
        case _Layout.LINES:
            return _read_lines(data)
        case _Layout.ITEMS:
            return _read_items(data, "item", opener)
        case _Layout.CONVERSATIONS | _Layout.TRAINING_PAIRS:
            return _read_items(data, f"{layout}.item", opener)
        case _Layout.DOCUMENT:
            return iter((_read_document(data),))
        case _:
            assert_never(layout)


@contextmanager
def _open_file(opener: Opener) -> Generator[tuple[BinaryIO, BinaryIO]]:
    """The file as it lies on the disk, and its data: unpacked, behind the byte order mark."""
    with opener() as raw:
        packed = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        raw.seek(0)
        data = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if packed else raw
        if data.read(len(_BOM)) != _BOM:
            data.seek(0)
        yield raw, data


def _find_layout(opener: Opener) -> _Layout | None:
    """How the records lie; None where there is nothing but blanks.

    A first line that is a record for itself decides, then one array or object around all records, whose lines may look like
    records too, then any other line: the first may be the bad one.
    """
    with _open_file(opener) as (_, data):
        lines = _read_first_lines(data)
    if not lines:
        return None
    if len(lines) > 1 and _begin_with_record(lines):
        return _Layout.LINES
    with _open_file(opener) as (_, data):
        found = _peek_layout(data)
    is_open_array = lines[0].startswith(b"[") and _parse_quietly(lines[0]) is None
    if found in (_Layout.DOCUMENT, _Layout.ITEMS) and not is_open_array and any(map(_is_record, lines[1:])):
        return _Layout.LINES
    return found


def _read_first_lines(data: BinaryIO) -> list[bytes]:
    """The first lines that are not blank, the very first perhaps in part."""
    lines: list[bytes] = []
    budget = _FIRST_BYTES
    while len(lines) < _FIRST_LINES and budget > 0:
        line = data.readline(budget)
        if not line:
            break
        budget -= len(line)
        if line.strip():
            lines.append(line.strip())
    return lines


def _begin_with_record(lines: list[bytes]) -> bool:
    """Whether the first line is a record, or at least an object that the next line does not belong to."""
    value = _parse_quietly(lines[0])
    return isinstance(value, dict) or recognise_record(value) is not None


def _is_record(line: bytes) -> bool:
    return recognise_record(_parse_quietly(line)) is not None


def _parse_quietly(line: bytes) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _peek_layout(data: BinaryIO) -> _Layout:
    """Look into the first JSON value, as far as it takes to know whether it is a record or holds them."""
    first_item: dict[str, None] = {}
    container = _Layout.ITEMS
    try:
        for prefix, event, value in cast(
            "Iterator[tuple[str, str, Any]]", ijson.parse(data, multiple_values=True, buf_size=_PEEK_BYTES)
        ):
            match prefix, event:
                case "", "map_key" if value == _Layout.TRAINING_PAIRS:
                    return _Layout.TRAINING_PAIRS
                case "", "map_key" if value == _Layout.CONVERSATIONS:
                    container = _Layout.CONVERSATIONS
                case ("item", "map_key") | ("conversations.item", "map_key"):
                    first_item[value] = None
                case ("item", "end_map") | ("conversations.item", "end_map"):
                    return _Layout.DOCUMENT if is_message(first_item) else container
                case "", "end_map":
                    return _Layout.DOCUMENT
                case "", "end_array":
                    return _Layout.ITEMS
                case _ if len(prefix) > _LONGEST_PATH:
                    break
                case _:
                    pass
    except (ijson.JSONError, UnicodeDecodeError):
        pass
    return _Layout.DOCUMENT


def _read_lines(data: BinaryIO) -> Iterator[Entry]:
    number = 0
    while line := data.readline(LARGEST_RECORD):
        number += 1
        place = f"line {number}"
        if len(line) == LARGEST_RECORD and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = data.readline(LARGEST_RECORD)
            yield Unreadable(place=place, reason=f"longer than {LARGEST_RECORD // 2**20} MB")
            continue
        if not line.isspace():
            yield _parse_line(line, place)


def _parse_line(line: bytes, place: str) -> Entry:
    try:
        text = line.decode()
        return JsonEntry(place=place, value=json.loads(text), text=text)
    except json.JSONDecodeError as error:
        return Unreadable(place=place, reason=f"not JSON: {error.msg} at column {error.colno}")
    except UnicodeDecodeError as error:
        return Unreadable(place=place, reason=f"not UTF-8 at byte {error.start}")
    except (ValueError, RecursionError) as error:
        return Unreadable(place=place, reason=f"not JSON: {error}")


def _read_items(data: BinaryIO, prefix: str, opener: Opener) -> Iterator[Entry]:
    items = cast("Iterator[object]", ijson.items(data, prefix, use_float=True, multiple_values=True))
    index = 0
    try:
        for index, value in enumerate(items, start=1):
            yield JsonEntry(place=f"item {index - 1}", value=value)
    except (ijson.JSONError, UnicodeDecodeError) as error:
        yield _locate_error(opener, str(error), index)


def _locate_error(opener: Opener, reason: str, items_before: int) -> Unreadable:
    """The streaming parser does not know its line; a file that fits into memory is read again by one that does."""
    whole = f"{items_before} items before it were read"
    with _open_file(opener) as (_, data):
        entry = _read_document(data)
    match entry:
        case TextEntry():
            return Unreadable(place=f"line {entry.line}", reason=f"not JSON: {entry.reason}; {whole}")
        case Unreadable(place=str()):
            return entry
        case _:
            return Unreadable(
                place=f"behind item {items_before - 1}", reason=f"not JSON: {' '.join(reason.split())}; {whole}"
            )


def _read_document(data: BinaryIO) -> Entry:
    content = data.read(LARGEST_RECORD + 1)
    if len(content) > LARGEST_RECORD:
        return Unreadable(place=None, reason=f"one record of more than {LARGEST_RECORD // 2**20} MB")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Unreadable(place=f"line {line}", reason="not UTF-8")
    try:
        return JsonEntry(place="line 1", value=json.loads(text), text=text)
    except json.JSONDecodeError as error:
        return TextEntry(line=error.lineno, reason=f"{error.msg} at column {error.colno}", text=text)
    except (ValueError, RecursionError) as error:
        return TextEntry(line=1, reason=str(error), text=text)
