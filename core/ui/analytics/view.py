"""The failure analytics: the answer first, then its data, one view at a time."""

from collections.abc import Mapping
from enum import StrEnum
from typing import assert_never
from uuid import UUID

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.bootstrap import PageServices
from core.domain.amounts import format_duration, format_money
from core.domain.batches.results import FailureFilters
from core.domain.diagnosis.diagnosis import Bucket, Diagnosis
from core.domain.diagnosis.findings import StepKind
from core.domain.percentages import format_percent_range
from core.services.diagnostics import DiagnosisReport, Measurement, write_figures, write_suspects
from core.ui.analytics.breakdowns import (
    PART_PARAMETERS,
    SignaturePart,
    draw_dimensions,
    draw_heatmaps,
    draw_limits,
    draw_signatures,
    mark_part,
    rank_parts,
)
from core.ui.analytics.charts import describe_timeline, draw_timeline
from core.ui.analytics.experiment_question import ask_experiment, draw_experiment_question
from core.ui.analytics.experiment_view import draw_experiment_list
from core.ui.analytics.links import mark_time
from core.ui.analytics.suspect_table import draw_finding, draw_suspect_table, draw_unnamed
from core.ui.charts.clickable_chart import draw_clickable, draw_clickable_rates
from core.ui.charts.figures import FAILURE_COLOR, REPLY_COLOR
from core.ui.shell.failure_filters import NAMES
from core.ui.shell.formats import NOTHING, find_zone, format_count, format_share
from core.ui.shell.link_state import change_link, follow_link, read_choice
from core.ui.shell.links import BATCH, EXPERIMENT
from core.ui.shell.page import draw_card
from core.ui.shell.session import report_errors

ANSWER_PIXELS = 118
"""Room for the answer before it is found: what stands below hardly moves when it comes."""
DIAGNOSIS_SECONDS = 20
LEAST_CARD_PIXELS, LEAST_CHART_PIXELS = 220, 360
"""In a window 1024 wide two charts stand beside each other, not three."""
MOST_BARS = 5
VIEW = "view"


class View(StrEnum):
    """What is drawn below the answer."""

    SUSPECTS = "suspects"
    DIMENSIONS = "dimensions"
    HEATMAPS = "heatmaps"
    LIMITS = "limits"
    SIGNATURES = "signatures"
    EXPERIMENTS = "experiments"


VIEW_LABELS = {
    View.SUSPECTS: "Suspects",
    View.DIMENSIONS: "By dimension",
    View.HEATMAPS: "Heat maps",
    View.LIMITS: "Tokens and turns",
    View.SIGNATURES: "Failure signatures",
    View.EXPERIMENTS: "Experiments",
}


def load_measurement(services: PageServices, user: str, filters: FailureFilters) -> Measurement:
    """Return the counts for some filters, a few seconds old at most: changing the view does not count again."""
    return _measure(services, user, filters.model_dump_json(), st.context.timezone, filters)


def load_report(services: PageServices, measurement: Measurement) -> DiagnosisReport:
    """Return the causes for some counts, cached as long."""
    return _explain(services, measurement.id, measurement)


# Cached for all tabs of an analyst: `user` is part of the key, so that nobody sees another's.
@st.cache_resource(ttl=DIAGNOSIS_SECONDS, max_entries=20, show_spinner=False)
def _measure(
    _services: PageServices,
    user: str,  # noqa: ARG001 - with `asked` the cache's key
    asked: str,  # noqa: ARG001 - likewise
    timezone: str | None,
    _filters: FailureFilters,
) -> Measurement:
    return _services.diagnostics.measure_outcomes(_filters, zone=find_zone(timezone))


@st.cache_resource(ttl=DIAGNOSIS_SECONDS, max_entries=20, show_spinner=False)
def _explain(
    _services: PageServices,
    measurement_id: UUID,  # noqa: ARG001 - the cache's key
    _measurement: Measurement,
) -> DiagnosisReport:
    return _services.diagnostics.explain(_measurement)


