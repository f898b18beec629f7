"""The table of batches, on Home and in the Batch Monitor."""

from collections.abc import Sequence
from typing import Any, cast

import pandas as pd
import streamlit as st

from core.domain.batch import BatchProgress, BatchStatus
from core.ui.links import open_batch
from core.ui.status import find_status_look

OPEN = ":material/open_in_full: Open"
ROW_PIXELS = 32
MOST_ROWS = 12


def draw_batch_table(batches: Sequence[BatchProgress], key: str) -> None:
    """Draw batches with a button each that opens the batch."""
    button = f"{key}_open"

    def open_chosen() -> None:
        clicked = st.session_state.get(button)
        if clicked:
            open_batch(batches[int(clicked["row"])].id)

    frame = pd.DataFrame([_make_row(batch) for batch in batches])
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        row_height=ROW_PIXELS,
        height="content" if len(batches) <= MOST_ROWS else ROW_PIXELS * (MOST_ROWS + 1),
        column_config=cast("Any", _configure_columns())
        | {"open": st.column_config.ButtonColumn("", key=button, on_click=open_chosen, type="tertiary", width=90)},
        alt=f"{len(batches)} batches, newest first",
    )


def _make_row(batch: BatchProgress) -> dict[str, Any]:
    return {
        "name": batch.name,
        "status": [batch.status.value],
        "progress": batch.fraction_closed,
        "planned": batch.planned,
        "accepted": batch.accepted,
        "failed": batch.failed,
        "cost": batch.cost_usd,
        "claude": ["simulated"] if batch.simulated else [],
        "created": batch.created_at,
        "open": OPEN,
    }


def _configure_columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "name": column.TextColumn("Batch", width="large"),
        "status": column.MultiselectColumn(
            "Status",
            options=list(BatchStatus),
            color=[find_status_look(status).color for status in BatchStatus],
            width="small",
        ),
        "progress": column.ProgressColumn("Done", min_value=0, max_value=1, format="percent", width="medium"),
        "planned": column.NumberColumn("Total", format="localized", width="small"),
        "accepted": column.NumberColumn("Accepted", format="localized", width="small"),
        "failed": column.NumberColumn("Failed", format="localized", width="small"),
        "cost": column.NumberColumn("Cost", format="$%.2f", width="small"),
        "claude": column.MultiselectColumn("Data", options=["simulated"], color=["orange"], width=95),
        "created": column.DatetimeColumn("Submitted", format="distance", width=120),
    }
