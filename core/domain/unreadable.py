"""Database rows that do not fit their record: left out of lists, and reported."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from core.domain.record import Record

MOST_TOLD = 3
LONGEST_PART = 120


class UnreadableRow(Record):
    """One row that was left out; `what` says of which kind it is, as in "persona"."""

    what: str
    key: str
    problem: str


def describe_row(what: str, row: object, error: ValidationError) -> UnreadableRow:
    """Name a row by its key, else by its name or id, and say what is wrong with it."""
    problems = [f"{'.'.join(str(part) for part in each['loc'])}: {each['msg']}" for each in error.errors()[:MOST_TOLD]]
    return UnreadableRow(what=what, key=_find_key(row), problem=_shorten("; ".join(problems)))


def phrase_unreadable(rows: Sequence[UnreadableRow]) -> str:
    """Say it of rows of one kind, as `1 persona could not be read: KEY: what is wrong`."""
    what = rows[0].what if len(rows) == 1 else f"{rows[0].what}s"
    told = "; ".join(f"{row.key}: {row.problem}" for row in rows[:MOST_TOLD])
    more = f"; and {len(rows) - MOST_TOLD} more" if len(rows) > MOST_TOLD else ""
    return f"{len(rows)} {what} could not be read: {told}{more}"


def _find_key(row: object) -> str:
    if not isinstance(row, Mapping):
        return "not a row"
    values = cast("Mapping[str, Any]", row)
    keys = [name for name in values if name.endswith("_key")] + ["name", "id"]
    return _shorten(next((str(values[name]) for name in keys if values.get(name)), "without a key"))


def _shorten(text: str) -> str:
    return text if len(text) <= LONGEST_PART else f"{text[: LONGEST_PART - 1]}…"
