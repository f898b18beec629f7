"""How long the conversations of a version are, and the tokenizer that counts them if the analyst has one."""

import plotly.graph_objects as go  # pyright: ignore[reportMissingTypeStubs]
import streamlit as st

from core.domain.datasets.plans import DatasetVersion
from core.domain.datasets.token_lengths import (
    ESTIMATE,
    HISTOGRAM_STEP,
    LengthStatistics,
    TokenMeasure,
    describe_defaults,
    describe_lengths,
)
from core.ui.charts.axes import make_axis, make_frame
from core.ui.charts.figures import REPLY_COLOR
from core.ui.shell.formats import escape_markdown
from core.ui.shell.page import draw_figure

PIXELS, MOST_TICKS = 170, 8
MOST_MEGABYTES = 100


def draw_lengths(version: DatasetVersion) -> None:
    """Draw the button that shows the lengths of a version."""
    lengths = version.lengths
    with st.popover("Lengths", icon=":material/straighten:", disabled=lengths is None, width="content"):
        if lengths is None:
            return
        st.markdown(f"**Version {version.number}** · {escape_markdown(describe_lengths(lengths))}")
        draw_figure(_draw_histogram(lengths), key="version_lengths", alt=describe_histogram(lengths))
        cut = describe_defaults(lengths)
        st.markdown(
            "\n".join(f"- {escape_markdown(each)}" for each in cut) if cut else "No trainer's default cuts any of it."
        )
        st.caption("The recipes of an export set a length that cuts nothing.")


def draw_tokenizer_choice(key: str) -> bytes | None:
    """Draw the place for a `tokenizer.json`; return what was put there."""
    given = st.file_uploader(
        "Tokenizer of your model (tokenizer.json)",
        type=["json"],
        max_upload_size=MOST_MEGABYTES,
        key=key,
        help="Counts tokens exactly. Without it they are estimated at four characters each.",
    )
    return None if given is None else given.getvalue()


def make_measure(content: bytes | None) -> TokenMeasure:
    """Return what counts tokens: the tokenizer given, or the estimate; raise InvalidRequest."""
    if content is None:
        return ESTIMATE
    from core.dataset_bootstrap import load_tokenizer  # noqa: PLC0415 - with Parquet, which takes a while to load

    return load_tokenizer(content)


def describe_histogram(lengths: LengthStatistics) -> str:
    """Return the histogram in words."""
    steps = (f"up to {HISTOGRAM_STEP * (place + 1):,} {count:,}" for place, count in enumerate(lengths.histogram) if count)
    return "Conversations by tokens: " + ", ".join(steps)


def _draw_histogram(lengths: LengthStatistics) -> go.Figure:
    counts = lengths.histogram
    bars = go.Bar(
        x=[HISTOGRAM_STEP * (place + 0.5) for place in range(len(counts))],
        y=counts,
        width=0.92 * HISTOGRAM_STEP,
        marker_color=REPLY_COLOR,
        customdata=[f"{HISTOGRAM_STEP * place:,} to {HISTOGRAM_STEP * (place + 1):,}" for place in range(len(counts))],
        hovertemplate="%{customdata} tokens: %{y}<extra></extra>",
    )
    ticks = HISTOGRAM_STEP * max(1, -(-len(counts) // MOST_TICKS))
    layout = make_frame(PIXELS, left=[f"{max(counts):,} __"], right=24, top=14, bottom_lines=3) | {
        "xaxis": make_axis(
            title="tokens", dtick=ticks, tickformat=",", showgrid=False, range=[0, HISTOGRAM_STEP * len(counts)]
        ),
        "yaxis": make_axis(rangemode="tozero", nticks=4, tickformat=",d"),
    }
    return go.Figure(data=[bars], layout=layout)
