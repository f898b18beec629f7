"""One batch in the Batch Monitor: it refreshes itself while something can change, and not after."""

from datetime import UTC, datetime

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.bootstrap import PageServices
from core.domain.batch import BatchId, BatchProgress, BatchStatus
from core.domain.progress import estimate_remaining_seconds, measure_elapsed_seconds, measure_throughput
from core.ui.batch_actions import draw_actions, draw_question
from core.ui.batch_results import draw_breakdown, draw_results
from core.ui.formats import escape_markdown, format_duration, format_money, format_rate, format_share, format_time
from core.ui.page import draw_header, draw_simulated_badge
from core.ui.session import report_errors
from core.ui.status import find_status_look

ACTIVE_SECONDS, PAUSED_SECONDS = 2, 10
REFRESH = "batch_refresh_seconds"


def watch_batch(services: PageServices, batch_id: BatchId) -> None:
    """Draw the batch, again and again while it is active."""
    now = services.batches.get(batch_id)
    every = find_refresh_seconds(now)
    st.session_state[REFRESH] = every

    def draw() -> None:
        with report_errors():
            progress = services.batches.get(batch_id)
            _draw_batch(services, progress)
            if find_refresh_seconds(progress) != st.session_state.get(REFRESH):
                st.rerun()  # One run of the whole page sets the new pace, or none.

    st.fragment(draw, run_every=every)()
    draw_question(services, now)


def find_refresh_seconds(progress: BatchProgress) -> int | None:
    """Return how often to look again: often while anything runs, seldom while paused, not at all after the end."""
    if progress.status.is_active or progress.running:
        return ACTIVE_SECONDS
    return PAUSED_SECONDS if progress.status is BatchStatus.PAUSED else None


def _draw_batch(services: PageServices, progress: BatchProgress) -> None:
    _draw_title(services, progress)
    _draw_outcome(progress)
    _draw_figures(progress)
    if progress.failed:
        draw_breakdown(services.batches.get_breakdown(progress.id))
    draw_results(services, progress)
    _draw_origin(progress)


def _draw_title(services: PageServices, progress: BatchProgress) -> None:
    look = find_status_look(progress.status)
    with draw_header(escape_markdown(progress.name)):
        st.badge(progress.status.value, icon=look.icon, color=look.color)
        if progress.simulated:
            draw_simulated_badge()
        st.space("stretch")
        draw_actions(services, progress)
    st.progress(progress.fraction_judged, text=_describe_progress(progress))


def _describe_progress(progress: BatchProgress) -> str:
    now = datetime.now(UTC)
    parts = [f"**{progress.judged:,} of {progress.planned:,}** done", f"{progress.fraction_judged:.0%}"]
    if progress.cancelled:
        parts.append(f"{progress.cancelled:,} cancelled")
    left = estimate_remaining_seconds(progress, now)
    elapsed = measure_elapsed_seconds(progress, now)
    if left is not None:
        parts.append(f"about {format_duration(left)} left")
    if progress.status is BatchStatus.QUEUED:
        parts.append("waiting for a worker")
    elif elapsed is not None:
        parts.append(f"{'took' if progress.status.is_final else 'running for'} {format_duration(elapsed)}")
    if progress.status is BatchStatus.PAUSED and progress.running:
        parts.append(f"{progress.running} running calls finish first")
    return " · ".join(parts)


def _draw_outcome(progress: BatchProgress) -> None:
    reason = escape_markdown(progress.status_reason) if progress.status_reason else None
    if progress.status is BatchStatus.FAILED:
        st.error(f"**The batch failed.** {reason or 'No conversation was accepted.'}", icon=":material/error:")
    elif reason is not None:
        st.caption(reason)


def _draw_figures(progress: BatchProgress) -> None:
    accepted, failed, remaining, total, pace, spend = st.columns(6, gap="small")
    _draw_card(accepted, "Accepted", f"{progress.accepted:,}", "conversations")
    _draw_card(
        failed,
        "Failed",
        f"{progress.failed:,}",
        "none so far" if progress.failure_rate is None else f"{format_share(progress.failure_rate)} of those judged",
    )
    _draw_card(remaining, "Remaining", f"{progress.remaining:,}", f"{progress.running:,} running")
    cancelled = f"{progress.cancelled:,} cancelled" if progress.cancelled else progress.conversation_category.value
    _draw_card(total, "Total", f"{progress.planned:,}", cancelled)
    _draw_card(pace, "Pace", format_rate(measure_throughput(progress, datetime.now(UTC))), describe_pace(progress))
    estimated = progress.estimated_cost_usd
    against = f"{progress.attempts:,} calls" if estimated is None else f"of {format_money(estimated)} estimated"
    _draw_card(spend, "Spend, simulated" if progress.simulated else "Spend", format_money(progress.cost_usd), against)


def describe_pace(progress: BatchProgress) -> str:
    """Say how many calls run at once now, and why fewer than asked for."""
    if progress.pace_limit is None or progress.pace_limit >= progress.concurrency:
        return f"{progress.concurrency} at once"
    return f"{progress.pace_limit} of {progress.concurrency} at once: {progress.pace_reason}"


def _draw_card(place: DeltaGenerator, label: str, value: str, note: str) -> None:
    place.metric(label, value, delta_description=note, border=True, height="stretch")


def _draw_origin(progress: BatchProgress) -> None:
    submitted = format_time(progress.created_at, st.context.timezone)
    effort = f", effort {progress.effort}" if progress.effort else ""
    limit = f"{progress.max_tokens:,} tokens at most"
    st.caption(f"Submitted {submitted} · {escape_markdown(progress.model)}{effort}, {limit} · {progress.id}")
