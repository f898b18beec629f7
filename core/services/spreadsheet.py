"""Records as CSV that is safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Sequence

from core.domain.record import Record

FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would run a cell that begins like this."""


def write_csv(rows: Iterable[Record], fields: Sequence[str]) -> bytes:
    """Return some fields of records as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fields, extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        writer.writerow({field: _disarm(value) for field, value in row.model_dump(mode="json").items()})
    return text.getvalue().encode("utf-8")


def _disarm(value: object) -> object:
    """Keep text of Claude or of an analyst from being run as a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_MARKS) else value
