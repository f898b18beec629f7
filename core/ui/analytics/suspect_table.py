"""Suspects: the likely causes, each in a sentence with what to do next, and the table of every comparison."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.batch import BatchId
from core.domain.batches.results import FailureFilters
from core.domain.diagnosis.diagnosis import Diagnosis, Dimension
from core.domain.diagnosis.findings import (
    Finding,
    Lead,
    NextStep,
    StepKind,
    describe_lead,
    format_failure_rate,
    format_p,
)
from core.domain.diagnosis.suspects import Suspect, SuspectReport, SuspectStatus
from core.services.choice_links import encode_choices
from core.services.diagnostics import DiagnosisReport
from core.services.more_items import choose_more, choose_settings
from core.ui.analytics.experiment_question import ask_experiment
from core.ui.analytics.links import mark_suspect
from core.ui.shell.cached_reads import load_choices
from core.ui.shell.failure_filters import read_mark, show_failures
from core.ui.shell.formats import NOTHING, escape_markdown, format_count, format_share
from core.ui.shell.links import BATCH, open_batch, open_batch_list, open_choices, open_scaffolding, open_template
from core.ui.shell.session import find_settings
from core.ui.shell.status import BadgeColor
from core.ui.shell.tables import RowButton, draw_table

MOST_SUSPECTS = 60
STATUSES: dict[SuspectStatus, tuple[str, BadgeColor]] = {
    SuspectStatus.NAMED: ("Likely cause", "red"),
    SuspectStatus.EXPLAINED: ("Explained by it", "yellow"),
    SuspectStatus.UNPROVEN: ("Could be chance", "gray"),
    SuspectStatus.TOO_FEW: ("Not enough data", "gray"),
}
LABELS: dict[StepKind, tuple[str, str]] = {
    StepKind.RAISE_MAX_TOKENS: ("Compare max output tokens", ":material/compare_arrows:"),
    StepKind.COMPARE_STRUCTURED_OUTPUT: ("Compare structured output", ":material/compare_arrows:"),
    StepKind.CHANGE_EFFORT: ("Compare effort", ":material/compare_arrows:"),
    StepKind.COMPARE_MODEL: ("Compare model", ":material/compare_arrows:"),
    StepKind.CHANGE_PROMPT: ("Compare template", ":material/compare_arrows:"),
    StepKind.CHECK_ESCAPING: ("Look at the template", ":material/schema:"),
    StepKind.RETRY_LATER: ("Retry the failed items", ":material/replay:"),
    StepKind.REPORT_TO_PROVIDER: ("Request ids", ":material/outgoing_mail:"),
}


def draw_finding(services: PageServices, finding: Finding, report: DiagnosisReport, number: int) -> None:
    """Draw a likely cause: what was found, and below it what to do next, the likeliest remedy first."""
    with st.container(border=True, gap="xsmall"):
        st.markdown(
            f":material/troubleshoot: **{escape_markdown(finding.headline)}** {escape_markdown(finding.explanation)}"
        )
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            mark = mark_suspect(finding.suspect, report.diagnosis)
            st.button(
                "Show these failures",
                key=f"finding_{number}",
                icon=":material/list:",
                type="primary" if number == 0 else "secondary",
                disabled=not mark,
                on_click=show_failures,
                args=(mark,),
            )
            for step in finding.next_steps:
                if step.kind is StepKind.CHANGE_PROMPT and not _has_other_template(services, read_mark(mark)):
                    _draw_new_version(finding, report, number)
                else:
                    _draw_step(step, finding, report, number)
            _draw_details(finding.figures, key=f"figures_{number}")


def _has_other_template(services: PageServices, group: FailureFilters) -> bool:
    choices = load_choices(services, services.user_email)
    return choices.has_other_template(arc_id=group.emotional_arc_id, template_id=group.template_id)


def draw_unnamed(services: PageServices, report: DiagnosisReport) -> None:
    """Say that no setting is a likely cause, and what that means."""
    suspects = report.suspects
    lead = describe_lead(suspects)
    advice = "Few failures prove nothing: generate more items, or look at the failure signatures below."
    st.info(
        f"**No single cause stands out.** {format_count(suspects.failed, 'failure')} of "
        f"{format_count(suspects.judged, 'judged item')}; no setting clearly fails more often. "
        f"{advice if lead is None else escape_markdown(lead.sentence)}",
        icon=":material/balance:",
    )
    if lead is not None:
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            _draw_more(services, report, lead)
            _draw_details(lead.figures, key="figures_of_lead")


def _draw_more(services: PageServices, report: DiagnosisReport, lead: Lead) -> None:
    """Draw the button that leads to the generator with the lead's items chosen, where such items can be made."""
    mark = mark_suspect(lead.suspect, report.diagnosis)
    if lead.more_items is None or not mark or BATCH in mark:
        return
    choices, group = load_choices(services, services.user_email), read_mark({**st.query_params.to_dict(), **mark})
    selection = choose_more(choices, group, lead.more_items)
    if selection is None:
        return
    few = "" if selection.planned >= lead.more_items else " A batch holds each combination once: generate it again then."
    if st.button(
        f"Generate {selection.planned:,} more of these",
        icon=":material/bolt:",
        type="primary",
        key="more_items",
        help=f"Not enough data: generate about {lead.more_items:,} more.{few}",
    ):
        defaults = find_settings().batch_defaults
        open_choices(encode_choices(choices, selection, choose_settings(group, defaults), defaults))


