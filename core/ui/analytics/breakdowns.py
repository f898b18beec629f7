"""The data behind the answer: rates by every dimension, heat maps, tokens and turns, failure signatures."""

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from typing import Any, assert_never

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.domain.diagnosis.diagnosis import Diagnosis, Dimension, MatrixCell
from core.domain.diagnosis.intervals import measure_rate
from core.domain.diagnosis.plain_names import NONE, name_failure_type, name_pattern, name_stop_reason
from core.services.diagnostics import FingerprintGroup
from core.ui.analytics.charts import describe_tokens, draw_tokens
from core.ui.analytics.links import PARAMETERS
from core.ui.charts.clickable_chart import Mark, draw_clickable, draw_clickable_heatmap, draw_clickable_rates
from core.ui.charts.heat_map import (
    HeatCell,
    count_signatures,
    describe_heatmap,
    draw_heatmap,
    make_count_cells,
    make_rate_cells,
)
from core.ui.charts.rate_chart import FEWEST_ITEMS, LabeledRate
from core.ui.shell.failure_filters import (
    ARC,
    FINGERPRINT,
    PATTERN,
    PERSONA,
    SHARE_BIN,
    STOP_REASON,
    TOPIC,
    TURN,
    TYPE,
    show_failures,
)
from core.ui.shell.formats import NOTHING, format_share, format_words
from core.ui.shell.link_state import change_link, read_choice
from core.ui.shell.links import open_failure
from core.ui.shell.tables import RowButton, draw_table

MOST_ROWS = 25
BY = "by"
LOWEST_TOP = 0.2
"""The darkest colour stands for this rate or more, so that a highest rate of 2 % does not look alarming."""
EXAMPLES = 3


class SignaturePart(StrEnum):
    """One part of a failure signature: how something failed, as opposed to how it was made."""

    FAILURE_TYPE = "failure_type"
    STOP_REASON = "stop_reason"
    PATTERN = "truncation_pattern"


PART_LABELS = {
    SignaturePart.FAILURE_TYPE: "Type",
    SignaturePart.STOP_REASON: "Stop reason",
    SignaturePart.PATTERN: "Pattern",
}
PART_PARAMETERS = {SignaturePart.FAILURE_TYPE: TYPE, SignaturePart.STOP_REASON: STOP_REASON, SignaturePart.PATTERN: PATTERN}


def rank_parts(diagnosis: Diagnosis, part: SignaturePart) -> list[LabeledRate]:
    """Return the codes of one part with their rates of all judged items, the most frequent first."""
    counts: dict[str, int] = {}
    for signature in diagnosis.signatures:
        key: str = getattr(signature, part)
        counts[key] = counts.get(key, 0) + signature.failures
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    judged = diagnosis.overall.judged
    return [LabeledRate(label=_name_part(part, key), code=key, rate=measure_rate(count, judged)) for key, count in ranked]


def mark_part(part: SignaturePart, row: LabeledRate) -> Mark:
    """Return the filter of one bar of `rank_parts`."""
    return {PART_PARAMETERS[part]: row.code or NONE}


def _name_part(part: SignaturePart, code: str) -> str:
    match part:
        case SignaturePart.FAILURE_TYPE:
            return name_failure_type(code)
        case SignaturePart.STOP_REASON:
            return name_stop_reason(code)
        case SignaturePart.PATTERN:
            return name_pattern(code)
        case _:
            assert_never(part)


def draw_dimensions(diagnosis: Diagnosis) -> None:
    """Draw the rates by one dimension, which the link names, or by one part of the failure signature."""
    chosen = read_choice(BY, Dimension) or read_choice(BY, SignaturePart) or Dimension.TEMPLATE
    key = "analytics_by"
    if st.session_state.get(key) != chosen:
        st.session_state[key] = chosen

    def write() -> None:
        change_link({BY: st.session_state[key]}, keep_page=True)

    st.pills(
        "Dimension",
        [*Dimension, *SignaturePart],
        format_func=_label_choice,
        required=True,
        key=key,
        on_change=write,
        label_visibility="collapsed",
    )
    rows, marks = _list_parts(diagnosis, chosen) if isinstance(chosen, SignaturePart) else _list_values(diagnosis, chosen)
    if not rows:
        st.caption("Nothing to show with these filters.")
        return
    rest = len(rows) - MOST_ROWS
    with _card(f"Failure rate by {_label_choice(chosen).lower()}" + (f" · {rest} lower ones not shown" if rest > 0 else "")):
        title = f"Failure rate by {_label_choice(chosen).lower()}"
        draw_clickable_rates(title, rows[:MOST_ROWS], marks[:MOST_ROWS], key=f"rates_{chosen}")


def _label_choice(choice: object) -> str:
    return PART_LABELS[choice] if isinstance(choice, SignaturePart) else format_words(str(choice))


def draw_heatmaps(diagnosis: Diagnosis) -> None:
    """Draw arcs by personas and by topics, and how the failures ended."""
    st.caption(f"Darker is worse; dashed cells have fewer than {FEWEST_ITEMS} judged items. Click a cell for its failures.")
    left, right = st.columns(2, gap="small")
    top = max([LOWEST_TOP, *(c.rate.value or 0 for c in diagnosis.arc_by_persona if c.rate.judged >= FEWEST_ITEMS)])
    with left:
        _draw_rate_map("Persona × arc", diagnosis.arc_by_persona, PERSONA, top)
        counts = count_signatures(diagnosis.signatures)
        marks: list[Mark] = [{STOP_REASON: reason, PATTERN: pattern} for reason, pattern in counts]
        _draw_map("Stop reason × pattern: failures", "stop_reason_by_pattern", make_count_cells(counts), marks, None)
    with right:
        _draw_rate_map("Topic × arc", diagnosis.arc_by_topic, TOPIC, top)


