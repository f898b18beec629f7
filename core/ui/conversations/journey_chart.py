"""The emotional journey of a conversation as a line over its turns. No Streamlit here."""

from collections.abc import Sequence

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]

from core.domain.verdict.conversation import Role, Turn
from core.ui.charts.axes import label_value, make_axis, make_frame

USER_COLOR, ASSISTANT_COLOR, LINE_COLOR = "#D55E00", "#0072B2", "#8C8C8C"
"""Okabe-Ito vermilion and blue; the marks differ in shape too."""
MOST_LABELS = 12
PIXELS = 220


def draw_journey(turns: Sequence[Turn]) -> go.Figure:
    """Return intensity over turns, the emotion at each mark; every other emotion where they would not fit."""
    step = 1 if len(turns) <= MOST_LABELS else 2
    emotions = [label_value(turn.emotional_context.primary_emotion) for turn in turns]
    marks = go.Scatter(
        x=[turn.turn_number for turn in turns],
        y=[turn.emotional_context.intensity for turn in turns],
        text=[emotion if index % step == 0 else "" for index, emotion in enumerate(emotions)],
        customdata=[[turn.role.value, emotion] for turn, emotion in zip(turns, emotions, strict=True)],
        mode="lines+markers+text",
        textposition=["top center" if index % (2 * step) == 0 else "bottom center" for index in range(len(turns))],
        textfont={"size": 11},
        line={"color": LINE_COLOR, "width": 2},
        marker={
            "size": 9,
            "color": [USER_COLOR if turn.role is Role.USER else ASSISTANT_COLOR for turn in turns],
            "symbol": ["circle" if turn.role is Role.USER else "square" for turn in turns],
        },
        cliponaxis=False,
        hovertemplate="turn %{x} (%{customdata[0]}): %{customdata[1]}, %{y:.2f}<extra></extra>",
    )
    # Below: the numbers and the title; at the left: the numbers and the title, which lies on its side.
    layout = make_frame(PIXELS, left=["0.75 ____"], right=24, top=14, bottom_lines=3) | {
        "xaxis": make_axis(title="turn", dtick=1 if len(turns) <= MOST_LABELS else 2, showgrid=False),
        "yaxis": make_axis(title="intensity", range=[0, 1.08], tickvals=[0, 0.25, 0.5, 0.75, 1], tickformat=".2f"),
    }
    return go.Figure(data=[marks], layout=layout)


def describe_journey(turns: Sequence[Turn]) -> str:
    """Return the journey in words."""
    steps = (
        f"{turn.turn_number} {turn.emotional_context.primary_emotion} {turn.emotional_context.intensity:.2f}"
        for turn in turns
    )
    return "Intensity over turns: " + ", ".join(steps)
