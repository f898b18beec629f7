"""The charts of one batch: how the failure rate went, why items failed, how calls ended."""

import streamlit as st

from core.domain.batches.monitor import BatchWatch
from core.ui.charts.figures import (
    FAILURE_COLOR,
    REPLY_COLOR,
    describe_counts,
    describe_trend,
    draw_counts,
    draw_failure_trend,
    name_stop_reasons,
)
from core.ui.shell.formats import escape_markdown
from core.ui.shell.page import draw_figure


def draw_charts(watched: BatchWatch) -> None:
    """Draw what there is to say so far; nothing before the first result."""
    breakdown = watched.breakdown
    charts = [
        ("Failures by type", breakdown.by_failure_type, FAILURE_COLOR),
        ("Failures by truncation pattern", breakdown.by_pattern, FAILURE_COLOR),
        ("Calls by stop reason", name_stop_reasons(breakdown.by_stop_reason), REPLY_COLOR),
    ]
    shown = [chart for chart in charts if chart[1]]
    places = st.columns(len(shown) + bool(watched.trend), gap="small") if shown or watched.trend else []
    if watched.trend:
        with places[0].container(border=True, gap="xsmall", height="stretch"):
            st.markdown("**Failure rate over time**")
            figure = draw_failure_trend(watched.trend, st.context.timezone)
            draw_figure(figure, key="failure_trend", alt=describe_trend(watched.trend))
    for place, (title, counts, color) in zip(places[-len(shown) :], shown, strict=True):
        with place.container(border=True, gap="xsmall", height="stretch"):
            st.markdown(f"**{escape_markdown(title)}**")
            draw_figure(draw_counts(counts, color), key=title, alt=describe_counts(title, counts))
