"""The charts of one batch: how the failure rate went, why items failed, how calls ended."""

import streamlit as st

from core.domain.batches.monitor import BatchWatch
from core.domain.diagnosis.plain_names import name_call_end, name_failure_type, name_pattern
from core.ui.charts.figures import (
    FAILURE_COLOR,
    REPLY_COLOR,
    describe_counts,
    describe_trend,
    draw_counts,
    draw_failure_trend,
)
from core.ui.shell.formats import escape_markdown
from core.ui.shell.page import draw_figure

LEAST_CHART_PIXELS = 240
"""In narrower windows fewer charts stand beside each other."""


def draw_charts(watched: BatchWatch) -> None:
    """Draw the charts that have data; nothing before the first result."""
    breakdown = watched.breakdown
    charts = [
        ("Failures by type", breakdown.by_failure_type, FAILURE_COLOR, name_failure_type),
        ("Failures by pattern", breakdown.by_pattern, FAILURE_COLOR, name_pattern),
        ("Calls by stop reason", breakdown.by_stop_reason, REPLY_COLOR, name_call_end),
    ]
    shown = [chart for chart in charts if chart[1]]
    if not shown and not watched.trend:
        return
    with st.grid(len(shown) + bool(watched.trend), min_column_width=LEAST_CHART_PIXELS, gap="small"):
        if watched.trend:
            with st.container(border=True, gap="xsmall", height="stretch"):
                st.markdown("**Failure rate over time**")
                figure = draw_failure_trend(watched.trend, st.context.timezone)
                draw_figure(figure, key="failure_trend", alt=describe_trend(watched.trend))
        for title, counts, color, name_code in shown:
            with st.container(border=True, gap="xsmall", height="stretch"):
                st.markdown(f"**{escape_markdown(title)}**")
                alt = describe_counts(title, counts, name_code)
                draw_figure(draw_counts(counts, color, name_code), key=title, alt=alt)
