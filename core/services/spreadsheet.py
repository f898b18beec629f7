"""Records as CSV that is safe to open in a spreadsheet."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from core.domain.record import Record

_SEPARATOR = re.compile(r"([;\t\n\v\f\r\x85\u2028\u2029])")
"""Where a spreadsheet may begin a new cell in the middle of a text: where the decimal mark is a comma, it splits files at
semicolons, and what stands in quotes then does not hold together."""
_FORMULA = re.compile(r"[\W_]*?[=+\-@＝＋－＠﹢﹣﹦﹫]")
"""Beginnings of formulas, also after spaces, quotes or invisible characters."""


def write_csv(rows: Iterable[Record], fields: Sequence[str]) -> bytes:
    """Return some fields of records as CSV with a header."""
    dumped = (row.model_dump(mode="json") for row in rows)
    return write_cells(fields, ([row[field] for field in fields] for row in dumped))


def write_cells(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows of cells as CSV; texts cannot be run as formulas, numbers stay numbers."""
    text = io.StringIO()
    writer = csv.writer(text)
    for row in (header, *rows):
        writer.writerow([_disarm(cell) for cell in row])
    return text.getvalue().encode("utf-8")


def _disarm(cell: object) -> object:
    """Put an apostrophe before text that a spreadsheet would run as a formula."""
    if cell is None or isinstance(cell, int | float):
        return cell
    parts = _SEPARATOR.split(str(cell).replace("\0", ""))
    text = "".join(f"'{part}" if _FORMULA.match(part) else part for part in parts)
    return f"'{text}" if _SEPARATOR.match(text) else text
