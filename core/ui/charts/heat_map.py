"""Heat maps made of bars. No Streamlit here: every cell has the number of its row."""

from collections.abc import Sequence
from textwrap import wrap

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]
from plotly.colors import sample_colorscale  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from core.domain.batches.overview import Coverage
from core.domain.diagnosis.diagnosis import MatrixCell, SignatureRow
from core.domain.diagnosis.findings import format_percent
from core.domain.record import Record
from core.ui.charts.axes import LINE_PIXELS, escape_label, make_frame, make_label_axis, shorten_label
from core.ui.charts.figures import KEEP_OPACITY
from core.ui.charts.rate_chart import FEW_COLOR, FEWEST_ITEMS, describe_rate

CELL_PIXELS, FRAME_PIXELS = 27, 15
CELL_WIDTH, CELL_HEIGHT = 0.97, 0.92
"""Shares of the room that a cell has."""
NARROW_LETTERS, WIDE_LETTERS = 75, 200
"""How many letters the titles of all columns have in a row, in half of a window 1366 wide and in all of it."""
FEWEST_LETTERS, MOST_LINES = 12, 4


class HeatScale(Record):
    """One hue from light to dark; up to the share `darkest_light` black is easier to read on it than white."""

    colors: tuple[str, ...]
    darkest_light: float


FAILURE_SCALE = HeatScale(colors=("#FDF1E7", "#F6C7A4", "#EC9556", "#D55E00", "#8F3F00"), darkest_light=0.8)
"""Vermilion: darker is worse."""
COVERAGE_SCALE = HeatScale(colors=("#E8EEF7", "#9CC0E6", "#4A90CF", "#0072B2", "#004B7A"), darkest_light=0.6)
"""Blue: darker is more."""


class HeatCell(Record):
    """One cell of a heat map: `value` colours it, a grey one says too little; `note` is read when it is pointed at."""

    row: str
    column: str
    value: float
    text: str
    note: str
    is_grey: bool = False


def make_rate_cells(cells: Sequence[MatrixCell], *, turned: bool = False) -> list[HeatCell]:
    """Return cells coloured by their rate; `turned` swaps rows and columns."""
    return [
        HeatCell(
            row=cell.column if turned else cell.row,
            column=cell.row if turned else cell.column,
            value=cell.rate.value or 0.0,
            text=f"{format_percent(cell.rate.value or 0.0)} %",
            note=f"{cell.row}, {cell.column}: {describe_rate(cell.rate)}",
            is_grey=cell.rate.judged < FEWEST_ITEMS,
        )
        for cell in cells
    ]


def count_signatures(signatures: Sequence[SignatureRow]) -> dict[tuple[str, str], int]:
    """Return failures by stop_reason and pattern."""
    counts: dict[tuple[str, str], int] = {}
    for each in signatures:
        key = each.stop_reason, each.truncation_pattern
        counts[key] = counts.get(key, 0) + each.failures
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


def make_coverage_cells(coverage: Coverage) -> list[HeatCell]:
    """Return a cell for each persona (in rows) and arc, coloured by its topics with an accepted conversation."""
    return [
        HeatCell(
            row=persona.name,
            column=arc.name,
            value=(topics := coverage.count_topics(persona.id, arc.id)),
            text=f"{topics}",
            note=f"{persona.name}, {arc.name}: {topics} of {coverage.topics} topics",
        )
        for persona in coverage.personas
        for arc in coverage.arcs
    ]


def draw_heatmap(
    cells: Sequence[HeatCell],
    *,
    highest: float | None = None,
    scale: HeatScale = FAILURE_SCALE,
    cell_pixels: int = CELL_PIXELS,
    is_wide: bool = False,
    click_opens: str = "the failures",
) -> go.Figure:
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
        marker={"color": _paint(cells, shares, scale), "line": {"width": 0}},
        customdata=[escape_label(cell.note) for cell in cells],
        hovertemplate=f"%{{customdata}}<br>click for {click_opens}<extra></extra>",
        **KEEP_OPACITY,
    )
    texts = go.Scatter(
        x=x,
        y=y,
        mode="text",
        text=[cell.text for cell in cells],
        textfont={
            "color": [
                "white" if share > scale.darkest_light and not cell.is_grey else "black"
                for cell, share in zip(cells, shares, strict=True)
            ]
        },
        hoverinfo="skip",
    )
    letters = max((WIDE_LETTERS if is_wide else NARROW_LETTERS) // max(len(columns), 1), FEWEST_LETTERS)
    titles = [_wrap(name, letters) for name in columns]
    lines = max([title.count("<br>") for title in titles], default=0) + 1
    labels, above = [shorten_label(name) for name in rows], LINE_PIXELS * lines + FRAME_PIXELS
    layout = make_frame(cell_pixels * max(len(rows), 1) + above, left=labels, top=above) | {
        "xaxis": make_label_axis(titles, is_upright=False) | {"side": "top", "tickangle": 0},
        "yaxis": make_label_axis(labels),
    }
    return go.Figure(data=[bars, texts], layout=layout)


def _paint(cells: Sequence[HeatCell], shares: Sequence[float], scale: HeatScale) -> list[str]:
    """Return the colour of each cell, by its share of the darkest."""
    colors = map(str, sample_colorscale(list(scale.colors), list(shares)))  # pyright: ignore[reportUnknownArgumentType]
    return [FEW_COLOR if cell.is_grey else color for cell, color in zip(cells, colors, strict=True)]


def describe_heatmap(title: str, cells: Sequence[HeatCell]) -> str:
    """Return the heat map in words."""
    return f"{title}: " + "; ".join(cell.note for cell in cells)


def _wrap(name: str, letters: int) -> str:
    """Break a title at its arrow, at underscores and between words."""
    first, arrow, last = name.partition(" → ")
    parts = (f"{first}\N{NO-BREAK SPACE}→", last) if arrow else (name.replace("_", "_ "),)
    lines = [line for part in parts for line in wrap(part, letters, max_lines=MOST_LINES // len(parts), placeholder="…")]
    return "<br>".join(escape_label(line.replace("_ ", "_")) for line in lines)
