"""Pages by key."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from core.domain.paging import Direction, RecordRow, RowCursor, cut_page, parse_cursor
from core.errors import InvalidRequest

NOW = datetime(2026, 11, 22, 5, 10, 0, 123456, tzinfo=UTC)
ROWS = [RecordRow(id=uuid4(), created_at=NOW - timedelta(minutes=minute)) for minute in range(3)]


def test_a_cursor_survives_the_address() -> None:
    cursor = RowCursor(created_at=NOW, id=uuid4())

    assert cursor == parse_cursor(cursor.to_text())


@pytest.mark.parametrize(
    "text", ["", "nonsense", "2026-11-22~x", "2026-11-22T05:10:00~5f0c7a52-1d0e-4f0b-9d53-0d2c6a1b7e11"]
)
def test_a_damaged_cursor_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="newest"):
        parse_cursor(text)


def test_one_row_too_many_shows_that_older_ones_follow() -> None:
    page = cut_page(ROWS, 0, 2, Direction.OLDER)

    assert (tuple(ROWS[:2]), ROWS[1].id) == (page.rows, page.next_cursor.id if page.next_cursor else None)
    assert page.previous_cursor is None


def test_one_row_too_many_shows_that_newer_ones_precede() -> None:
    page = cut_page(ROWS, 4, 2, Direction.NEWER)

    assert (tuple(ROWS[1:]), 5) == (page.rows, page.newer)
    assert page.previous_cursor is not None
    assert page.next_cursor is not None
