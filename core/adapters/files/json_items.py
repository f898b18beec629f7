"""Records of a large JSON document, one after the other: the bounds of each are found before anything is built.

So a record in an array is parsed by the same parser as one on a line, with the same limits, and a record that is broken, too
deep or too large affects no other. Only brackets and strings are examined on the way.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from core.adapters.files.bounded_file import BoundedStream
from core.domain.verdict.limits import LARGEST_RECORD

_SMALLEST_PIECE, _LARGEST_PIECE = 64 * 1024, 512 * 1024
_BLANK = re.compile(rb"[ \t\r\n]*+")
_RUN = re.compile(rb'(?:[^\[\]{}"]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+', re.DOTALL)
"""Everything up to the next bracket, or to a string that does not end here."""
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SCALAR = re.compile(rb"[^,\[\]{}\s]*+")
_OPENINGS = frozenset(b"[{")
_ARRAY, _ARRAY_END, _OBJECT, _OBJECT_END, _COMMA, _COLON, _QUOTE = b'[]{},:"'
WRAPPER_KEYS = frozenset(
    (
        *("data", "rows", "train", "training", "test", "validation", "valid", "val", "dev", "eval", "items", "records"),
        *("examples", "samples", "instances", "results", "entries", "dataset", "datasets", "splits", "conversations"),
        *("messages", "dialogs", "dialogues", "chats", "threads", "training_pairs"),
    )
)
"""Members of the outermost object, or of one of these within it, that hold records."""
_DEPTH_MAX = 3
_OPEN_ARRAY = "the data end within an array"


class Layout(StrEnum):
    """How records are laid out in a file."""

    LINES = "lines"  #: one on each line
    ITEMS = "items"  #: in one JSON array
    WRAPPED = "wrapped"  #: in arrays that are members of one object
    SEQUENCE = "sequence"  #: one after the other, each over several lines
    DOCUMENT = "document"  #: the file is one record


class RawRecord(NamedTuple):
    """The text of a record, cut if it is too large, and the line on which it begins."""

    content: bytes
    line: int

    @property
    def is_too_large(self) -> bool:
        return len(self.content) > LARGEST_RECORD


class BrokenArray(Exception):
    """The text between records is not JSON, so what follows is not read; the message says what was expected."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line


class _Ending:
    """Finds the end of the value that begins at a position, in a buffer that grows."""

    def __init__(self, start: int) -> None:
        self.position = start
        self._start: int | None = start
        self._depth = 0
        self._is_in_string = self._is_scalar = False

    def move(self, distance: int) -> None:
        """Note that this much of the buffer's beginning was dropped."""
        self.position -= distance

    def find(self, buffer: bytes) -> int | None:
        """Return where the value ends; None if that is not within the buffer, which has then been searched completely."""
        if self._start is not None:
            self._is_scalar = buffer[self._start] not in _OPENINGS and buffer[self._start] != _QUOTE
            self._start = None
        if self._is_scalar:
            self.position = _match_end(_SCALAR, buffer, self.position)
            return self.position if self.position < len(buffer) else None
        while self.position < len(buffer):
            if self._is_in_string:
                self.position = _match_end(_STRING_REST, buffer, self.position)
                if buffer[self.position : self.position + 1] != b'"':
                    return None
                self._is_in_string = False
                self.position += 1
            else:
                self._step(buffer)
            if self._depth == 0 and not self._is_in_string:
                return self.position
        return None

    def _step(self, buffer: bytes) -> None:
        """Move past the next bracket, or into a string that does not end here."""
        if self._depth:
            self.position = _match_end(_RUN, buffer, self.position)
        found = buffer[self.position : self.position + 1]
        self.position += len(found)
        if found == b'"':
            self._is_in_string = True
        elif found:
            self._depth += 1 if found in b"[{" else -1