def draw_limits(diagnosis: Diagnosis) -> None:
    """Draw how much of max_tokens replies used, and at which turn conversations broke."""
    left, right = st.columns(2, gap="small")
    with left, _card("Output tokens against max output tokens"):
        spans: list[Mark] = [{SHARE_BIN: str(round(row.share_from * 20))} for row in diagnosis.tokens]
        draw_clickable(
            draw_tokens(diagnosis.tokens),
            key="tokens",
            alt=describe_tokens(diagnosis.tokens),
            find_mark=lambda curve, point: spans[point] if curve == 1 and diagnosis.tokens[point].failed else {},
        )
        st.caption("A reply that stops far below the limit was not cut by it.")
    with right, _card("Failing turn, of the conversations that reached it"):
        turns = [row for row in diagnosis.turns if row.rate.failed]
        rows = [LabeledRate(label=f"Turn {row.turn_index + 1}", rate=row.rate) for row in turns]
        if rows:
            draw_clickable_rates("By turn", rows, [{TURN: str(row.turn_index + 1)} for row in turns], key="turns")
        else:
            st.caption("No failure belongs to a single turn.")


def draw_signatures(groups: Sequence[FingerprintGroup], total: int) -> None:
    """Draw the failure signatures, most frequent first, with some examples of each to open."""
    if not groups:
        st.caption("Nothing to show with these filters.")
        return
    rare = f" The {total - len(groups):,} rarest are not listed." if total > len(groups) else ""
    st.caption(f"Failures that end alike share one failure signature.{rare}")

    def show_all(row: int) -> None:
        show_failures({FINGERPRINT: groups[row].row.fingerprint})

    def show_example(row: int, *, number: int) -> None:
        open_failure(groups[row].examples[number].id)

    column = st.column_config
    columns = {
        "failures": column.NumberColumn("Failures", format="localized", width=75),
        "share": column.ProgressColumn("Share", min_value=0, max_value=100, format="%.0f %%", width=110),
        "signature": column.TextColumn("Failure signature", width=375),
        "example": column.TextColumn("Example", width=285),
    }
    buttons = {
        "open": RowButton(show_all, width=95),
        **{
            f"example_{number}": RowButton(partial(show_example, number=number), width=80, title=f"Example {number + 1}")
            for number in range(EXAMPLES)
        },
    }
    rows = [_make_signature_row(group) for group in groups]
    alt = "Failure signatures: " + "; ".join(f"{group.row.label} {format_share(group.row.share)}" for group in groups)
    draw_table(rows, columns, key="signatures", alt=alt, file_name="failure-signatures", buttons=buttons)


def _list_values(diagnosis: Diagnosis, dimension: Dimension) -> tuple[list[LabeledRate], list[Mark]]:
    rows = diagnosis.list_rates(dimension)
    if dimension is Dimension.PROMPT_LENGTH:  # An ordered dimension keeps its order.
        rows = tuple(row for row in diagnosis.rates if row.dimension is dimension)
    marks = [{} if row.key is None else {PARAMETERS[dimension]: row.key} for row in rows]
    return [LabeledRate(label=row.label, rate=row.rate, is_link=row.key is not None) for row in rows], marks


def _list_parts(diagnosis: Diagnosis, part: SignaturePart) -> tuple[list[LabeledRate], list[Mark]]:
    ranked = rank_parts(diagnosis, part)
    return ranked, [mark_part(part, row) for row in ranked]


def _draw_rate_map(title: str, cells: Sequence[MatrixCell], parameter: str, highest: float) -> None:
    """Rows are the columns of the cells: arcs are few, and stand side by side."""
    marks: list[Mark] = [{ARC: cell.row_key, parameter: cell.column_key} for cell in cells]
    _draw_map(f"{title}: failure rate", f"arc_by_{parameter}", make_rate_cells(cells, turned=True), marks, highest)


def _draw_map(title: str, key: str, cells: Sequence[HeatCell], marks: Sequence[Mark], highest: float | None) -> None:
    with _card(title):
        if not cells:
            st.caption("Nothing to show with these filters.")
            return
        draw_clickable_heatmap(
            draw_heatmap(cells, highest=highest),
            key=f"map_{key}",
            alt=describe_heatmap(title, cells),
            open_cell=lambda cell: show_failures(marks[cell]),
        )


def _make_signature_row(group: FingerprintGroup) -> dict[str, Any]:
    details = next((each.truncation_details for each in group.examples if each.truncation_details), None)
    buttons = {f"example_{number}": ":material/visibility: View" for number in range(len(group.examples[:EXAMPLES]))}
    return {
        "failures": group.row.failures,
        "share": 100 * group.row.share,
        "signature": group.row.label,
        "example": details or NOTHING,
        "open": ":material/list: Failures",
        **{f"example_{number}": None for number in range(EXAMPLES)},
        **buttons,
    }


def _card(title: str) -> DeltaGenerator:
    container = st.container(border=True, gap="xxsmall")
    container.markdown(f"**{title}**")
    return container
