"""The figures of the analytics. No Streamlit here: rows in, a figure out; every mark has the number of its row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import ceil

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]
from plotly.colors import sample_colorscale  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from core.domain.diagnosis import Bucket, KindRow, MatrixCell, TimeRow, TokenRow
from core.domain.findings import format_percent, format_rate
from core.domain.intervals import Rate
from core.domain.outcomes import BatchOutcome
from core.domain.record import Record
from core.ui.chart_axes import LINE_PIXELS, RATE_LABELS, estimate_room, make_axis, make_margins
from core.ui.charts import FAILURE_COLOR, label_bars
from core.ui.formats import localize

ACCEPTED_COLOR, FEW_COLOR, WHISKER_COLOR = "#56B4E9", "#9AA0A6", "#7A7F85"
"""Accepted is sky blue of the Okabe-Ito palette; grey is what says too little to be read."""
HEAT_COLORS = ("#FDF1E7", "#F6C7A4", "#EC9556", "#D55E00", "#8F3F00")
"""Light to dark vermilion: one hue, darker is worse; the number is in the cell."""
DARKEST_LIGHT = 0.8
"""Up to here on the scale black is easier to read than white."""
FEWEST_ITEMS = 5
"""A cell of fewer items is grey: any of them failing would look like a fifth or more."""
BAR_PIXELS, FRAME_PIXELS, CELL_PIXELS = 25, 30, 27
SHORT_CHART_PIXELS = 176
LONGEST_LABEL = 34
NARROW_PIXELS, WIDE_PIXELS = 360, 1180
"""What a chart has in a row of three and by itself, where the window is 1366 wide."""
SHORTEST_BAR = 0.25
"""The least share of the room that the numbers leave to the longest bar."""
MOST_WHISKERS = 24
"""More points of time have their intervals as a band."""
CELL_WIDTH, CELL_HEIGHT = 0.97, 0.92
"""Shares of the room that a cell has."""


class LabeledRate(Record):
    """One bar: what it stands for, and its rate."""

    label: str
    rate: Rate


class HeatCell(Record):
    """One cell of a heat map: `value` colours it, a grey one says too little; `note` is read when it is pointed at."""

    row: str
    column: str
    value: float
    text: str
    note: str
    is_grey: bool = False


def draw_rates(rows: Sequence[LabeledRate], color: str = FAILURE_COLOR, *, is_wide: bool = False) -> go.Figure:
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
        customdata=[[row.label, _describe_rate(row.rate)] for row in rows],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]}<br>click for the failures<extra></extra>",
        **_keep_opacity(),
    )
    top = max([*highs, 1.0])
    words = [f"{format_rate(row.rate)} · {row.rate.failed:,} of {row.rate.judged:,}" for row in rows]
    labels = [_shorten(row.label) for row in rows]
    plot = (WIDE_PIXELS if is_wide else NARROW_PIXELS) - estimate_room(labels)
    bar_share = max(1 - estimate_room(words) / plot, SHORTEST_BAR)
    numbers = label_bars(highs, places, words)
    layout = _frame(BAR_PIXELS * max(len(rows), 1) + FRAME_PIXELS) | {
        "margin": make_margins(left=labels),
        "bargap": 0.35,
        "xaxis": make_axis(range=[0, top / bar_share], visible=False),
        "yaxis": _label_axis(labels),
    }
    return go.Figure(data=[bars, numbers], layout=layout)


def describe_rates(title: str, rows: Sequence[LabeledRate]) -> str:
    """Return the chart in words, for those who do not see it."""
    return f"{title}: " + "; ".join(f"{row.label} {_describe_rate(row.rate)}" for row in rows)


def draw_timeline(
    rows: Sequence[TimeRow], bucket: Bucket, batches: Sequence[BatchOutcome], timezone: str | None
) -> go.Figure:
    """Return the failure rate over time with its interval, and a triangle where a batch began.

    Trace 0 and 1 are the interval as a band, 2 the rates, 3 the batches.
    """
    half = timedelta(minutes=30) if bucket is Bucket.HOUR else timedelta(hours=12)
    times = [row.start.replace(tzinfo=None) + half for row in rows]
    edge = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    low = go.Scatter(x=times, y=[row.rate.low for row in rows], **edge)
    high = go.Scatter(x=times, y=[row.rate.high for row in rows], fill="tonexty", fillcolor="rgba(213, 94, 0, 0.18)", **edge)
    rate = go.Scatter(
        x=times,
        y=[row.rate.value for row in rows],
        mode="lines+markers",
        line={"color": FAILURE_COLOR, "width": 2},
        marker={"size": 9, "color": [FEW_COLOR if row.rate.judged < FEWEST_ITEMS else FAILURE_COLOR for row in rows]},
        error_y=_draw_whiskers(rows),
        customdata=[[_name_time(row.start, bucket), _describe_rate(row.rate)] for row in rows],
        hovertemplate="%{customdata[0]}<br>%{customdata[1]}<br>click for the failures<extra></extra>",
        **_keep_opacity(),
    )
    top = max([*(row.rate.high or 0.0 for row in rows), 0.05]) * 1.15
    begins = [localize(batch.created_at, timezone) for batch in batches]
    marks = go.Scatter(
        x=begins,
        y=[top * 0.98] * len(begins),
        mode="markers",
        marker={"symbol": "triangle-down", "size": 11, "color": WHISKER_COLOR},
        customdata=[_plain(batch.name) for batch in batches],
        hovertemplate="%{customdata}<br>began %{x|%d %b %Y, %H:%M}<br>click for its failures<extra></extra>",
        **_keep_opacity(),
    )
    layout = _frame(SHORT_CHART_PIXELS) | {
        "margin": make_margins(left=RATE_LABELS, bottom_lines=2),
        "shapes": [_draw_upright(begin) for begin in begins],
        "xaxis": make_axis(nticks=6, showgrid=False, **_widen(times, begins)),
        "yaxis": make_axis(tickformat=".0%", range=[0, top], nticks=5),
    }
    return go.Figure(data=[low, high, rate, marks], layout=layout)


def _draw_whiskers(rows: Sequence[TimeRow]) -> dict[str, object]:
    return {
        "type": "data",
        "array": [(row.rate.high or 0.0) - (row.rate.value or 0.0) for row in rows],
        "arrayminus": [(row.rate.value or 0.0) - (row.rate.low or 0.0) for row in rows],
        "color": WHISKER_COLOR,
        "thickness": 1.5,
        "width": 3,
        "visible": len(rows) <= MOST_WHISKERS,
    }


def _name_time(start: datetime, bucket: Bucket) -> str:
    return f"{start:%d %b %Y, %H}:00-{start:%H}:59" if bucket is Bucket.HOUR else f"{start:%d %b %Y}"


def describe_timeline(rows: Sequence[TimeRow]) -> str:
    """Return the time line in words."""
    parts = [f"{row.start:%Y-%m-%d %H:%M} {_describe_rate(row.rate)}" for row in rows]
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
            hovertemplate=f"%{{customdata}} of max_tokens<br>%{{y:,}} {name}{hint}<extra></extra>",
            **_keep_opacity(),
        )

    most = max([row.accepted + row.failed for row in rows], default=0)
    layout = _frame(SHORT_CHART_PIXELS + 30) | {
        # Below: the shares and the title; at the left: the counts and the title, which lies on its side.
        "margin": make_margins(left=[f"{most:,} {'_' * 4}"], top=24, bottom_lines=3),
        "barmode": "stack",
        "bargap": 0.12,
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.14},
        "shapes": [_draw_upright(19.5)],
        "annotations": [
            {"x": 19.4, "y": 1, "yref": "paper", "text": "limit", "showarrow": False, "xanchor": "right", "yanchor": "top"}
        ],
        "xaxis": make_axis(
            range=[-0.6, 20.6],
            tickvals=[0, 4, 8, 12, 16, 20],
            ticktext=["0 %", "20 %", "40 %", "60 %", "80 %", "all"],
            title={"text": "share of max_tokens that the reply used"},
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
    return "Replies by the share of max_tokens used. " + "; ".join(parts)


def make_rate_cells(cells: Sequence[MatrixCell], *, turned: bool = False) -> list[HeatCell]:
    """Return cells coloured by their rate; `turned` swaps rows and columns."""
    return [
        HeatCell(
            row=cell.column if turned else cell.row,
            column=cell.row if turned else cell.column,
            value=cell.rate.value or 0.0,
            text=f"{format_percent(cell.rate.value or 0.0)} %",
            note=f"{cell.row}, {cell.column}: {_describe_rate(cell.rate)}",
            is_grey=cell.rate.judged < FEWEST_ITEMS,
        )
        for cell in cells
    ]


def count_ways(kinds: Sequence[KindRow]) -> dict[tuple[str, str], int]:
    """Return failures by stop_reason and pattern."""
    counts: dict[tuple[str, str], int] = {}
    for kind in kinds:
        way = kind.stop_reason, kind.truncation_pattern
        counts[way] = counts.get(way, 0) + kind.failures
    return counts


def make_count_cells(counts: dict[tuple[str, str], int]) -> list[HeatCell]:
    """Return cells coloured by their number of failures: stop_reasons in rows, patterns in columns."""
    return [
        HeatCell(
            row=stop_reason,
            column=pattern,
            value=count,
            text=f"{count:,}",
            note=f"stop_reason {stop_reason}, pattern {pattern}: {count:,}",
        )
        for (stop_reason, pattern), count in counts.items()
    ]


def draw_heatmap(cells: Sequence[HeatCell], *, highest: float | None = None) -> go.Figure:
    """Return a heat map of bars, one for each cell and in the order of `cells`: Streamlit tells of clicks on bars only.

    Trace 1 is the text of the cells: the browser would measure each text of a bar by itself.
    """
    rows, columns = list(dict.fromkeys(cell.row for cell in cells)), list(dict.fromkeys(cell.column for cell in cells))
    row_numbers, column_numbers = ({name: number for number, name in enumerate(names)} for names in (rows, columns))
    top = highest or max([cell.value for cell in cells], default=1.0) or 1.0
    x, y = [column_numbers[cell.column] for cell in cells], [row_numbers[cell.row] for cell in cells]
    shares = [min(cell.value / top, 1.0) for cell in cells]
    bars = go.Bar(
        x=x,
        base=[row - CELL_HEIGHT / 2 for row in y],
        y=[CELL_HEIGHT] * len(cells),
        width=CELL_WIDTH,
        marker={"color": _paint(cells, shares), "line": {"width": 0}},
        customdata=[_plain(cell.note) for cell in cells],
        hovertemplate="%{customdata}<br>click for the failures<extra></extra>",
        **_keep_opacity(),
    )
    texts = go.Scatter(
        x=x,
        y=y,
        mode="text",
        text=[cell.text for cell in cells],
        textfont={
            "color": [
                "white" if share > DARKEST_LIGHT and not cell.is_grey else "black"
                for cell, share in zip(cells, shares, strict=True)
            ]
        },
        hoverinfo="skip",
    )
    titles = [_wrap(name) for name in columns]
    lines = max([title.count("<br>") for title in titles], default=0) + 1
    labels, above = [_shorten(name) for name in rows], LINE_PIXELS * lines + FRAME_PIXELS // 2
    layout = _frame(CELL_PIXELS * max(len(rows), 1) + above) | {
        "margin": make_margins(left=labels, top=above),
        "xaxis": _label_axis(titles, is_upright=False) | {"side": "top", "tickangle": 0},
        "yaxis": _label_axis(labels),
    }
    return go.Figure(data=[bars, texts], layout=layout)


def _paint(cells: Sequence[HeatCell], shares: Sequence[float]) -> list[str]:
    """Return the colour of each cell, by its share of the darkest."""
    colors = map(str, sample_colorscale(list(HEAT_COLORS), list(shares)))  # pyright: ignore[reportUnknownArgumentType]
    return [FEW_COLOR if cell.is_grey else color for cell, color in zip(cells, colors, strict=True)]


def describe_heatmap(title: str, cells: Sequence[HeatCell]) -> str:
    """Return the heat map in words."""
    return f"{title}: " + "; ".join(cell.note for cell in cells)


def _describe_rate(rate: Rate) -> str:
    few = ", too few to say" if rate.judged < FEWEST_ITEMS else ""
    return f"{rate.failed:,} of {rate.judged:,} failed, {format_rate(rate)}{few}"


def _frame(height: int) -> dict[str, object]:
    return {
        "height": height,
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {"align": "left"},
    }


def _keep_opacity() -> dict[str, object]:
    """Streamlit fades what is not selected; here a click goes elsewhere and selects nothing."""
    return {"selected": {"marker": {"opacity": 1.0}}, "unselected": {"marker": {"opacity": 1.0}}}


def _label_axis(labels: Sequence[str], *, is_upright: bool = True) -> dict[str, object]:
    span = [-0.5, max(len(labels), 1) - 0.5]
    return make_axis(
        tickvals=list(range(len(labels))),
        ticktext=[_plain(label) if is_upright else label for label in labels],
        range=span[::-1] if is_upright else span,
        showgrid=False,
        zeroline=False,
    )


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
    """A range with room at both ends: a mark on the frame would be cut in half, a single one would fill the years."""
    moments = [*times, *begins]
    if not moments:
        return {}
    room = max((max(moments) - min(moments)) * 0.04, timedelta(minutes=30))
    return {"range": [min(moments) - room, max(moments) + room]}


def _name_span(row: TokenRow) -> str:
    first, last = ceil(row.share_from * 100 - 0.5), ceil(row.share_to * 100 - 0.5)
    return "all" if row.share_from >= 1 else f"{first}-{last} %"


def _shorten(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def _wrap(name: str) -> str:
    first, arrow, last = name.partition(" → ")
    if arrow:
        return f"{_plain(first)} →<br>{_plain(last)}"
    return _plain(_shorten(name)).replace("_", "_<br>").replace(" ", "<br>", 1)


def _plain(text: str) -> str:
    """Return text that Plotly shows as it is: it reads tags of HTML in labels."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