def draw_export(report: DiagnosisReport) -> None:
    """Draw the downloads of all filtered figures and suspects."""
    with st.popover("CSV", icon=":material/download:", help="A chart is saved as SVG by the camera that appears on it."):
        for name, write, help_text in (
            ("Figures", lambda: write_figures(report.diagnosis), "One per line, with sample size and 95 % interval"),
            ("Suspects", lambda: write_suspects(report.suspects), "Every comparison: rates, difference, p-values"),
        ):
            st.download_button(
                name,
                data=write,
                file_name=f"failure-analytics-{name.lower()}.csv",
                mime="text/csv",
                icon=":material/download:",
                on_click="ignore",
                help=help_text,
                width="stretch",
            )


def draw_nothing(*, filtered: bool) -> None:
    """Say that nothing was judged, and what to do."""
    if filtered:
        st.info("Nothing was judged with these filters. Remove a filter, or clear them all.", icon=":material/filter_alt:")
        return
    st.info(
        "Nothing is judged yet. Generate a batch: failures are then counted here by what they have in common. "
        "Imported batches are counted when one is chosen, or with the switch under More.",
        icon=":material/troubleshoot:",
    )


def draw_measurement(diagnosis: Diagnosis) -> None:
    """Draw failure rate and failure signatures."""
    _draw_totals(diagnosis)
    if diagnosis.overall.failed:
        _draw_first_charts(diagnosis)


def draw_answer(services: PageServices, report: DiagnosisReport) -> None:
    """Draw what the failures come from, in a sentence with what to do next."""
    if report.findings:
        draw_finding(services, report.findings[0], report, 0)
    elif report.diagnosis.overall.failed:
        draw_unnamed(services, report)
    else:
        _draw_clean(report.diagnosis)


def draw_report(services: PageServices, report: DiagnosisReport) -> None:
    """Draw the view that the link asks for."""
    _draw_views(services, report, st.query_params.get(EXPERIMENT))
    draw_experiment_question(services, report.diagnosis)


@st.fragment
def _draw_views(services: PageServices, report: DiagnosisReport, missing: str | None) -> None:
    """A fragment: changing the view does not redraw filters and first charts. `missing`: an experiment that is not there."""
    with report_errors():
        follow_link(EXPERIMENT, missing)
        _draw_view(services, report, _choose_view(report))


def _draw_view(services: PageServices, report: DiagnosisReport, view: View) -> None:
    diagnosis = report.diagnosis
    match view:
        case View.SUSPECTS:
            for number, finding in enumerate(report.findings[1:], start=1):
                draw_finding(services, finding, report, number)
            draw_suspect_table(report.suspects, diagnosis)
        case View.DIMENSIONS:
            draw_dimensions(diagnosis)
        case View.HEATMAPS:
            draw_heatmaps(diagnosis)
        case View.LIMITS:
            draw_limits(diagnosis)
        case View.SIGNATURES:
            draw_signatures(report.fingerprints, len(diagnosis.fingerprints))
        case View.EXPERIMENTS:
            if st.button("Compare a setting", icon=":material/compare_arrows:", key="compare"):
                ask_experiment(StepKind.COMPARE_STRUCTURED_OUTPUT)
            draw_experiment_list(services)
        case _:
            assert_never(view)


def choose_bucket(diagnosis: Diagnosis) -> Bucket:
    """Return the resolution of the time line: two rows on one day mean hours."""
    starts = [row.start for row in diagnosis.timeline]
    is_hourly = any(start.hour for start in starts) or len({start.date() for start in starts}) < len(starts)
    return Bucket.HOUR if is_hourly else Bucket.DAY


def _draw_totals(diagnosis: Diagnosis) -> None:
    overall = diagnosis.overall
    of_what = f"of {overall.judged:,} judged, {format_count(len(diagnosis.fingerprints), 'signature')}"
    with st.grid(5, min_column_width=LEAST_CARD_PIXELS, gap="small"):
        draw_card("Failure rate", format_share(overall.value), _word_interval(diagnosis))
        draw_card("Failures", f"{overall.failed:,}", of_what)
        _draw_waste(diagnosis)


