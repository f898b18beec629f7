"""Bars of rates with their intervals and numbers. No Streamlit here: every bar has the number of its row."""

from collections.abc import Sequence

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]

from core.domain.diagnosis.findings import format_failure_rate
from core.domain.diagnosis.intervals import Rate
from core.domain.record import Record
from core.ui.charts.axes import (
    escape_label,
    label_code,
    make_axis,
    make_frame,
    make_label_axis,
    shorten_label,
)
from core.ui.charts.figures import FAILURE_COLOR, KEEP_OPACITY, label_bars

FEW_COLOR, WHISKER_COLOR = "#9AA0A6", "#7A7F85"
"""Grey: too few items."""
FEWEST_ITEMS = 5
"""A bar or cell of fewer items is marked: a single failure would look like 20 % or more."""
BAR_PIXELS, FRAME_PIXELS = 25, 30
LINK_HINT = "<br>click for the failures"


class LabeledRate(Record):
    """One bar: what it stands for, its rate, and whether there is a filter for it."""

    label: str
    rate: Rate
    is_link: bool = True
    code: str | None = None
    """What the label is the plain name of, for the tooltip."""


def draw_rates(rows: Sequence[LabeledRate], color: str = FAILURE_COLOR) -> go.Figure:
    """Return a bar for each rate with its 95 % interval and its numbers; bars of few items are grey."""
    values = [100 * (row.rate.value or 0.0) for row in rows]
    lows, highs = [100 * (row.rate.low or 0.0) for row in rows], [100 * (row.rate.high or 0.0) for row in rows]
    places = list(range(len(rows)))
    bars = go.Bar(
        x=values,
        y=places,
        orientation="h",
        marker={"color": [FEW_COLOR if row.rate.judged < FEWEST_ITEMS else color for row in rows]},
        error_x={
            "type": "data",
            "array": [high - value for high, value in zip(highs, values, strict=True)],
            "arrayminus": [value - low for low, value in zip(lows, values, strict=True)],
            "color": WHISKER_COLOR,
            "thickness": 1.5,
            "width": 3,
        },
        customdata=[
            [
                escape_label(row.label) if row.code is None else label_code(row.label, row.code),
                describe_rate(row.rate),
                LINK_HINT if row.is_link else "",
            ]
            for row in rows
        ],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]}%{customdata[2]}<extra></extra>",
        **KEEP_OPACITY,
    )
    top = max([*highs, 1.0])
    words = [f"{format_failure_rate(row.rate)} · {row.rate.failed:,} of {row.rate.judged:,}" for row in rows]
    labels = [shorten_label(row.label) for row in rows]
    numbers = label_bars(highs, places, words)
    height = BAR_PIXELS * max(len(rows), 1) + FRAME_PIXELS
    layout = make_frame(height, left=labels, numbers=words) | {
        "bargap": 0.35,
        "hovermode": "y",  # The whole row reacts to the pointer: the bar of a rare value is too small.
        "xaxis": make_axis(range=[0, top], visible=False),
        "yaxis": make_label_axis(labels),
    }
    return go.Figure(data=[bars, numbers], layout=layout)


def describe_rates(title: str, rows: Sequence[LabeledRate]) -> str:
    """Return the chart in words, for those who do not see it."""
    return f"{title}: " + "; ".join(f"{row.label} {describe_rate(row.rate)}" for row in rows)


def describe_rate(rate: Rate) -> str:
    """Return a rate in words."""
    few = ", not enough data" if rate.judged < FEWEST_ITEMS else ""
    return f"{rate.failed:,} of {rate.judged:,} failed, {format_failure_rate(rate)}{few}"
