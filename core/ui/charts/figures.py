"""Rows to Plotly figures. No Streamlit here: a figure can be looked at and tested by itself."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]

from core.domain.batches.monitor import TrendPoint
from core.domain.diagnosis.alerts import ALARM_FAILURE_RATE
from core.domain.percentages import format_percent
from core.ui.charts.axes import (
    RATE_LABELS,
    label_code,
    make_axis,
    make_category_axis,
    make_frame,
    shorten_label,
)
from core.ui.shell.formats import format_count, localize

FAILURE_COLOR, REPLY_COLOR = "#D55E00", "#0072B2"
"""Vermilion and blue of the Okabe-Ito palette: told apart by everyone, readable on light and dark."""
ALARM_COLOR = "#999999"
KEEP_OPACITY = {"selected": {"marker": {"opacity": 1.0}}, "unselected": {"marker": {"opacity": 1.0}}}
"""For marks that are links: Streamlit would fade the unselected ones."""
BAR_PIXELS, FRAME_PIXELS = 30, 12
TREND_PIXELS = 130


def label_bars(x: Sequence[float], y: Sequence[str | int], words: Sequence[str]) -> go.Scatter:
    """Return words at the ends of bars; as texts of the bars they would be slow to draw."""
    return go.Scatter(
        x=x,
        y=y,
        mode="text",
        text=[2 * "\N{NO-BREAK SPACE}" + word for word in words],
        textposition="middle right",
        cliponaxis=False,
        hoverinfo="skip",
    )


def draw_counts(counts: Mapping[str, int], color: str, name_code: Callable[[str], str]) -> go.Figure:
    """Return horizontal bars, the largest on top, each with its plain name and number, the code in its tooltip."""
    entries = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    codes, numbers = [code for code, _ in entries], [number for _, number in entries]
    names = [name_code(code) for code in codes]
    bars = go.Bar(
        x=numbers,
        y=names,
        orientation="h",
        marker_color=color,
        customdata=[label_code(name, code) for name, code in zip(names, codes, strict=True)],
        hovertemplate="%{customdata}: %{x}<extra></extra>",
    )
    words = [f"{number:,}" for number in numbers]
    layout = make_frame(BAR_PIXELS * max(1, len(entries)) + FRAME_PIXELS, left=map(shorten_label, names), numbers=words) | {
        "bargap": 0.35,
        "xaxis": make_axis(visible=False, range=[0, max(numbers, default=1)]),
        "yaxis": make_category_axis(names, autorange="reversed"),
    }
    return go.Figure(data=[bars, label_bars(numbers, names, words)], layout=layout)


def describe_counts(title: str, counts: Mapping[str, int], name_code: Callable[[str], str]) -> str:
    """Return the chart in words, for those who do not see it."""
    return f"{title}: " + ", ".join(f"{name_code(code)} {number:,}" for code, number in counts.items())


def draw_failure_trend(trend: Sequence[TrendPoint], timezone: str | None) -> go.Figure:
    """Return the failure rate of the items that were judged one after the other, with the alarm's level."""
    times, rates = [localize(point.at, timezone) for point in trend], [100 * point.failure_rate for point in trend]
    line = go.Scatter(
        x=times,
        y=rates,
        customdata=[_describe_point(point, timezone) for point in trend],
        mode="lines+markers",
        line={"color": FAILURE_COLOR, "width": 2},
        marker={"size": 5},
        hovertemplate="%{customdata}<extra></extra>",
    )
    highest = max(rates, default=0.0)
    begins_at, ends_at = localize(trend[0].begins_at, timezone), localize(trend[-1].ends_at, timezone)
    room = max((ends_at - begins_at) * 0.03, timedelta(seconds=1))
    layout = make_frame(TREND_PIXELS, left=RATE_LABELS, top=6, bottom_lines=2) | {
        "shapes": [
            {
                "type": "line",
                "xref": "paper",
                "x0": 0,
                "x1": 1,
                "y0": 100 * ALARM_FAILURE_RATE,
                "y1": 100 * ALARM_FAILURE_RATE,
                "line": {"color": ALARM_COLOR, "width": 1, "dash": "dot"},
            }
        ],
        "xaxis": make_axis(nticks=4, range=[begins_at - room, ends_at + room]),
        "yaxis": make_axis(ticksuffix=" %", range=[0, max(highest * 1.1, 200 * ALARM_FAILURE_RATE)], nticks=4),
    }
    return go.Figure(data=[line], layout=layout)


def describe_trend(trend: Sequence[TrendPoint]) -> str:
    """Return the failure rate over time in words."""
    worst = max(trend, key=lambda point: point.failure_rate)
    return (
        f"Failure rate over time, {format_count(len(trend), 'point')} of {trend[0].judged:,} items each: "
        f"highest {format_percent(worst.failure_rate)}, last {format_percent(trend[-1].failure_rate)}; "
        f"alarm at {format_percent(ALARM_FAILURE_RATE)}"
    )


def _describe_point(point: TrendPoint, timezone: str | None) -> str:
    begins_at, ends_at = localize(point.begins_at, timezone), localize(point.ends_at, timezone)
    rate = format_percent(point.failure_rate)
    return f"{begins_at:%H:%M:%S}-{ends_at:%H:%M:%S}: {rate}, {point.failed:,} of {point.judged:,} failed"
