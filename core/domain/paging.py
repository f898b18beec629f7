"""Keyset paging: a page begins after a row, not after a number of rows."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar
from uuid import UUID

from pydantic import AwareDatetime

from core.domain.record import Record
from core.errors import InvalidRequest

SEPARATOR = "~"
PAGE_SIZE = 25


class Direction(StrEnum):
    """Where to go from a cursor; a page itself is always newest first."""

    OLDER = "older"
    NEWER = "newer"


class RecordRow(Record):
    """What every row of a page has."""

    id: UUID
    created_at: AwareDatetime


AnyRow = TypeVar("AnyRow", bound=RecordRow)


class RowPlace(Record):
    """The place of a row among the filtered ones: `newer` of `total` come before it."""

    newer_id: UUID | None = None
    older_id: UUID | None = None
    newer: int = 0
    total: int = 0


class RowCursor(Record):
    """The row at an end of a page."""

    created_at: AwareDatetime
    id: UUID

    def to_text(self) -> str:
        """Return the cursor as an address holds it."""
        return f"{self.created_at.isoformat()}{SEPARATOR}{self.id}"


class Page(Record, Generic[AnyRow]):
    """Rows, newest first; `newer` more stand before them.

    `next_cursor` is None on the last page, `previous_cursor` on the first.
    """

    rows: tuple[AnyRow, ...]
    newer: int = 0
    next_cursor: RowCursor | None = None
    previous_cursor: RowCursor | None = None


def parse_cursor(text: str) -> RowCursor:
    """Return the cursor of an address; raise InvalidRequest if it is not a cursor."""
    moment, _, row_id = text.partition(SEPARATOR)
    try:
        created_at = datetime.fromisoformat(moment)
        if created_at.tzinfo is not None:
            return RowCursor(created_at=created_at, id=UUID(row_id))
    except ValueError:
        pass
    raise InvalidRequest("The page in this address does not exist. Here is the newest one.")


def cut_page(rows: Sequence[AnyRow], newer: int, page_size: int, direction: Direction) -> Page[AnyRow]:
    """Make a page of up to `page_size` + 1 rows read from a cursor; the one too many shows that there is another page.

    `newer` rows stand before the first one read. Going to newer rows, the row of the cursor itself is the older page's.
    """
    surplus = len(rows) > page_size
    if direction is Direction.NEWER:
        shown, has_older = tuple(rows[-page_size:]), True
        newer += int(surplus)
    else:
        shown, has_older = tuple(rows[:page_size]), surplus
    return Page(
        rows=shown,
        newer=newer,
        previous_cursor=_point_at(shown[0]) if shown and newer else None,
        next_cursor=_point_at(shown[-1]) if shown and has_older else None,
    )


def needs_first_page(page: Page[AnyRow], page_size: int, direction: Direction) -> bool:
    """Say whether the first page should be shown instead: rows were deleted, or there is no full page of newer ones."""
    return not page.rows or (direction is Direction.NEWER and len(page.rows) < page_size)


def _point_at(row: RecordRow) -> RowCursor:
    return RowCursor(created_at=row.created_at, id=row.id)