class JsonCursor:
    """Moves through JSON text from its beginning; text that it has passed is dropped."""

    def __init__(self, data: BoundedStream) -> None:
        self._data = data
        self._buffer = b""
        self._position = 0
        self._counted = 0
        """Where in the buffer lines are counted up to: counting from its beginning each time is quadratic."""
        self._line = 1
        self.is_cut = False
        """Whether the file ends within a value."""

    @property
    def line(self) -> int:
        """The current line."""
        self._count_lines()
        return self._line

    def peek(self) -> int | None:
        """Return the next byte that is not blank; None at the end of the file."""
        while True:
            self._position = _match_end(_BLANK, self._buffer, self._position)
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._fill():
                return None

    def take(self) -> None:
        """Consume the byte that was peeked at."""
        self._position += 1

    def read_value(self) -> RawRecord:
        """Consume the value that begins at the peeked byte, and return its text."""
        line, kept, ending = self.line, bytearray(), _Ending(self._position)
        while (end := ending.find(self._buffer)) is None:
            if len(self._buffer) - self._position > LARGEST_RECORD:
                self._keep(kept, ending.position)
            gone = self._position
            is_more = self._fill()
            ending.move(gone - self._position)
            if not is_more:
                self._keep(kept, len(self._buffer))
                self.is_cut = True
                return RawRecord(bytes(kept), line)
        self._keep(kept, end)
        return RawRecord(bytes(kept), line)

    def _keep(self, kept: bytearray, end: int) -> None:
        """Consume everything up to here, and keep it while it is not too large."""
        room = max(LARGEST_RECORD + 1 - len(kept), 0)
        kept += self._buffer[self._position : min(end, self._position + room)]
        self._position = end

    def _fill(self) -> bool:
        """Drop what was consumed, and read more."""
        self._count_lines()
        rest = self._buffer[self._position :]
        self._position = self._counted = 0
        self._data.begin_record()
        piece = self._data.read(min(_LARGEST_PIECE, max(_SMALLEST_PIECE, len(rest))))
        self._buffer = rest + piece
        return bool(piece)

    def _count_lines(self) -> None:
        self._line += self._buffer.count(b"\n", self._counted, self._position)
        self._counted = self._position


def _match_end(pattern: re.Pattern[bytes], buffer: bytes, start: int) -> int:
    found = pattern.match(buffer, start)
    return found.end() if found else start


def read_records(data: BoundedStream, layout: Layout) -> Iterator[RawRecord]:
    """Yield the records of an array, of the arrays within an object, or of a sequence. Raises BrokenArray."""
    cursor = JsonCursor(data)
    cursor.peek()
    match layout:
        case Layout.ITEMS:
            yield from _read_array(cursor)
        case Layout.WRAPPED:
            yield from _read_object(cursor, _DEPTH_MAX)
        case Layout.SEQUENCE | Layout.LINES | Layout.DOCUMENT:
            while cursor.peek() in _OPENINGS:
                yield cursor.read_value()
    if cursor.peek() is not None:
        raise BrokenArray(cursor.line, "something stands behind the data")


def peek_layout(data: BoundedStream) -> tuple[Layout, bytes]:
    """Read enough of the first JSON value to know where records are; return its first record, too."""
    cursor = JsonCursor(data)
    opening = cursor.peek()
    try:
        if opening == _ARRAY:
            return Layout.ITEMS, next(_read_array(cursor), RawRecord(b"", 1)).content
        if opening == _OBJECT:
            first = next(_read_object(cursor, _DEPTH_MAX), None)
            if first is not None:
                return Layout.WRAPPED, first.content
            return (Layout.SEQUENCE if cursor.peek() in _OPENINGS else Layout.DOCUMENT), b""
    except BrokenArray:
        pass
    return Layout.DOCUMENT, b""


def _read_array(cursor: JsonCursor) -> Iterator[RawRecord]:
    cursor.take()
    if cursor.peek() == _ARRAY_END:
        cursor.take()
        return
    while True:
        if cursor.peek() is None:
            raise BrokenArray(cursor.line, _OPEN_ARRAY)
        if cursor.peek() in (_ARRAY_END, _OBJECT_END, _COMMA, _COLON):
            raise BrokenArray(cursor.line, "a record is missing behind a comma")
        yield cursor.read_value()
        if cursor.is_cut:
            return
        behind = cursor.peek()
        if behind == _ARRAY_END:
            cursor.take()
            return
        if behind == _COMMA:
            cursor.take()
        elif behind is None:
            raise BrokenArray(cursor.line, _OPEN_ARRAY)
        else:
            raise BrokenArray(cursor.line, "a comma is missing between two records")


def _read_object(cursor: JsonCursor, depth: int) -> Iterator[RawRecord]:
    """Yield the records in the members that hold some; others are skipped."""
    cursor.take()
    while cursor.peek() == _QUOTE:
        key = cursor.read_value().content[1:-1].decode(errors="replace")
        if cursor.peek() != _COLON:
            raise BrokenArray(cursor.line, "a colon is missing behind a key")
        cursor.take()
        value = cursor.peek()
        if key in WRAPPER_KEYS and value == _ARRAY:
            yield from _read_array(cursor)
        elif key in WRAPPER_KEYS and value == _OBJECT and depth > 1:
            yield from _read_object(cursor, depth - 1)
        elif value is not None:
            cursor.read_value()
        if cursor.is_cut:
            return
        if cursor.peek() == _COMMA:
            cursor.take()
    if cursor.peek() != _OBJECT_END:
        raise BrokenArray(cursor.line, "the data end within an object" if cursor.peek() is None else "a key is missing")
    cursor.take()
