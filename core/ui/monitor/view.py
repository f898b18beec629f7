"""One batch in the Batch Monitor: refreshed automatically while it has work in flight."""

from datetime import UTC, datetime

import streamlit as st

from core.bootstrap import PageServices
from core.domain.amounts import format_duration, format_money
from core.domain.batches.batch import BatchId, BatchProgress, BatchStatus
from core.domain.batches.monitor import BatchWatch
from core.domain.batches.progress import estimate_remaining_seconds, measure_elapsed_seconds, measure_throughput
from core.domain.diagnosis.alerts import Alert
from core.domain.diagnosis.part_alerts import find_stalls
from core.ui.monitor.actions import draw_actions
from core.ui.monitor.items import draw_items
from core.ui.monitor.questions import draw_question
from core.ui.monitor.results import draw_charts
from core.ui.shell.formats import (
    escape_markdown,
    escape_message,
    format_age,
    format_count,
    format_share,
    format_throughput,
    format_time,
)
from core.ui.shell.links import open_batch, open_dataset
from core.ui.shell.page import draw_card, draw_header, draw_imported_badge, draw_simulated_badge
from core.ui.shell.session import find_settings, report_errors
from core.ui.shell.status import find_status_look

ACTIVE_SECONDS, PAUSED_SECONDS = 2, 10
LEAST_CARD_PIXELS = 180
REFRESH = "batch_refresh_seconds"


def watch_batch(services: PageServices, batch_id: BatchId) -> None:
    """Draw the batch, refreshed while it is active."""
    now = services.monitor.watch(batch_id)
    every = find_refresh_seconds(now.progress)
    st.session_state[REFRESH] = every
    fresh = [now]  # The first drawing uses what this run has read; each refresh reads again.

    def draw() -> None:
        with report_errors():
            watched = fresh.pop() if fresh else services.monitor.watch(batch_id)
            _draw_batch(services, watched)
            if find_refresh_seconds(watched.progress) != st.session_state.get(REFRESH):
                st.rerun()  # A full rerun sets the new interval, or none.

    st.fragment(draw, run_every=every)()
    draw_question(services, now.progress, now.to_retry)


def find_refresh_seconds(progress: BatchProgress) -> int | None:
    """Return the refresh interval: short while anything runs, long while paused, None after the end."""
    if progress.has_work_in_flight:
        return ACTIVE_SECONDS
    return PAUSED_SECONDS if progress.status is BatchStatus.PAUSED else None


def _draw_batch(services: PageServices, watched: BatchWatch) -> None:
    progress = watched.progress
    stalled_by: tuple[Alert, ...] = ()
    if progress.status.is_active:
        stalled_by = find_stalls(services.health.check(), open_items=progress.remaining, now=datetime.now(UTC))
    _draw_title(services, watched, is_stalled=bool(stalled_by))
    with st.container():  # What comes and goes here leaves what follows in its place.
        for alert in stalled_by:
            st.error(f"**{escape_message(alert.message)}** {escape_message(alert.advice)}", icon=":material/error:")
        _draw_outcome(progress)
    _draw_figures(progress)
    with st.container():
        _draw_pace(progress)
        _draw_family(watched)
    draw_charts(watched)
    draw_items(services, progress)
    _draw_origin(progress)


def _draw_title(services: PageServices, watched: BatchWatch, *, is_stalled: bool) -> None:
    progress = watched.progress
    look = find_status_look(progress.status)
    with draw_header(escape_markdown(progress.name), says_simulated=progress.simulated):
        st.badge(progress.status.value, icon=look.icon, color=look.color)
        if progress.simulated:
            draw_simulated_badge()
        if progress.imported:
            draw_imported_badge()
        st.space("stretch")
        draw_actions(services, progress, watched.to_retry)
    st.progress(progress.fraction_judged, text=_describe_progress(progress, is_stalled=is_stalled))


def _describe_progress(progress: BatchProgress, *, is_stalled: bool) -> str:
    now = datetime.now(UTC)
    # 100 % only when it is all.
    parts = [f"**{progress.judged:,} of {progress.planned:,}** done", f"{100 * progress.fraction_judged // 1:.0f} %"]
    if progress.cancelled:
        parts.append(f"{progress.cancelled:,} cancelled")
    left = None if is_stalled else estimate_remaining_seconds(progress, now)
    elapsed = measure_elapsed_seconds(progress, now)
    if left is not None:
        parts.append(f"about {format_duration(left)} left")
    if is_stalled:
        parts.append("held up")
    if progress.status is BatchStatus.QUEUED:
        parts.append("waiting for a worker")
    elif progress.status is BatchStatus.PAUSED:
        parts.append("paused")
    elif elapsed is not None:
        took = format_duration(elapsed)
        parts.append(f"{took} from start to end" if progress.status.is_final else f"started {took} ago")
    if progress.status is BatchStatus.PAUSED and progress.running:
        parts.append(f"{format_count(progress.running, 'call')} still running")
    return " · ".join(parts)


