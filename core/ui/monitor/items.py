"""The items of one batch: a page of them, by status, each with a link to its conversation or failure."""

from math import ceil
from typing import Any

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchProgress
from core.domain.batches.monitor import ItemRow, ItemStatus, LogFormat, describe_item
from core.services.monitor import ITEMS_OF_PAGE
from core.ui.shell.formats import format_count
from core.ui.shell.link_state import change_link, read_choice, read_whole, show_link
from core.ui.shell.links import open_conversation, open_failure
from core.ui.shell.status import find_item_color, name_item_status
from core.ui.shell.tables import RowButton, draw_table

STATUS, PAGE = "items", "items_page"
"""Parameters of the link."""
OPEN_CONVERSATION, OPEN_FAILURE = ":material/forum: Read", ":material/error: Why"


def draw_items(services: PageServices, progress: BatchProgress) -> None:
    """Draw one page of the items, above it the filter, the pages and the log."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("**Items**", width="content")
        status = _choose_status()
        total = progress.planned if status is None else _count_status(progress, status)
        st.space("stretch")
        _draw_log_buttons(services, progress)
    page = _choose_page(ceil(total / ITEMS_OF_PAGE)) if total > ITEMS_OF_PAGE else 1
    found = services.monitor.list_items(progress.id, status, page=page)
    if found.items:
        _draw_table(found.items, _describe_page(len(found.items), found.total, page))
    else:
        st.caption("No item has this status now.")


def _choose_status() -> ItemStatus | None:
    chosen = read_choice(STATUS, ItemStatus)
    key = show_link(STATUS, None if chosen is None else chosen.value)
    st.pills(
        "Status of the items",
        [status.value for status in ItemStatus],
        format_func=lambda value: name_item_status(ItemStatus(value)),
        key=key,
        label_visibility="collapsed",
        on_change=lambda: change_link({STATUS: st.session_state[key], PAGE: None}),
    )
    return chosen


def _choose_page(pages: int) -> int:
    page = min(max(read_whole(PAGE) or 1, 1), pages)
    key = show_link(PAGE, page)
    # A row of its own: beside the other tools it would shrink to the number of the page alone.
    st.pagination(pages, key=key, on_change=lambda: change_link({PAGE: str(st.session_state[key])}))
    return page


def _count_status(progress: BatchProgress, status: ItemStatus) -> int:
    counts = {
        ItemStatus.QUEUED: progress.queued,
        ItemStatus.PROCESSING: progress.running,
        ItemStatus.COMPLETED: progress.accepted,
        ItemStatus.FAILED: progress.failed,
        ItemStatus.CANCELLED: progress.cancelled,
    }
    return counts[status]


def _draw_log_buttons(services: PageServices, progress: BatchProgress) -> None:
    if not progress.attempts:
        return
    for log_format in LogFormat:
        st.download_button(
            f"Log {log_format.upper()}",
            data=lambda log_format=log_format: services.monitor.write_log(progress.id, log_format),
            file_name=f"batch-{progress.id}-log.{log_format}",
            mime="text/csv" if log_format is LogFormat.CSV else "application/jsonl",
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
            key=f"log_{log_format}",
            help=f"Every call of this batch ({progress.attempts:,}), one row each",
        )


def _draw_table(items: tuple[ItemRow, ...], note: str) -> None:
    def open_chosen(row: int) -> None:
        item = items[row]
        if item.conversation_id is not None:
            open_conversation(item.conversation_id)
        if item.failure_id is not None:
            open_failure(item.failure_id)

    column = st.column_config
    columns = {
        "number": column.NumberColumn("#", width=55, format="localized"),
        "persona": column.TextColumn("Persona", width=125),
        "arc": column.TextColumn("Arc", width=160),
        "topic": column.TextColumn("Topic", width=195),
        "status": column.MultiselectColumn(
            "Status",
            options=[name_item_status(status) for status in ItemStatus],
            color=[find_item_color(status) for status in ItemStatus],
            width=100,
        ),
        "attempts": column.NumberColumn("Calls", width=50, help="Calls to Claude, including those without a reply"),
        "seconds": column.NumberColumn("Duration", format="%.1f s", width=75, help="All calls together"),
        "tokens": column.NumberColumn("Tokens", format="localized", width=70, help="Output tokens of all calls"),
        "cost": column.NumberColumn("Cost", format="$%.4f", width=75),
        "happened": column.TextColumn("Result", width=235),
    }
    buttons = {"open": RowButton(open_chosen, width=85)}
    draw_table([_make_row(item) for item in items], columns, key="items_table", alt=note, buttons=buttons)
    st.caption(note)


def _make_row(item: ItemRow) -> dict[str, Any]:
    return {
        "open": _name_button(item),
        "number": item.position + 1,
        "persona": item.persona,
        "arc": item.arc,
        "topic": item.topic,
        "status": [name_item_status(item.status)],
        "attempts": item.attempts,
        "seconds": item.duration_ms / 1000 if item.attempts else None,
        "tokens": item.output_tokens,
        "cost": item.cost_usd,
        "happened": f"{'' if item.variation == 1 else f'variation {item.variation:,} · '}{describe_item(item)}",
    }


def _name_button(item: ItemRow) -> str | None:
    if item.conversation_id is not None:
        return OPEN_CONVERSATION
    return None if item.failure_id is None else OPEN_FAILURE


def _describe_page(shown: int, total: int, page: int) -> str:
    if shown == total:
        return format_count(total, "item")
    first = (page - 1) * ITEMS_OF_PAGE + 1
    return f"Items {first:,} to {first + shown - 1:,} of {total:,}"
