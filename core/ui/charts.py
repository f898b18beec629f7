"""Rows to Plotly figures. No Streamlit here: a figure can be looked at and tested by itself."""

from collections.abc import Mapping

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]

FAILURE_COLOR, REPLY_COLOR = "#D55E00", "#0072B2"
"""Vermilion and blue of the Okabe-Ito palette: told apart by everyone, readable on light and dark."""
BAR_PIXELS, FRAME_PIXELS = 30, 12


def draw_counts(counts: Mapping[str, int], color: str) -> go.Figure:
    """Return horizontal bars, the largest on top, each with its number."""
    entries = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    bars = go.Bar(
        x=[number for _, number in entries],
        y=[name for name, _ in entries],
        text=[f"{number:,}" for _, number in entries],
        orientation="h",
        textposition="outside",
        cliponaxis=False,
        marker_color=color,
        hovertemplate="%{y}: %{x}<extra></extra>",
    )
    layout = {
        "height": BAR_PIXELS * max(1, len(entries)) + FRAME_PIXELS,
        "margin": {"l": 4, "r": 36, "t": 4, "b": 4},
        "bargap": 0.35,
        "showlegend": False,
        "dragmode": False,
        "xaxis": {"visible": False, "fixedrange": True},
        "yaxis": {"autorange": "reversed", "fixedrange": True, "type": "category"},
    }
    return go.Figure(data=[bars], layout=layout)


def describe_counts(title: str, counts: Mapping[str, int]) -> str:
    """Return the chart in words, for those who do not see it."""
    return f"{title}: " + ", ".join(f"{name} {number:,}" for name, number in counts.items())
