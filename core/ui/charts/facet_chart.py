"""A chart whose bars are filters: a click filters the page by it, a click on the chosen one removes the filter."""

from collections.abc import Callable, Mapping

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]
import streamlit as st

from core.ui.charts.axes import label_code, make_axis, make_category_axis, make_frame, shorten_label
from core.ui.charts.figures import FAILURE_COLOR, describe_counts, label_bars
from core.ui.shell.link_state import change_link

MOST_BARS = 6
BAR_PIXELS, FRAME_PIXELS = 23, 8
UNCHOSEN_OPACITY = 0.3


def draw_facet(
    title: str, parameter: str, counts: Mapping[str, int], name_code: Callable[[str], str], *, color: str = FAILURE_COLOR
) -> None:
    """Draw the largest counts as bars of the link's parameter, under their plain names."""
    chosen = st.query_params.get(parameter)
    shown = choose_bars(counts, chosen)
    labels = {value: name_code(value) for value in shown}
    rest = len(counts) - len(shown)
    with st.container(border=True, gap="xxsmall", height="stretch"):
        more = f" :gray[· {rest} rarer not shown]" if rest > 0 else ""
        st.markdown(f"**{title}**{more}")
        if not shown:
            st.caption("Nothing to show with these filters.")
            return
        key = f"facet_{parameter}"

        def choose() -> None:
            points = st.session_state[key]["selection"]["points"]
            values = [value for value in shown if points and labels[value] == points[0]["y"]]
            change_link({parameter: values[0] if values and values[0] != chosen else None})

        st.plotly_chart(  # pyright: ignore[reportUnknownMemberType] - a type of an optional package
            draw_bars(shown, labels, chosen, color),
            key=key,
            on_select=choose,
            selection_mode="points",
            config={"displayModeBar": False},
            alt=describe_counts(title, shown, name_code),
        )


def choose_bars(counts: Mapping[str, int], chosen: str | None) -> dict[str, int]:
    """Return the largest counts, and the chosen one whatever its size."""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    kept = dict(ranked[:MOST_BARS])
    if chosen is not None and chosen in counts and chosen not in kept:
        kept = {**dict(ranked[: MOST_BARS - 1]), chosen: counts[chosen]}
    return kept


def draw_bars(counts: Mapping[str, int], labels: Mapping[str, str], chosen: str | None, color: str) -> go.Figure:
    """Return the bars; if one is chosen, the others are faded."""
    names, numbers = [labels[value] for value in counts], list(counts.values())
    bars = go.Bar(
        x=numbers,
        y=names,
        orientation="h",
        marker={"color": color, "opacity": [1.0 if chosen in (None, value) else UNCHOSEN_OPACITY for value in counts]},
        # Streamlit fades what is not selected; here the link says what is.
        selected={"marker": {"opacity": 1.0}},
        unselected={"marker": {"opacity": UNCHOSEN_OPACITY}},
        customdata=[label_code(labels[value], value) for value in counts],
        hovertemplate="%{customdata}: %{x:,}<br>click to filter<extra></extra>",
    )
    room = map(shorten_label, names)
    words = [f"{count:,}" for count in numbers]
    height = BAR_PIXELS * MOST_BARS + FRAME_PIXELS
    layout = make_frame(height, left=room, numbers=words, top=2, bottom=2) | {
        "bargap": 0.3,
        "hovermode": "y",  # The whole row reacts to the pointer: the bar of a rare value is too small.
        "xaxis": make_axis(visible=False, range=[0, max(numbers, default=1)]),
        # As much room for each bar however many there are: the page below does not move when a filter changes.
        "yaxis": make_category_axis(names, range=[MOST_BARS - 0.5, -0.5]),
    }
    return go.Figure(data=[bars, label_bars(numbers, names, words)], layout=layout)
