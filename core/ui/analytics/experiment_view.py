"""Experiments: one with its two arms side by side, refreshed while it runs, and the list of the latest."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchProgress
from core.domain.diagnosis.experiments import Comparison, Experiment, ExperimentPairs
from core.domain.diagnosis.findings import format_failure_rate, format_p
from core.services.experiments import ExperimentReport
from core.ui.charts.rate_chart import LabeledRate, describe_rates, draw_rates
from core.ui.shell.formats import escape_markdown, format_age, format_count
from core.ui.shell.link_state import change_link, follow_link
from core.ui.shell.links import EXPERIMENT, open_batch
from core.ui.shell.page import draw_figure, draw_header, draw_simulated_badge
from core.ui.shell.session import report_errors
from core.ui.shell.status import find_status_look
from core.ui.shell.tables import RowButton, age_column, draw_table

ACTIVE_SECONDS = 2
LEAST_HALF_PIXELS = 450
"""So much shows the table of figures whole."""
REFRESHES = "experiment_refreshes"
BASE_LABEL = "before the change"


def draw_experiment(services: PageServices, experiment_id: UUID) -> None:
    """Draw one experiment, refreshed while its batch is active; raise NotFound."""
    shown = st.query_params.get(EXPERIMENT)
    fresh = [_read(services, experiment_id)]  # The first drawing uses what this run has read; each refresh reads again.
    refreshes = _is_active(*fresh[0])
    st.session_state[REFRESHES] = refreshes

    def draw() -> None:
        with report_errors():
            follow_link(EXPERIMENT, shown)
            report, progress = fresh.pop() if fresh else _read(services, experiment_id)
            _draw_report(report, progress)
            if _is_active(report, progress) != st.session_state.get(REFRESHES):
                st.rerun()  # A full rerun removes the timer.

    st.fragment(draw, run_every=ACTIVE_SECONDS if refreshes else None)()


def draw_experiment_list(services: PageServices) -> None:
    """Draw the newest experiments, each with a button that opens it."""
    experiments = services.experiments.list_recent()
    if not experiments:
        st.info(
            "No comparison yet. Press a button beside a suspect, or *Compare a setting*: the same combinations are "
            "generated again with one setting changed, and the difference is tested.",
            icon=":material/compare_arrows:",
        )
        return

    def show(row: int) -> None:
        change_link({EXPERIMENT: str(experiments[row].id)})

    column = st.column_config
    columns = {
        "name": column.TextColumn("Experiment", width=420),
        "change": column.TextColumn("Changed", width=230),
        "scope": column.TextColumn("Items", width=150),
        "pairs": column.NumberColumn("Pairs", format="localized", width=80),
        "created": age_column("Started"),
    }
    draw_table(
        [_make_row(each) for each in experiments],
        columns,
        key="experiments",
        alt=f"{format_count(len(experiments), 'experiment')}, newest first",
        file_name="experiments",
        buttons={"open": RowButton(show, width=90)},
    )


def _read(services: PageServices, experiment_id: UUID) -> tuple[ExperimentReport, BatchProgress]:
    report = services.experiments.get(experiment_id)
    return report, services.batches.get(report.pairs.experiment.changed_batch_id)


def _is_active(report: ExperimentReport, progress: BatchProgress) -> bool:
    return report.pairs.open > 0 and progress.has_work_in_flight


def _draw_report(report: ExperimentReport, progress: BatchProgress) -> None:
    pairs, comparison = report.pairs, report.comparison
    experiment = pairs.experiment
    look = find_status_look(progress.status)
    with draw_header(escape_markdown(experiment.name), says_simulated=pairs.simulated):
        st.badge(progress.status.value, icon=look.icon, color=look.color)
        if pairs.simulated:
            draw_simulated_badge()
        st.space("stretch")
        st.button(
            "All analytics", icon=":material/arrow_back:", type="tertiary", on_click=change_link, args=({EXPERIMENT: None},)
        )
    judged = experiment.pairs - pairs.open
    age = format_age(experiment.created_at, datetime.now(UTC))
    st.progress(
        judged / experiment.pairs, text=f"**{judged:,} of {format_count(experiment.pairs, 'pair')}** judged · started {age}"
    )
    _draw_verdict(comparison, experiment)
    rows = [
        LabeledRate(label=BASE_LABEL, rate=comparison.base),
        LabeledRate(label=experiment.change.label, rate=comparison.changed),
    ]
    with st.grid(2, min_column_width=LEAST_HALF_PIXELS, gap="small"):
        with st.container(border=True, gap="xsmall", height="stretch"):
            st.markdown("**Failure rate of both arms**, judged pairs only")
            draw_figure(draw_rates(rows), key="experiment_arms", alt=describe_rates("Failure rate of both arms", rows))
        with st.container(border=True, gap="xsmall", height="stretch"):
            st.markdown("**The figures**")
            _draw_figures(pairs, comparison)
    with st.container(horizontal=True, gap="small"):
        if st.button("Batch before the change", icon=":material/monitoring:"):
            open_batch(experiment.base_batch_id)
        if st.button("Changed batch", icon=":material/monitoring:"):
            open_batch(experiment.changed_batch_id)


def _draw_verdict(comparison: Comparison, experiment: Experiment) -> None:
    text = escape_markdown(comparison.verdict)
    if not comparison.is_proven or comparison.difference is None:
        st.info(text, icon=":material/balance:")
    elif comparison.difference < 0:
        st.success(f"**{escape_markdown(experiment.change.label)} helps.** {text}", icon=":material/trending_down:")
    else:
        st.error(f"**{escape_markdown(experiment.change.label)} harms.** {text}", icon=":material/trending_up:")


def _draw_figures(pairs: ExperimentPairs, comparison: Comparison) -> None:
    column = st.column_config
    arms = [(BASE_LABEL, comparison.base), (pairs.experiment.change.label, comparison.changed)]
    rows = [
        {"arm": name, "failed": rate.failed, "judged": rate.judged, "rate": format_failure_rate(rate)} for name, rate in arms
    ]
    columns = {
        "arm": column.TextColumn("Arm", width=210),
        "failed": column.NumberColumn("Failed", format="localized", width=80),
        "judged": column.NumberColumn("Judged", format="localized", width=80),
        "rate": column.TextColumn("Failure rate (95 %)", width=160),
    }
    draw_table(
        rows, columns, key="experiment_table", alt=describe_rates("Arms", [LabeledRate(label=n, rate=r) for n, r in arms])
    )
    if comparison.difference is not None:
        low, high = comparison.difference_low * 100, comparison.difference_high * 100
        st.markdown(
            f"Difference **{comparison.difference * 100:+.0f} points** (95 %: {low:+.0f} to {high:+.0f}), "
            f"{format_p(comparison.p_value)} by McNemar's exact test."
        )
    st.caption(
        f"Pairs: {pairs.only_base_failed:,} fixed, {pairs.only_changed_failed:,} newly failed, "
        f"{pairs.both_failed:,} failed both times, {pairs.neither_failed:,} accepted both times, {pairs.open:,} open."
    )


def _make_row(experiment: Experiment) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "change": experiment.change.label,
        "scope": f"{experiment.scope.value} items",
        "pairs": experiment.pairs,
        "created": experiment.created_at,
        "open": ":material/open_in_full: Open",
    }
