"""Tables as text: CSV with commas, semicolons or tabs, whose columns are members of records.

A row is a record whose members are texts; lists of messages in it are JSON text. Values may have line breaks, so rows are
counted, not lines.
"""

import csv
from collections.abc import Iterator

from core.adapters.files.bounded_file import BoundedStream
from core.domain.verdict.bounded_json import TOO_LARGE, TOO_MANY_VALUES
from core.domain.verdict.formats.entries import Entry, JsonEntry, Unreadable
from core.domain.verdict.formats.recognition import has_known_columns
from core.domain.verdict.limits import LARGEST_RECORD, LONGEST_LABEL, MOST_VALUES

_DELIMITERS = ",\t;|"
_SHOWN_COLUMNS = 8


def find_delimiter(header: str) -> str | None:
    """Return the delimiter of a table of conversations, from its first line; None if it is not such a table."""
    return next((mark for mark in _DELIMITERS if has_known_columns(_split(header, mark))), None)


def describe_table(lines: list[str]) -> str | None:
    """Say that lines look like a table with unknown columns; None if they do not."""
    for mark in _DELIMITERS:
        widths = {len(_split(line, mark)) for line in lines[:3]}
        names = _split(lines[0], mark)
        if len(lines) > 1 and widths == {len(names)} and len(names) > 1 and all(len(name) < LONGEST_LABEL for name in names):
            shown = ", ".join(names[:_SHOWN_COLUMNS]) + (" and more" if len(names) > _SHOWN_COLUMNS else "")
            return f"looks like a table with the columns {shown}, of which none are known: name them as docs/scan.md says"
    return None


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter, strict=True), list[str]())]
    except csv.Error:
        return []


def read_table(data: BoundedStream, delimiter: str) -> Iterator[Entry]:
    """Read the rows after the header, which names the columns."""
    csv.field_size_limit(LARGEST_RECORD)
    lines = _Lines(data)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    names = [name.strip() for name in next(rows, list[str]())]
    number = 0
    while True:
        lines.begin_row()
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Unreadable(place=f"line {lines.number}", reason=f"not a row of the table: {error}")
            if lines.is_at_end:
                return
            continue
        if row is None:
            return
        if row:
            yield _read_row(names, row, f"row {number}")
            number += 1


def _read_row(names: list[str], row: list[str], place: str) -> Entry:
    if len(row) > MOST_VALUES:
        return Unreadable(place=place, reason=TOO_MANY_VALUES)
    if sum(map(len, row)) > LARGEST_RECORD:
        return Unreadable(place=place, reason=TOO_LARGE)
    if len(row) != len(names):
        return Unreadable(place=place, reason=f"it has {len(row)} values, but the table has {len(names)} columns")
    return JsonEntry(place=place, value=dict(zip(names, row, strict=True)))


class _Lines:
    """The lines of a table as text; bytes that are not UTF-8 become a mark, which the verdict flags."""

    def __init__(self, data: BoundedStream) -> None:
        self._data = data
        self.number = 0
        self.is_at_end = False

    def begin_row(self) -> None:
        """Start counting the bytes of a new row."""
        self._data.begin_record()

    def __iter__(self) -> Iterator[str]:
        while line := self._data.readline(LARGEST_RECORD):
            self.number += 1
            yield line.decode(errors="replace")
        self.is_at_end = True
