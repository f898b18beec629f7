"""What came of a batch: why items failed, and tables of the newest conversations and failures.

What Claude wrote is shown in table cells only, as text (`core.ui.tables`).
"""

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batch import BatchProgress
from core.domain.results import BatchBreakdown, ConversationRow, FailureRow
from core.domain.scaffolding import Tier
from core.ui.charts import FAILURE_COLOR, REPLY_COLOR, describe_counts, draw_counts
from core.ui.formats import format_count
from core.ui.tables import age_column, draw_table, mark_simulated, simulated_column

NEWEST = 100
CONVERSATIONS, FAILURES = "Conversations", "Failures"
TIER_COLORS = {Tier.TEMPLATE: "blue", Tier.SCENARIO: "green", Tier.EDGE_CASE: "violet"}


def draw_breakdown(breakdown: BatchBreakdown) -> None:
    """Draw failures by type and pattern, and attempts by stop_reason."""
    charts = [
        ("Failures by type", breakdown.by_failure_type, FAILURE_COLOR),
        ("Failures by truncation pattern", breakdown.by_pattern, FAILURE_COLOR),
        ("Calls by stop reason", _name_missing(breakdown.by_stop_reason), REPLY_COLOR),
    ]
    shown = [chart for chart in charts if chart[1]]
    if not shown:
        return
    for place, (title, counts, color) in zip(st.columns(len(shown), gap="small"), shown, strict=True):
        with place.container(border=True, gap="xsmall", height="stretch"):
            st.markdown(f"**{title}**")
            st.plotly_chart(  # pyright: ignore[reportUnknownMemberType] - a type of an optional package
                draw_counts(counts, color), key=title, config={"displayModeBar": False}, alt=describe_counts(title, counts)
            )


def _name_missing(by_stop_reason: dict[str, int]) -> dict[str, int]:
    return {"no reply" if reason == "none" else reason: calls for reason, calls in by_stop_reason.items()}


def draw_results(services: PageServices, progress: BatchProgress) -> None:
    """Draw the newest conversations and failures in two tabs; only the open one is read."""
    conversations, failures = st.tabs([CONVERSATIONS, FAILURES], key=results_key(progress), on_change="rerun")
    if conversations.open:
        with conversations:
            if progress.accepted:
                _draw_conversations(services.batches.list_conversations(progress.id, NEWEST), progress.accepted)
            else:
                st.caption("No conversation is accepted yet." if progress.remaining else "No conversation was accepted.")
    if failures.open:
        with failures:
            if progress.failed:
                _draw_failures(services.batches.list_failures(progress.id, NEWEST), progress.failed)
            else:
                st.caption("Nothing has failed so far." if progress.remaining else "Nothing has failed.")


def results_key(progress: BatchProgress) -> str:
    """Return the session state key of a batch's open tab."""
    return f"results_{progress.id}"


def _draw_conversations(rows: tuple[ConversationRow, ...], total: int) -> None:
    column = st.column_config
    note = _describe_newest(len(rows), total, "conversation")
    draw_table(
        [
            {
                "name": row.name,
                "tier": [row.tier],
                "turns": row.turn_count,
                "tokens": row.output_tokens,
                "cost": row.cost_usd,
                "model": row.model,
                "data": mark_simulated(simulated=row.simulated),
                "created": row.created_at,
            }
            for row in rows
        ],
        {
            "name": column.TextColumn("Conversation", width=470),
            "tier": column.MultiselectColumn("Tier", options=list(TIER_COLORS), color=list(TIER_COLORS.values()), width=95),
            "turns": column.NumberColumn("Turns", width=60),
            "tokens": column.NumberColumn("Output tokens", format="localized", width=105),
            "cost": column.NumberColumn("Cost", format="$%.4f", width=80),
            "model": column.TextColumn("Model", width=150),
            "data": simulated_column(),
            "created": age_column("Accepted"),
        },
        key="conversations",
        alt=note,
    )
    st.caption(note)


def _draw_failures(rows: tuple[FailureRow, ...], total: int) -> None:
    column = st.column_config
    note = _describe_newest(len(rows), total, "failure")
    draw_table(
        [
            {
                "type": row.failure_type,
                "pattern": row.truncation_pattern,
                "stop_reason": row.stop_reason,
                "turn": None if row.turn_index is None else row.turn_index + 1,
                "tokens": row.output_tokens,
                "limit": row.max_tokens,
                "attempts": row.attempt_count,
                "message": row.truncation_details or row.error_message,
                "data": mark_simulated(simulated=row.simulated),
                "created": row.created_at,
            }
            for row in rows
        ],
        {
            "type": column.TextColumn("Type", width=120),
            "pattern": column.TextColumn("Pattern", width=165),
            "stop_reason": column.TextColumn("Stop reason", width=100),
            "turn": column.NumberColumn("Turn", width=50),
            "tokens": column.NumberColumn("Tokens", format="localized", width=70),
            "limit": column.NumberColumn("Limit", format="localized", width=70),
            "attempts": column.NumberColumn("Calls", width=50),
            "message": column.TextColumn("What happened", width=360),
            "data": simulated_column(),
            "created": age_column("Failed"),
        },
        key="failures",
        alt=note,
    )
    st.caption(note)


def _describe_newest(shown: int, total: int, noun: str) -> str:
    if shown < total:
        return f"The newest {shown:,} of {format_count(total, noun)}"
    return format_count(total, noun)