def _draw_waste(diagnosis: Diagnosis) -> None:
    waste = diagnosis.waste
    if not waste.attempts:  # Imported items alone: no call was made for them here.
        for label in ("Calls for failed items", "Time wasted", "Cost wasted"):
            draw_card(label, NOTHING, "not applicable")
        return
    draw_card("Calls for failed items", f"{waste.failed_attempts:,}", f"of {waste.attempts:,} calls")
    share = _share(waste.wasted_seconds, waste.duration_seconds)
    draw_card("Time wasted", format_duration(waste.wasted_seconds), f"{share} of all call time")
    charged = "simulated" if diagnosis.simulated else f"of {format_money(waste.cost_usd)}"
    share = _share(waste.wasted_usd, waste.cost_usd)
    draw_card("Cost wasted", format_money(waste.wasted_usd), f"{share}, {charged}")


def _draw_first_charts(diagnosis: Diagnosis) -> None:
    with st.grid(3, min_column_width=LEAST_CHART_PIXELS, gap="small"):
        _draw_parts(diagnosis, "By stop reason", SignaturePart.STOP_REASON, color=REPLY_COLOR)
        _draw_parts(diagnosis, "By pattern", SignaturePart.PATTERN)
        _draw_timeline(diagnosis)


def _draw_timeline(diagnosis: Diagnosis) -> None:
    with _card("Over time", "Failure rate with its 95 % interval; triangles mark the start of a batch."):
        bucket = choose_bucket(diagnosis)
        marks: list[dict[str, str]] = [mark_time(row.start, bucket) for row in diagnosis.timeline]
        batches = [{BATCH: str(batch.id)} for batch in diagnosis.batches]
        draw_clickable(
            draw_timeline(diagnosis.timeline, bucket, diagnosis.batches, st.context.timezone),
            key="timeline",
            alt=describe_timeline(diagnosis.timeline),
            find_mark=lambda curve, point: {2: marks, 3: batches}.get(curve, [{}] * (point + 1))[point],
        )


def _draw_parts(diagnosis: Diagnosis, title: str, part: SignaturePart, *, color: str = FAILURE_COLOR) -> None:
    ranked = rank_parts(diagnosis, part)
    rest = len(ranked) - MOST_BARS
    with _card(
        title + (f" :gray[· {rest} rarer under By dimension]" if rest > 0 else ""), "Failed share of all judged items."
    ):
        shown = ranked[:MOST_BARS]
        marks = [mark_part(part, row) for row in shown]
        draw_clickable_rates(title, shown, marks, key=f"by_{PART_PARAMETERS[part]}", color=color)


def _draw_clean(diagnosis: Diagnosis) -> None:
    overall = diagnosis.overall
    most = f" With {format_count(overall.judged, 'item')} the true rate may still be up to {format_share(overall.high)}."
    st.success(f"**Nothing failed with these filters.**{most}", icon=":material/check_circle:")


def _choose_view(report: DiagnosisReport) -> View:
    chosen = read_choice(VIEW, View) or View.SUSPECTS
    key = "analytics_view"
    if st.session_state.get(key) != chosen:
        st.session_state[key] = chosen
    more = len(report.findings) - 1

    def label(view: object) -> str:
        name = VIEW_LABELS[View(str(view))]
        return f"{name} ({more} more)" if view == View.SUSPECTS and more > 0 else name

    def write() -> None:
        view = st.session_state[key]
        change_link({VIEW: None if view == View.SUSPECTS else view}, keep_page=True)

    st.segmented_control(
        "View", list(View), format_func=label, required=True, key=key, on_change=write, label_visibility="collapsed"
    )
    return chosen


def is_filtered(link: Mapping[str, str]) -> bool:
    """Say whether the link has any filter."""
    return any(link.get(name) for name in NAMES)


def _card(title: str, help_text: str) -> DeltaGenerator:
    container = st.container(border=True, gap="xxsmall", height="stretch")
    container.markdown(f"**{title}**", help=help_text)
    return container


def _word_interval(diagnosis: Diagnosis) -> str:
    low, high = diagnosis.overall.low, diagnosis.overall.high
    return NOTHING if low is None or high is None else f"likely {format_percent_range(low, high)}"


def _share(part: float, whole: float) -> str:
    return format_share(part / whole if whole else None)
