"""Home: alerts, totals, running batches, data sets, coverage and the latest batches."""

from collections.abc import Sequence
from datetime import UTC, datetime

import streamlit as st

from core.bootstrap import PageServices
from core.domain.amounts import format_duration, format_money
from core.domain.batches.batch import BatchProgress, BatchStatus
from core.domain.batches.monitor import BatchFilters, BatchPage
from core.domain.batches.overview import Coverage, Overview
from core.domain.batches.progress import estimate_remaining_seconds
from core.domain.datasets.plans import Dataset
from core.domain.datasets.versions import CountedStatus
from core.domain.diagnosis.alerts import ALARM_FAILURE_RATE, TARGET_FAILURE_RATE
from core.domain.diagnosis.part_alerts import find_stalls
from core.domain.percentages import format_percent
from core.ui.charts.clickable_chart import draw_clickable_heatmap
from core.ui.charts.heat_map import COVERAGE_SCALE, describe_heatmap, draw_heatmap, make_coverage_cells
from core.ui.shell.alert_list import draw_alerts
from core.ui.shell.batch_table import draw_batch_table, draw_welcome
from core.ui.shell.formats import escape_markdown, format_age, format_count, format_share
from core.ui.shell.links import (
    open_batch,
    open_batch_list,
    open_combinations,
    open_conversations,
    open_dataset,
    open_dataset_list,
    open_generator,
)
from core.ui.shell.page import draw_card, draw_header, open_body
from core.ui.shell.session import report_errors
from core.ui.shell.status import find_status_look

RECENT_BATCHES, OPEN_BATCHES, SHOWN_DATASETS = 8, 4, 3
NEWEST_DATASETS = 9
"""Of so many the shown ones are chosen; each costs a count of its plan."""
REFRESH_SECONDS = 5
COVERAGE_CELL_PIXELS, LEAST_CARD_PIXELS = 46, 220
REFRESH = "home_refreshes"
OPEN = BatchFilters(statuses=(BatchStatus.PROCESSING, BatchStatus.QUEUED, BatchStatus.PAUSED))


def draw_overview() -> None:
    """Draw the page; the upper half is refreshed while a batch is active."""
    with open_body() as services:
        overview, running = services.overview.read(), services.monitor.list_batches(OPEN, page_size=OPEN_BATCHES)
        with draw_header("Home"):
            st.space("stretch")
            if overview.batches and st.button("Generate conversations", type="primary", icon=":material/bolt:"):
                open_generator()
        draw_alerts(services)
        _draw_live(services, overview, running)
        if not overview.batches:
            draw_welcome()
            return
        _draw_datasets(choose_datasets(services.datasets.list_all(most=NEWEST_DATASETS)))
        _draw_coverage(overview.coverage)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Recent batches**", width="content")
            st.space("stretch")
            if st.button("All batches", icon=":material/list:", type="tertiary"):
                open_batch_list()
        recent = services.monitor.list_batches(page_size=RECENT_BATCHES)
        draw_batch_table(recent.batches, "home_batches")


def _draw_live(services: PageServices, overview: Overview, running: BatchPage) -> None:
    refreshes = _is_active(running)
    st.session_state[REFRESH] = refreshes
    fresh = [(overview, running)]  # The first drawing uses what this run has read; each refresh reads again.

    def draw() -> None:
        with report_errors():
            if fresh:
                totals, batches = fresh.pop()
            else:
                totals, batches = services.overview.read(), services.monitor.list_batches(OPEN, page_size=OPEN_BATCHES)
            if totals.batches:
                _draw_totals(totals)
                _draw_running(services, batches)
            if _is_active(batches) != st.session_state.get(REFRESH):
                st.rerun()

    st.fragment(draw, run_every=REFRESH_SECONDS if refreshes else None)()


def _is_active(running: BatchPage) -> bool:
    return any(batch.has_work_in_flight for batch in running.batches)


def _draw_totals(overview: Overview) -> None:
    to_go = f"{overview.open_items:,} to go" if overview.active_batches else "no open items"
    paused = f", {overview.paused_batches:,} paused" if overview.paused_batches else ""
    simulated, made_up = overview.simulated_conversations, overview.simulated_spend_usd
    origin = f"{simulated:,} of them simulated" if simulated else f"in {format_count(overview.batches, 'batch', 'batches')}"
    with st.grid(5, min_column_width=LEAST_CARD_PIXELS, gap="small"):
        draw_card("Batches running", f"{overview.active_batches:,}", to_go + paused)
        draw_card("Conversations accepted", f"{overview.conversations:,}", origin)
        _draw_rates(overview)
        uncharged = f"plus {format_money(made_up)} simulated, not charged" if made_up else "in all batches"
        draw_card("Spend", format_money(overview.spend_usd), uncharged)


def _draw_rates(overview: Overview) -> None:
    rate = overview.recent_failed / overview.recent_judged if overview.recent_judged else None
    sample = f"of {overview.recent_judged:,} judged"
    draw_card("Acceptance rate, 7 days", format_share(None if rate is None else 1 - rate), sample)
    st.metric(
        "Failure rate, 7 days",
        format_share(rate),
        _judge_failure_rate(rate),
        delta_color="inverse" if rate is not None and rate > TARGET_FAILURE_RATE else "normal",
        delta_arrow="off",
        delta_description=f"{overview.recent_failed:,} {sample}",
        border=True,
        height="stretch",
        help=f"Target under {format_percent(TARGET_FAILURE_RATE)}, alarm over {format_percent(ALARM_FAILURE_RATE)}. "
        f"Ever: {overview.failed:,} of {overview.judged:,}.",
    )


