"""The list of data sets, and the way to a new one."""

from collections.abc import Sequence
from math import floor
from typing import Any

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.plans import Dataset
from core.ui.datasets.creation import draw_creation, open_creation
from core.ui.shell.formats import format_count
from core.ui.shell.links import open_dataset
from core.ui.shell.page import draw_header
from core.ui.shell.tables import RowButton, age_column, draw_table

OPEN = ":material/open_in_full: Open"


def draw_dataset_list(services: PageServices) -> None:
    """Draw all data sets, newest first."""
    datasets = services.datasets.list_all()
    with draw_header("Datasets"):
        st.space("stretch")
        if datasets:
            _draw_new_button()
    if datasets:
        _draw_table(datasets)
    else:
        _draw_welcome()
    draw_creation(services)


def _draw_new_button() -> None:
    st.button("New data set", type="primary", icon=":material/add:", on_click=open_creation)


def _draw_welcome() -> None:
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("medium")
        st.markdown(":material/dataset: **No data sets yet**", width="content")
        st.markdown(
            "Plan which conversations you want. Top up until the plan is full, review, freeze a version, download it.",
            width="content",
            text_alignment="center",
        )
        _draw_new_button()
        st.space("medium")


def _draw_table(datasets: Sequence[Dataset]) -> None:
    def open_chosen(row: int) -> None:
        open_dataset(datasets[row].id)

    draw_table(
        [_make_row(each) for each in datasets],
        _configure_columns(),
        key="dataset_table",
        alt=f"{format_count(len(datasets), 'data set')}, newest first",
        file_name="data-sets",
        buttons={"open": RowButton(open_chosen, width=85)},
    )


def _make_row(dataset: Dataset) -> dict[str, Any]:
    return {
        "open": OPEN,
        "name": dataset.name,
        "filled": floor(100 * dataset.filled / dataset.planned),  # 100 % only when it is all.
        "planned": dataset.planned,
        "accepted": dataset.accepted,
        "approved": dataset.approved,
        "failed": dataset.failed,
        "missing": dataset.missing,
        "version": dataset.version,
        "exported": None if dataset.latest_export is None else dataset.latest_export.exported_at,
        "created": dataset.created_at,
    }


def _configure_columns() -> dict[str, Any]:
    column = st.column_config

    def count(title: str, width: int) -> Any:  # noqa: ANN401 - Streamlit's column types are not public
        return column.NumberColumn(title, format="localized", width=width)

    return {
        "name": column.TextColumn("Data set", width=290),
        "filled": column.ProgressColumn("Filled", min_value=0, max_value=100, format="%d %%", width=150),
        "planned": count("Planned", 85),
        "accepted": count("Accepted", 85),
        "approved": count("Approved", 85),
        "failed": count("Failed", 70),
        "missing": count("Missing", 80),
        "version": column.NumberColumn("Version", width=75),
        "exported": age_column("Exported"),
        "created": age_column("Created"),
    }
