"""Heat maps as specifications of Vega-Lite. No Streamlit here."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

from core.domain.batches.overview import Coverage
from core.domain.diagnosis.diagnosis import MatrixCell, SignatureRow
from core.domain.diagnosis.plain_names import add_code, name_pattern, name_stop_reason
from core.domain.percentages import format_percent
from core.domain.record import Record
from core.ui.charts.axes import shorten_label
from core.ui.charts.rate_chart import FEW_COLOR, FEWEST_ITEMS, describe_rate

CELL, SELECTED = "cell", "selected"
"""The number of a cell in its data, and the selection that has it."""
FIELDS = ("row", "column", "value", "text", "note", "ink", "is_thin")
CELL_PIXELS, LABEL_PIXELS, LINE_PIXELS, PADDING_PIXELS = 29, 200, 12, 5
GAP = {"paddingInner": 0.03, "paddingOuter": 0}
TEXTS: dict[str, Any] = {
    "mark": {"type": "text", "aria": False, "tooltip": None},
    "encoding": {"text": {"field": "text"}, "color": {"field": "ink", "type": "nominal", "scale": None}},
}
"""The layer of the cells' texts."""
NARROW_LETTERS, WIDE_LETTERS = 108, 220
"""How many letters fit beside each other in half of a window 1366 wide and in all of it: a row's label and all titles."""
FEWEST_LETTERS, MOST_LINES, SLANT_DEGREES = 11, 4, -35


class HeatScale(Record):
    """One hue from light to dark; up to the share `darkest_light` black is easier to read on it than white."""

    colors: tuple[str, ...]
    darkest_light: float


FAILURE_SCALE = HeatScale(colors=("#FDF1E7", "#F6C7A4", "#EC9556", "#D55E00", "#8F3F00"), darkest_light=0.8)
"""Vermilion: darker is worse."""
COVERAGE_SCALE = HeatScale(colors=("#E8EEF7", "#9CC0E6", "#4A90CF", "#0072B2", "#004B7A"), darkest_light=0.6)
"""Blue: darker is more."""


class HeatCell(Record):
    """One cell of a heat map: `value` colours it; a thin one says too little and has no colour; `note` is its tooltip."""

    row: str
    column: str
    value: float
    text: str
    note: str
    is_thin: bool = False


