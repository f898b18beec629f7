"""Charts whose marks lead to the failures behind them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]
import streamlit as st

from core.ui.charts.figures import FAILURE_COLOR
from core.ui.charts.heat_map import CELL, SELECTED
from core.ui.charts.rate_chart import LabeledRate, describe_rates, draw_rates
from core.ui.shell.failure_filters import show_failures

Mark = dict[str, str]
"""Filters as the link holds them; empty where a mark has none."""


def draw_clickable(figure: go.Figure, *, key: str, alt: str, find_mark: Callable[[int, int], Mark]) -> None:
    """Draw a figure; `find_mark` says of a trace and a point which failures they stand for. Its camera saves it as SVG."""

    def show() -> None:
        points = st.session_state[key]["selection"]["points"]
        if points:
            show_failures(find_mark(int(points[0]["curve_number"]), int(points[0]["point_index"])))

    st.plotly_chart(  # pyright: ignore[reportUnknownMemberType] - a type of an optional package
        figure,
        key=key,
        on_select=show,
        selection_mode="points",
        config=configure_camera(key),
        alt=alt,
    )


def draw_clickable_heatmap(spec: Mapping[str, Any], *, key: str, alt: str, open_cell: Callable[[int], None]) -> None:
    """Draw a heat map; `open_cell` gets the number of the cell that is clicked."""

    def show() -> None:
        selected = st.session_state[key]["selection"].get(SELECTED)
        if selected:
            open_cell(int(selected[0][CELL]))

    st.vega_lite_chart(dict(spec), key=key, on_select=show, alt=alt)  # pyright: ignore[reportUnknownMemberType] - likewise


def draw_clickable_rates(
    title: str,
    rows: Sequence[LabeledRate],
    marks: Sequence[Mark],
    *,
    key: str,
    color: str = FAILURE_COLOR,
) -> None:
    """Draw a bar for each rate."""
    draw_clickable(
        draw_rates(rows, color),
        key=key,
        alt=describe_rates(title, rows),
        find_mark=lambda _, point: marks[point],
    )


def configure_camera(name: str) -> dict[str, object]:
    """Return Plotly's settings: nothing but the button that saves the chart."""
    return {
        "displaylogo": False,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": {"format": "svg", "filename": f"failures-{name.replace('_', '-')}"},
    }
