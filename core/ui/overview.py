"""Home: what runs, what came out so far, the latest batches."""

from collections.abc import Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.domain.batch import BatchProgress
from core.ui.batch_table import draw_batch_table
from core.ui.formats import format_count, format_money, format_share
from core.ui.links import open_generator
from core.ui.page import draw_header, open_body

BATCHES_SHOWN = 100
TARGET_FAILURE_RATE, ALARM_FAILURE_RATE = 0.05, 0.10


def draw_overview() -> None:
    """Draw the page."""
    with open_body() as services:
        batches = services.batches.list_recent(BATCHES_SHOWN)
        with draw_header("Overview"):
            st.space("stretch")
            if batches and st.button("Generate conversations", type="primary", icon=":material/bolt:"):
                open_generator()
        if not batches:
            draw_welcome()
            return
        _draw_totals(batches)
        st.markdown("**Recent batches**")
        draw_batch_table(batches, "home_batches")


def draw_welcome() -> None:
    """Say what to do first in a fresh database."""
    with st.container(border=True, horizontal_alignment="center", gap="small"):
        st.space("medium")
        st.markdown(":material/forum: **No conversations yet**", width="content")
        st.markdown(
            "Choose personas, emotional arcs and topics. Claude writes one conversation for every combination.",
            width="content",
            text_alignment="center",
        )
        if st.button("Generate conversations", type="primary", icon=":material/bolt:"):
            open_generator()
        st.space("medium")


def _draw_totals(batches: Sequence[BatchProgress]) -> None:
    active = [batch for batch in batches if batch.status.is_active]
    accepted, failed = sum(batch.accepted for batch in batches), sum(batch.failed for batch in batches)
    rate = failed / (accepted + failed) if accepted + failed else None
    scope = f"in the latest {BATCHES_SHOWN} batches" if len(batches) == BATCHES_SHOWN else "in all batches"
    running, kept, failing, spend = st.columns(4, gap="small")
    waiting = format_count(sum(batch.remaining for batch in active), "conversation") + " to go"
    _draw_card(running, "Batches running", f"{len(active):,}", waiting if active else "nothing to wait for")
    _draw_card(kept, "Conversations accepted", f"{accepted:,}", scope)
    failing.metric(
        "Failure rate",
        format_share(rate),
        _judge_failure_rate(rate),
        delta_color="inverse" if rate is not None and rate > TARGET_FAILURE_RATE else "normal",
        delta_arrow="off",
        delta_description=f"{failed:,} failed",
        border=True,
        height="stretch",
    )
    charged = sum(batch.cost_usd for batch in batches if not batch.simulated)
    simulated = sum(batch.cost_usd for batch in batches if batch.simulated)
    note = f"plus {format_money(simulated)} simulated, not charged" if simulated else scope
    _draw_card(spend, "Spend", format_money(charged), note)


def _draw_card(place: DeltaGenerator, label: str, value: str, note: str) -> None:
    place.metric(label, value, delta=None, delta_description=note, border=True, height="stretch")


def _judge_failure_rate(rate: float | None) -> str | None:
    if rate is None:
        return None
    if rate <= TARGET_FAILURE_RATE:
        return f"under {TARGET_FAILURE_RATE:.0%}"
    return f"over {ALARM_FAILURE_RATE:.0%}" if rate > ALARM_FAILURE_RATE else f"over {TARGET_FAILURE_RATE:.0%}"