def make_rate_cells(cells: Sequence[MatrixCell], *, turned: bool = False) -> list[HeatCell]:
    """Return cells coloured by their rate; `turned` swaps rows and columns."""
    return [
        HeatCell(
            row=cell.column if turned else cell.row,
            column=cell.row if turned else cell.column,
            value=cell.rate.value or 0.0,
            text=format_percent(cell.rate.value or 0.0),
            note=f"{cell.row}, {cell.column}: {describe_rate(cell.rate)}",
            is_thin=cell.rate.judged < FEWEST_ITEMS,
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
            row=name_stop_reason(stop_reason),
            column=name_pattern(pattern),
            value=count,
            text=f"{count:,}",
            note=(
                f"{add_code(name_stop_reason(stop_reason), stop_reason)}, "
                f"{add_code(name_pattern(pattern), pattern)}: {count:,}"
            ),
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
) -> dict[str, Any]:
    """Return a heat map as a specification of Vega-Lite, which finds room for labels and tells of clicks on its cells.

    A click selects the number of a cell in the order of `cells`, as `CELL`. Names are data, never part of an expression.
    """
    rows, columns = list(dict.fromkeys(cell.row for cell in cells)), list(dict.fromkeys(cell.column for cell in cells))
    row_numbers, column_numbers = ({name: number for number, name in enumerate(names)} for names in (rows, columns))
    top = highest or max([cell.value for cell in cells], default=1.0) or 1.0
    shown = [
        {
            "row": row_numbers[cell.row],
            "column": column_numbers[cell.column],
            "value": cell.value,
            "text": cell.text,
            "note": f"{cell.note} · click for {click_opens}",
            "ink": _choose_ink(cell, min(cell.value / top, 1.0), scale),
            "is_thin": cell.is_thin,
        }
        for cell in cells
    ]
    labels = [shorten_label(name) for name in rows]
    letters = ((WIDE_LETTERS if is_wide else NARROW_LETTERS) - max(map(len, labels), default=0)) // max(len(columns), 1)
    return {
        # Rows of a table would get Streamlit's own download as CSV, which leaves formulas in.
        "data": {"sequence": {"start": 0, "stop": len(cells), "as": CELL}},
        "transform": [{"calculate": f"cells[datum.{CELL}].{field}", "as": field} for field in FIELDS],
        "height": {"step": cell_pixels},
        "params": [
            {"name": "cells", "value": shown},
            {"name": "rows", "value": labels},
            {"name": "columns", "value": wrap_titles(columns, letters)},
        ],
        "encoding": {
            "x": {"field": "column", "type": "ordinal", "axis": _make_title_axis(columns, letters), "scale": GAP},
            "y": {"field": "row", "type": "ordinal", "axis": _make_axis("rows", labelLimit=LABEL_PIXELS), "scale": GAP},
        },
        "layer": [_make_rects(top, scale), TEXTS],
        "config": {"view": {"stroke": None}},
    }


def _make_rects(top: float, scale: HeatScale) -> dict[str, Any]:
    """Return the layer of the cells: coloured up to `top`, those that say too little with a dashed frame alone."""
    is_thin = "datum.is_thin"
    color = {
        "condition": {"test": is_thin, "value": "transparent"},
        "field": "value",
        "type": "quantitative",
        "scale": {"domain": [0, top], "range": list(scale.colors), "clamp": True},
        "legend": None,
    }
    return {
        "mark": {"type": "rect", "cursor": "pointer", "strokeDash": [3, 3]},
        "params": [{"name": SELECTED, "select": {"type": "point", "fields": [CELL]}}],
        "encoding": {
            "fill": color,
            "stroke": {"condition": {"test": is_thin, "value": FEW_COLOR}, "value": "transparent"},
            "tooltip": {"field": "note"},
            "description": {"field": "note"},
        },
    }


def _make_axis(titles: str, **settings: object) -> dict[str, object]:
    """Return an axis that takes its labels, all of them, from a list by their number."""
    plain = {"title": None, "domain": False, "ticks": False, "grid": False, "labelOverlap": False, "labelFlush": False}
    return {**plain, "labelExpr": f"{titles}[datum.value]", "labelPadding": PADDING_PIXELS, **settings}


def _choose_ink(cell: HeatCell, share: float, scale: HeatScale) -> str:
    """Return the colour of a cell's text, by its share of the darkest."""
    if cell.is_thin:
        return FEW_COLOR
    return "white" if share > scale.darkest_light else "black"


def describe_heatmap(title: str, cells: Sequence[HeatCell]) -> str:
    """Return the heat map in words."""
    return f"{title}: " + "; ".join(cell.note for cell in cells)


def wrap_titles(names: Sequence[str], letters: int) -> list[list[str]]:
    """Break titles at their arrow, at underscores and between words; all have as many lines, the words in the last ones.

    `letters` is what fits above a column; where that is too little, titles are whole and slant.
    """
    if letters < FEWEST_LETTERS:
        return [[shorten_label(name)] for name in names]
    titles = [_wrap(name, letters) for name in names]
    lines = max(map(len, titles), default=1)
    return [[""] * (lines - len(title)) + title for title in titles]


def _make_title_axis(names: Sequence[str], letters: int) -> dict[str, object]:
    if letters < FEWEST_LETTERS:
        return _make_axis("columns", orient="top", labelAngle=SLANT_DEGREES, labelAlign="left", labelLimit=LABEL_PIXELS)
    lines = max(map(len, wrap_titles(names, letters)), default=1)
    return _make_axis("columns", orient="top", labelAngle=0, labelPadding=PADDING_PIXELS + LINE_PIXELS * (lines - 1))


def _wrap(name: str, letters: int) -> list[str]:
    first, arrow, last = name.partition(" → ")
    parts = (f"{first}\N{NO-BREAK SPACE}→", last) if arrow else (name.replace("_", "_ "),)
    lines = [line for part in parts for line in wrap(part, letters, max_lines=MOST_LINES // len(parts), placeholder="…")]
    return [line.replace("_ ", "_") for line in lines]
