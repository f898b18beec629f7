"""The charts of one batch: how the failure rate went, why items failed, how calls ended."""

import streamlit as st

from core.domain.monitor import BatchWatch
from core.ui.charts import (
    FAILURE_COLOR,
    REPLY_COLOR,
    describe_counts,
    describe_trend,
    draw_counts,
    draw_failure_trend,
)


def draw_charts(watched: BatchWatch) -> None:
    """Draw what there is to say so far; nothing before the first result."""
    breakdown = watched.breakdown
    charts = [
        ("Failures by type", breakdown.by_failure_type, FAILURE_COLOR),
        ("Failures by truncation pattern", breakdown.by_pattern, FAILURE_COLOR),
        ("Calls by stop reason", _name_missing(breakdown.by_stop_reason), REPLY_COLOR),
    ]
    shown = [chart for chart in charts if chart[1]]
    places = st.columns(len(shown) + bool(watched.trend), gap="small") if shown or watched.trend else []
    if watched.trend:
        with places[0].container(border=True, gap="xsmall", height="stretch"):
            st.markdown("**Failure rate over time**")
            figure = draw_failure_trend(watched.trend, st.context.timezone)
            _draw(figure, "failure_trend", describe_trend(watched.trend))
    for place, (title, counts, color) in zip(places[-len(shown) :], shown, strict=True):
        with place.container(border=True, gap="xsmall", height="stretch"):
            st.markdown(f"**{title}**")
            _draw(draw_counts(counts, color), title, describe_counts(title, counts))


def _draw(figure: object, key: str, alt: str) -> None:
    st.plotly_chart(  # pyright: ignore[reportUnknownMemberType] - a type of an optional package
        figure,  # pyright: ignore[reportArgumentType] - likewise
        key=key,
        config={"displayModeBar": False},
        alt=alt,
    )


def _name_missing(by_stop_reason: dict[str, int]) -> dict[str, int]:
    return {"no reply" if reason == "none" else reason: calls for reason, calls in by_stop_reason.items()}