def _draw_outcome(progress: BatchProgress) -> None:
    reason = escape_markdown(progress.reason) if progress.reason else None
    if progress.status is BatchStatus.FAILED:
        st.error(f"**The batch failed.** {reason or 'No conversation was accepted.'}", icon=":material/error:")
    elif progress.status is BatchStatus.PAUSED and reason is not None:
        st.warning(reason, icon=":material/pause_circle:")
    elif reason is not None:
        st.caption(reason)


def _draw_figures(progress: BatchProgress) -> None:
    failed = "none so far" if progress.failure_rate is None else f"{format_share(progress.failure_rate)} of judged items"
    cancelled = f"{progress.cancelled:,} cancelled" if progress.cancelled else progress.conversation_category.value
    pace = format_throughput(measure_throughput(progress, datetime.now(UTC)))
    is_simulated = progress.is_simulated(claude_is_simulated=find_settings().simulated)
    with st.grid(6, min_column_width=LEAST_CARD_PIXELS, gap="small"):
        draw_card("Accepted", f"{progress.accepted:,}", "only counted" if progress.imported else "conversations")
        draw_card("Failed", f"{progress.failed:,}", failed)
        draw_card("Remaining", f"{progress.remaining:,}", f"{progress.running:,} running")
        draw_card("Total", f"{progress.planned:,}", cancelled)
        draw_card("Pace", pace, describe_concurrency(progress))
        draw_card("Spend, simulated" if is_simulated else "Spend", format_money(progress.cost_usd), describe_spend(progress))


def describe_concurrency(progress: BatchProgress) -> str:
    """Say how many calls may run at once now."""
    if progress.imported:
        return "not applicable"
    if progress.pace_limit is None or progress.pace_limit >= progress.concurrency:
        return format_count(progress.concurrency, "parallel call")
    return f"{progress.pace_limit} of {format_count(progress.concurrency, 'parallel call')}"


def describe_spend(progress: BatchProgress) -> str:
    """Say what to compare the spend with: the budget, if any, and the estimate."""
    budget, estimate = progress.budget_usd, progress.estimated_cost_usd
    if budget is not None and estimate is not None:
        return f"budget {format_money(budget)}, est. {format_money(estimate)}"
    if budget is not None:
        return f"of {format_money(budget)} budget"
    return format_count(progress.attempts, "call") if estimate is None else f"of {format_money(estimate)} estimated"


def _draw_pace(progress: BatchProgress) -> None:
    if progress.status.is_final or progress.pace_reason is None or progress.pace_changed_at is None:
        return
    when = format_age(progress.pace_changed_at, datetime.now(UTC))
    st.caption(f":material/speed: {describe_concurrency(progress)} ({escape_markdown(progress.pace_reason)}, {when})")


def _draw_family(watched: BatchWatch) -> None:
    """Draw links to the data set that it fills, the batch that it retries, and the batches that retry it."""
    progress = watched.progress
    if progress.retry_of is None and not watched.retries and watched.dataset is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if watched.dataset is not None:
            st.caption("Fills the data set", width="content")
            if st.button(escape_markdown(watched.dataset.name), key="dataset", icon=":material/dataset:", type="tertiary"):
                open_dataset(watched.dataset.id)
        if progress.retry_of is not None:
            st.caption("Retry of failed items from", width="content")
            label = escape_markdown(watched.retry_of_name or "another batch")
            if st.button(label, key="retried_batch", icon=":material/undo:", type="tertiary"):
                open_batch(progress.retry_of)
        if watched.retries:
            st.caption("Retried by", width="content")
        for retry in watched.retries:
            label = f"{escape_markdown(retry.name)} ({retry.status.value})"
            if st.button(label, key=f"retry_{retry.id}", icon=":material/replay:", type="tertiary"):
                open_batch(retry.id)


def _draw_origin(progress: BatchProgress) -> None:
    submitted = format_time(progress.created_at, st.context.timezone)
    if progress.imported:
        st.caption(f"Imported {submitted} · {escape_markdown(progress.model)} · {progress.id}")
        return
    effort = f", effort {escape_markdown(progress.effort)}" if progress.effort else ""
    structured = f"structured output {'on' if progress.structured_outputs else 'off'}"
    limit = f"max output tokens {progress.max_tokens or 0:,}, {structured}"
    st.caption(f"Submitted {submitted} · {escape_markdown(progress.model)}{effort}, {limit} · {progress.id}")