def draw_suspect_table(suspects: SuspectReport, diagnosis: Diagnosis) -> None:
    """Draw every comparison, worst first, each with a button that shows its failures; the figures of the tests below."""
    shown = suspects.suspects[:MOST_SUSPECTS]
    st.caption(
        "*Likely cause*: clearly fails more often, and nothing stronger explains it. *Explained by it*: fails more often "
        "only because of a likely cause."
    )

    def show(row: int) -> None:
        show_failures(mark_suspect(shown[row], diagnosis))

    rates = "; ".join(f"{each.label} {format_failure_rate(each.rate)}" for each in shown[:5])
    alt = f"{format_count(len(shown), 'suspect')}, worst first: {rates}"
    rows = [_make_row(each, diagnosis) for each in shown]
    draw_table(rows, _configure_columns(), key="suspects", alt=alt, buttons={"open": RowButton(show, width=95)})
    with st.expander("Details: intervals and p-values", icon=":material/functions:"):
        st.caption(
            f"{format_count(suspects.compared, 'comparison')} by Fisher's exact test, p-values corrected by Holm's method; "
            "95 % intervals."
        )
        figures = [_make_figures_row(each) for each in shown]
        draw_table(figures, _configure_figures(), key="suspect_figures", alt=alt, file_name="suspects")


def _draw_details(figures: str, *, key: str) -> None:
    with st.popover("Details", icon=":material/functions:", type="tertiary", key=key):
        st.text(figures)


def _draw_step(step: NextStep, finding: Finding, report: DiagnosisReport, number: int) -> None:
    label, icon = LABELS[step.kind]
    key = f"step_{number}_{step.kind}"
    help_text = escape_markdown(step.text)
    if step.kind is StepKind.REPORT_TO_PROVIDER:
        with st.popover(label, icon=icon, key=key, help="For a report to the provider, if the failures persist"):
            st.markdown("If the failures persist, report them to the provider with these request ids:")
            st.code("\n".join(finding.evidence.request_ids), language=None)
        return
    if not st.button(label, icon=icon, key=key, help=help_text):
        return
    match step.kind:
        case StepKind.CHECK_ESCAPING:
            _open_template(finding.suspect, report.diagnosis)
        case StepKind.RETRY_LATER:
            _open_batch(finding.suspect, report.diagnosis)
        case _:
            ask_experiment(step.kind, mark_suspect(finding.suspect, report.diagnosis), finding.suspect.label)