def _judge_failure_rate(rate: float | None) -> str | None:
    if rate is None:
        return None
    if rate <= TARGET_FAILURE_RATE:
        return f"under {format_percent(TARGET_FAILURE_RATE)}"
    return (
        f"over {format_percent(ALARM_FAILURE_RATE)}"
        if rate > ALARM_FAILURE_RATE
        else f"over {format_percent(TARGET_FAILURE_RATE)}"
    )


def _draw_running(services: PageServices, running: BatchPage) -> None:
    open_items = sum(batch.remaining for batch in running.batches)
    is_stalled = bool(find_stalls(services.health.check(), open_items=open_items, now=datetime.now(UTC)))
    for batch in running.batches:
        look = find_status_look(batch.status)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(batch.status.value, icon=look.icon, color=look.color, width=115)
            st.progress(batch.fraction_judged, text=_describe_running(batch, is_stalled=is_stalled))
            if st.button("Open", key=f"running_{batch.id}", icon=":material/open_in_full:", type="tertiary"):
                open_batch(batch.id)
    if running.total > len(running.batches):
        st.caption(f"and {format_count(running.total - len(running.batches), 'more open batch', 'more open batches')}")


def _describe_running(batch: BatchProgress, *, is_stalled: bool) -> str:
    parts = [f"**{escape_markdown(batch.name)}**", f"{batch.judged:,} of {batch.planned:,}"]
    if batch.failed:
        parts.append(f"{batch.failed:,} failed")
    left = estimate_remaining_seconds(batch, datetime.now(UTC))
    if is_stalled and batch.status.is_active:
        parts.append("held up")
    elif left is not None:
        parts.append(f"about {format_duration(left)} left")
    return " · ".join(parts)


def choose_datasets(datasets: Sequence[Dataset]) -> list[Dataset]:
    """Return those to show of data sets that come newest first: empty ones only where too few others are there."""
    return sorted(datasets, key=lambda dataset: dataset.is_empty)[:SHOWN_DATASETS]


def _draw_datasets(datasets: Sequence[Dataset]) -> None:
    """Draw how far some data sets are, and the way to all."""
    if not datasets:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Data sets**", width="content")
        st.space("stretch")
        if st.button("All data sets", icon=":material/list:", type="tertiary"):
            open_dataset_list()
    for dataset in datasets:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge("data set", icon=":material/dataset:", color="violet", width=115)
            st.progress(dataset.filled / dataset.planned, text=_describe_dataset(dataset))
            if st.button("Open", key=f"dataset_{dataset.id}", icon=":material/open_in_full:", type="tertiary"):
                open_dataset(dataset.id)


def _describe_dataset(dataset: Dataset) -> str:
    parts = [f"**{escape_markdown(dataset.name)}**", f"{dataset.filled:,} of {dataset.planned:,} {dataset.counted}"]
    if dataset.missing and dataset.awaiting_review:
        parts.append(f"{dataset.awaiting_review:,} to review")
    if dataset.to_generate:
        parts.append(f"{dataset.to_generate:,} to generate")
    if dataset.counted is CountedStatus.ACCEPTED and dataset.approved:
        parts.append(f"{dataset.approved:,} approved")
    if dataset.duplicates:
        parts.append(format_count(dataset.duplicates, "duplicate"))
    parts.append(_describe_version(dataset))
    return " · ".join(parts)


def _describe_version(dataset: Dataset) -> str:
    latest = dataset.latest_export
    if dataset.version is None:
        return "no version yet"
    if latest is None or latest.version != dataset.version:
        return f"version {dataset.version}, not exported yet"
    return f"version {dataset.version}, exported {format_age(latest.exported_at, datetime.now(UTC))}"


def _draw_coverage(coverage: Coverage) -> None:
    def open_cell(number: int) -> None:
        row, column = divmod(number, len(coverage.arcs))
        persona, arc = coverage.personas[row], coverage.arcs[column]
        if coverage.count_topics(persona.id, arc.id):
            open_conversations(persona_id=persona.id, arc_id=arc.id)
        open_combinations(arc.conversation_category, persona.key, arc.key)

    if not coverage.personas or not coverage.arcs:
        return
    cells = make_coverage_cells(coverage)
    with st.container(border=True, gap="xsmall"):
        st.markdown(
            f"**Coverage** · topics with an accepted conversation, of {coverage.topics:,} in each cell",
            help="Click a cell for its conversations, or, where it has none, to generate them.",
        )
        draw_clickable_heatmap(
            draw_heatmap(
                cells,
                highest=coverage.topics,
                scale=COVERAGE_SCALE,
                cell_pixels=COVERAGE_CELL_PIXELS,
                is_wide=True,
                click_opens="its conversations, or to generate them",
            ),
            key="coverage",
            open_cell=open_cell,
            alt=describe_heatmap(f"Topics with an accepted conversation, of {coverage.topics} in each cell", cells),
        )
