"""The table of batches on Home and in the Batch Monitor, and the welcome in its place while there is none."""

from collections.abc import Sequence
from math import floor
from typing import Any

import streamlit as st

from core.domain.batches.batch import BatchProgress, BatchStatus
from core.ui.shell.links import open_batch, open_generator
from core.ui.shell.status import find_status_look
from core.ui.shell.tables import RowButton, age_column, draw_table, mark_simulated, simulated_column

OPEN = ":material/open_in_full: Open"


def draw_batch_table(batches: Sequence[BatchProgress], key: str, file_name: str | None = None) -> None:
    """Draw batches with a button each that opens the batch; with `file_name` they can be had as CSV."""

    def open_chosen(row: int) -> None:
        open_batch(batches[row].id)

    rows, alt = [_make_row(batch) for batch in batches], f"{len(batches)} batches, newest first"
    buttons = {"open": RowButton(open_chosen, width=85)}
    draw_table(rows, _configure_columns(), key=key, alt=alt, file_name=file_name, buttons=buttons)


def draw_welcome() -> None:
    """Say what to do first in a fresh database."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("medium")
        st.markdown(":material/forum: **No conversations yet**", width="content")
        st.markdown(
            "Choose personas, emotional arcs and topics. Claude writes one conversation for every combination.",
            width="content",
            text_alignment="center",
        )
        if st.button("Generate conversations", type="primary", icon=":material/bolt:"):
            open_generator()
        st.space("medium")


def _make_row(batch: BatchProgress) -> dict[str, Any]:
    return {
        "open": OPEN,
        "name": batch.name,
        "status": [batch.status.value],
        "progress": floor(100 * batch.fraction_judged),  # 100 % only when it is all.
        "planned": batch.planned,
        "accepted": batch.accepted,
        "failed": batch.failed,
        "cost": batch.cost_usd,
        "data": mark_simulated(simulated=batch.simulated),
        "started_by": "you",  # Row-level security shows an analyst their own batches only.
        "created": batch.created_at,
    }


def _configure_columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "name": column.TextColumn("Batch", width=255),
        "status": column.MultiselectColumn(
            "Status",
            options=list(BatchStatus),
            color=[find_status_look(status).color for status in BatchStatus],
            width=110,
        ),
        "progress": column.ProgressColumn("Done", min_value=0, max_value=100, format="%d %%", width=130),
        "planned": column.NumberColumn("Total", format="localized", width=70),
        "accepted": column.NumberColumn("Accepted", format="localized", width=85),
        "failed": column.NumberColumn("Failed", format="localized", width=70),
        "cost": column.NumberColumn("Cost", format="$%.2f", width=85),
        "data": simulated_column(),
        "started_by": column.TextColumn("Started by", width=75),
        "created": age_column("Submitted"),
    }