def _draw_new_version(finding: Finding, report: DiagnosisReport, number: int) -> None:
    """Draw the way to the template where there is no other one to compare it with."""
    if st.button(
        "Write another template version",
        icon=":material/edit_note:",
        key=f"step_{number}_new_version",
        help="These items have one active template. With a second version both can be compared.",
    ):
        _open_template(finding.suspect, report.diagnosis)


def _open_template(suspect: Suspect, diagnosis: Diagnosis) -> None:
    """Go to the suspect's template, or to the one that fails most often."""
    names = {name.value for name in (*suspect.names, *suspect.parts) if name.field == Dimension.TEMPLATE}
    rows = diagnosis.list_rates(Dimension.TEMPLATE)
    chosen = next((row for row in rows if row.label in names), rows[0] if rows else None)
    if chosen is not None and chosen.key is not None:
        open_template(chosen.key)
    open_scaffolding()


def _open_batch(suspect: Suspect, diagnosis: Diagnosis) -> None:
    """Go to the newest batch with failures, whose page can retry them."""
    names = {name.value for name in suspect.names if name.field == Dimension.BATCH}
    failed = [row for row in diagnosis.list_rates(Dimension.BATCH) if row.rate.failed and row.key is not None]
    found = {row.key for row in failed if not names or row.label in names}
    for batch in diagnosis.batches:
        if str(batch.id) in found:
            open_batch(BatchId(batch.id))
    open_batch_list()


def _make_row(suspect: Suspect, diagnosis: Diagnosis) -> dict[str, Any]:
    rate, rest = suspect.rate, suspect.rest
    return {
        "suspect": suspect.label,
        "status": [STATUSES[suspect.status][0]],
        "failed": f"{rate.failed:,} of {rate.judged:,}",
        "rate": format_share(rate.value),
        "rest": format_share(rest.value),
        "why": NOTHING if suspect.explained_by is None else suspect.explained_by.label,
        "open": ":material/list: Failures" if mark_suspect(suspect, diagnosis) else None,
    }


def _configure_columns() -> dict[str, Any]:
    column = st.column_config
    words: Sequence[str] = list(dict.fromkeys(word for word, _ in STATUSES.values()))
    return {
        "suspect": column.TextColumn("Suspect", width=490),
        "status": column.MultiselectColumn(
            "Status", options=words, color=[color for _, color in STATUSES.values()], width=130
        ),
        "failed": column.TextColumn("Failed of judged", width=125, alignment="right"),
        "rate": column.TextColumn("Fails here", width=90, alignment="right"),
        "rest": column.TextColumn("Elsewhere", width=90, alignment="right"),
        "why": column.TextColumn("Explained by", width=170),
    }


def _make_figures_row(suspect: Suspect) -> dict[str, Any]:
    return {
        "suspect": suspect.label,
        "rate": format_failure_rate(suspect.rate),
        "rest": format_failure_rate(suspect.rest),
        "difference": _format_difference(suspect),
        "lift": NOTHING if suspect.lift is None else f"× {suspect.lift:.1f}",
        "p": format_p(suspect.p_value),
        "p_corrected": format_p(suspect.p_corrected) if suspect.status is not SuspectStatus.TOO_FEW else NOTHING,
    }


def _format_difference(suspect: Suspect) -> str:
    if suspect.difference is None:
        return NOTHING
    points = [f"{100 * share:+.0f}" for share in (suspect.difference, suspect.difference_low, suspect.difference_high)]
    return f"{points[0]} ({points[1]} to {points[2]})"


def _configure_figures() -> dict[str, Any]:
    column = st.column_config
    return {
        "suspect": column.TextColumn("Suspect", width=380),
        "rate": column.TextColumn("Fails here", width=140),
        "rest": column.TextColumn("Elsewhere", width=140),
        "difference": column.TextColumn("Difference", width=130, help="In percentage points: here minus elsewhere"),
        "lift": column.TextColumn("Ratio", width=70, help="The rate here divided by the rate elsewhere"),
        "p": column.TextColumn("p", width=90),
        "p_corrected": column.TextColumn("p, corrected", width=100),
    }
