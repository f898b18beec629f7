"""The time line of failures, and their tokens against the limit. No Streamlit here: every mark has the number of its row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]

from core.domain.diagnosis.diagnosis import Bucket, TimeRow, TokenRow
from core.domain.diagnosis.outcomes import BatchOutcome
from core.ui.charts.axes import RATE_LABELS, escape_label, make_axis, make_frame
from core.ui.charts.figures import FAILURE_COLOR, KEEP_OPACITY
from core.ui.charts.rate_chart import FEW_COLOR, FEWEST_ITEMS, WHISKER_COLOR, describe_rate
from core.ui.shell.formats import localize

ACCEPTED_COLOR = "#56B4E9"
"""Sky blue of the Okabe-Ito palette."""
SHORT_CHART_PIXELS = 176
MOST_WHISKERS = 24
"""With more points, intervals are drawn as a band only."""


def draw_timeline(
    rows: Sequence[TimeRow], bucket: Bucket, batches: Sequence[BatchOutcome], timezone: str | None
) -> go.Figure:
    """Return the failure rate over time with its interval, where its items closed, and a triangle where a batch began.

    Trace 0 and 1 are the interval as a band, 2 the rates, 3 the batches.
    """
    times = [row.at.replace(tzinfo=None) for row in rows]
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    low = go.Scatter(x=times, y=[100 * (row.rate.low or 0.0) for row in rows], **edge)
    high = go.Scatter(
        x=times, y=[100 * (row.rate.high or 0.0) for row in rows], fill="tonexty", fillcolor="rgba(213, 94, 0, 0.18)", **edge
    )
    rate = go.Scatter(
        x=times,
        y=[100 * (row.rate.value or 0.0) for row in rows],
        mode="lines+markers",
        line={"color": FAILURE_COLOR, "width": 2},
        marker={"size": 9, "color": [FEW_COLOR if row.rate.judged < FEWEST_ITEMS else FAILURE_COLOR for row in rows]},
        error_y=_draw_whiskers(rows),
        customdata=[[_name_time(row.start, bucket), describe_rate(row.rate)] for row in rows],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]}<br>click for the failures<extra></extra>",
        **KEEP_OPACITY,
    )
    top = 100 * max([*(row.rate.high or 0.0 for row in rows), 0.05]) * 1.15
    begins = [localize(batch.created_at, timezone) for batch in batches]
    marks = go.Scatter(
        x=begins,
        y=[top * 0.98] * len(begins),
        mode="markers",
        marker={"symbol": "triangle-down", "size": 11, "color": WHISKER_COLOR},
        customdata=[escape_label(batch.name) for batch in batches],
        hovertemplate="%{customdata}<br>began %{x|%d %b %Y, %H:%M}<br>click for its failures<extra></extra>",
        **KEEP_OPACITY,
    )
    layout = make_frame(SHORT_CHART_PIXELS, left=RATE_LABELS, bottom_lines=2) | {
        "shapes": [_draw_upright(begin) for begin in begins],
        "xaxis": make_axis(nticks=6, showgrid=False, **_widen(times, begins)),
        "yaxis": make_axis(ticksuffix=" %", range=[0, top], nticks=5),
    }
    return go.Figure(data=[low, high, rate, marks], layout=layout)


def _draw_whiskers(rows: Sequence[TimeRow]) -> dict[str, object]:
    return {
        "type": "data",
        "array": [100 * ((row.rate.high or 0.0) - (row.rate.value or 0.0)) for row in rows],
        "arrayminus": [100 * ((row.rate.value or 0.0) - (row.rate.low or 0.0)) for row in rows],
        "color": WHISKER_COLOR,
        "thickness": 1.5,
        "width": 3,
        "visible": len(rows) <= MOST_WHISKERS,
    }


def _name_time(start: datetime, bucket: Bucket) -> str:
    return f"{start:%d %b %Y, %H}:00-{start:%H}:59" if bucket is Bucket.HOUR else f"{start:%d %b %Y}"


def describe_timeline(rows: Sequence[TimeRow]) -> str:
    """Return the time line in words."""
    parts = [f"{row.start:%Y-%m-%d %H:%M} {describe_rate(row.rate)}" for row in rows]
    return "Failure rate over time: " + "; ".join(parts)


def draw_tokens(rows: Sequence[TokenRow]) -> go.Figure:
    """Return how much of max_tokens replies used, accepted (trace 0) and failed (trace 1), with the limit as a line."""
    places = [round(row.share_from * 20) for row in rows]
    spans = [_name_span(row) for row in rows]

    def stack(name: str, counts: list[int], color: str, hint: str) -> go.Bar:
        return go.Bar(
            x=places,
            y=counts,
            name=name,
            marker_color=color,
            customdata=spans,
            hovertemplate=f"%{{customdata}} of max output tokens<br>%{{y:,}} {name}{hint}<extra></extra>",
            **KEEP_OPACITY,
        )

    most = max([row.accepted + row.failed for row in rows], default=0)
    # Below: the shares and the title; at the left: the counts and the title, which lies on its side.
    layout = make_frame(SHORT_CHART_PIXELS + 30, left=[f"{most:,} {'_' * 4}"], top=24, bottom_lines=3) | {
        "barmode": "stack",
        "bargap": 0.12,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},  # Over the bars it would catch their clicks.
        "shapes": [_draw_upright(19.5)],
        "annotations": [
            {"x": 19.4, "y": 1, "yref": "paper", "text": "limit", "showarrow": False, "xanchor": "right", "yanchor": "top"}
        ],
        "xaxis": make_axis(
            range=[-0.6, 20.6],
            tickvals=[0, 4, 8, 12, 16, 20],
            ticktext=["0 %", "20 %", "40 %", "60 %", "80 %", "all"],
            title={"text": "share of max output tokens used"},
        ),
        "yaxis": make_axis(title={"text": "items"}),
    }
    bars = [
        stack("accepted", [row.accepted for row in rows], ACCEPTED_COLOR, ""),
        stack("failed", [row.failed for row in rows], FAILURE_COLOR, "<br>click for the failures"),
    ]
    return go.Figure(data=bars, layout=layout)


def describe_tokens(rows: Sequence[TokenRow]) -> str:
    """Return the histogram in words."""
    parts = [f"{_name_span(row)}: {row.accepted:,} accepted, {row.failed:,} failed" for row in rows]
    return "Replies by the share of max output tokens used. " + "; ".join(parts)


def _draw_upright(place: float | datetime) -> dict[str, object]:
    return {
        "type": "line",
        "x0": place,
        "x1": place,
        "y0": 0,
        "y1": 1,
        "yref": "paper",
        "line": {"color": WHISKER_COLOR, "width": 1, "dash": "dot"},
    }


def _widen(times: Sequence[datetime], begins: Sequence[datetime]) -> dict[str, object]:
    """A range with room at both ends: a mark on the frame would be cut, a single one would span years."""
    moments = [*times, *begins]
    if not moments:
        return {}
    room = max((max(moments) - min(moments)) * 0.04, timedelta(minutes=30))
    return {"range": [min(moments) - room, max(moments) + room]}


def _name_span(row: TokenRow) -> str:
    first, last = ceil(row.share_from * 100 - 0.5), ceil(row.share_to * 100 - 0.5)
    return "all" if row.share_from >= 1 else f"{first}-{last} %"
