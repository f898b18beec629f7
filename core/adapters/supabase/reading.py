"""What the readers share: rows that are validated one by one, filters, and keyset pages."""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from supabase import Client

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.functions import call_function
from core.domain.batches.result_options import Option, ResultOptions
from core.domain.paging import Direction, Page, RecordRow, RowCursor, cut_page, needs_first_page
from core.domain.record import Record
from core.domain.unreadable import UnreadableRow, describe_row, phrase_unreadable
from core.errors import DatabaseRejected
from core.terminal import escape_controls

AnyRow = TypeVar("AnyRow", bound=RecordRow)
AnyRecord = TypeVar("AnyRecord", bound=BaseModel)
ROWS_OF_ANSWER = 1_000
"""The API returns at most this many rows at a time."""
OPTION_LISTS = {"personas": "persona", "arcs": "arc", "topics": "topic", "templates": "template", "batches": "batch"}

logger = logging.getLogger(__name__)


@dataclass(kw_only=True)
class UnreadableRows:
    """The rows that an analyst's last reading of each kind left out. Tabs may share it."""

    _by_kind: dict[str, tuple[UnreadableRow, ...]] = field(default_factory=dict[str, tuple[UnreadableRow, ...]])
    _changing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def note(self, what: str, rows: tuple[UnreadableRow, ...], *, goes_on: bool) -> bool:
        """Keep what was left out now, replacing what was kept before unless a reading continues; return whether that is
        news.
        """
        with self._changing:
            before = self._by_kind.get(what, ())
            self._by_kind[what] = tuple(dict.fromkeys((*before, *rows))) if goes_on else rows
            return before != self._by_kind[what]

    def list_all(self) -> tuple[UnreadableRow, ...]:
        """Return the rows of all kinds."""
        with self._changing:
            return tuple(chain.from_iterable(self._by_kind.values()))


def keep_readable(
    kind: type[AnyRecord], rows: Iterable[object], what: str, notes: UnreadableRows | None = None, *, goes_on: bool = False
) -> tuple[AnyRecord, ...]:
    """Return the rows that `kind` accepts. An invalid row does not end the list: it is left out, logged and noted.

    `goes_on`: these rows follow others of the same reading.
    """
    readable: list[AnyRecord] = []
    unreadable: list[UnreadableRow] = []
    for row in rows:
        try:
            readable.append(kind.model_validate(row))
        except ValidationError as error:
            unreadable.append(describe_row(what, row, error))
    is_news = bool(unreadable) if notes is None else notes.note(what, tuple(unreadable), goes_on=goes_on)
    if unreadable and is_news:
        logger.warning("%s", escape_controls(phrase_unreadable(unreadable)))
    return tuple(readable)


def read_table(client: Client, table: str, columns: str, *order: str) -> list[Any]:
    """Return all rows, in as many answers as they need; `order` must be unique."""
    rows: list[Any] = []
    while True:
        query = client.table(table).select(columns)
        for column in order:
            query = query.order(column)
        with translate_errors():
            found = query.range(len(rows), len(rows) + ROWS_OF_ANSWER - 1).execute().data
        rows += found
        if len(found) < ROWS_OF_ANSWER:
            return rows


def read_record(kind: type[AnyRecord], row: object, what: str) -> AnyRecord:
    """Validate a single row; raise DatabaseRejected, with a readable message, if `kind` does not accept it."""
    try:
        return kind.model_validate(row)
    except ValidationError as error:
        raise DatabaseRejected(phrase_unreadable([describe_row(what, row, error)])) from error


def dump_filters(filters: Record) -> dict[str, Any]:
    """Return the filters that are set, as the functions read them."""
    return filters.model_dump(mode="json", exclude_none=True)


def read_page(
    client: Client,
    function: str,
    row_type: type[AnyRow],
    what: str,
    *,
    notes: UnreadableRows,
    filters: Record,
    page_size: int,
    cursor: RowCursor | None,
    direction: Direction,
) -> Page[AnyRow]:
    """Call a function that returns {"rows", "newer"}; one row more than the page shows whether there is another page.

    All rows count for where a page begins and ends, so nothing is missing but the unreadable ones.
    """
    answer = call_function(
        client,
        function,
        filters=dump_filters(filters),
        page_size=page_size + 1,
        cursor_created_at=None if cursor is None else cursor.created_at.isoformat(),
        cursor_id=None if cursor is None else str(cursor.id),
        direction=direction,
    )
    keys = [RecordRow.model_validate(row) for row in answer["rows"]]
    rows = dict(zip((key.id for key in keys), answer["rows"], strict=True))
    page = cut_page(keys, answer["newer"], page_size, direction)
    if cursor is not None and needs_first_page(page, page_size, direction):
        return read_page(
            client,
            function,
            row_type,
            what,
            notes=notes,
            filters=filters,
            page_size=page_size,
            cursor=None,
            direction=Direction.OLDER,
        )
    return Page(
        rows=keep_readable(row_type, (rows[key.id] for key in page.rows), what, notes),
        newer=page.newer,
        next_cursor=page.next_cursor,
        previous_cursor=page.previous_cursor,
    )


def read_options(client: Client, notes: UnreadableRows) -> ResultOptions:
    """Return what results can be filtered by."""
    answer = call_function(client, "list_result_options")
    options = {name: keep_readable(Option, answer[name], f"{what} option", notes) for name, what in OPTION_LISTS.items()}
    return ResultOptions.model_validate(answer | options)
