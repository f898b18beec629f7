"""What the stores of results share: filters, and pages by key."""

from typing import Any, TypeVar

from supabase import Client

from core.adapters.supabase.functions import call_function
from core.domain.paging import Direction, Page, RecordRow, RowCursor, cut_page
from core.domain.record import Record
from core.domain.result_options import ResultOptions

AnyRow = TypeVar("AnyRow", bound=RecordRow)


def dump_filters(filters: Record) -> dict[str, Any]:
    """Return the filters that are given, as the functions read them."""
    return filters.model_dump(mode="json", exclude_none=True)


def read_page(
    client: Client,
    function: str,
    row_type: type[AnyRow],
    *,
    filters: Record,
    page_size: int,
    cursor: RowCursor | None,
    direction: Direction,
) -> Page[AnyRow]:
    """Call a function that returns {"rows", "newer"}; one row more than asked for tells whether there is another page."""
    answer = call_function(
        client,
        function,
        filters=dump_filters(filters),
        page_size=page_size + 1,
        cursor_created_at=None if cursor is None else cursor.created_at.isoformat(),
        cursor_id=None if cursor is None else str(cursor.id),
        direction=direction,
    )
    rows = [row_type.model_validate(row) for row in answer["rows"]]
    return cut_page(rows, answer["newer"], page_size, direction)


def read_options(client: Client) -> ResultOptions:
    """Return what results can be filtered by."""
    return ResultOptions.model_validate(call_function(client, "list_result_options"))
