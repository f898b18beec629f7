"""The dialog with everything about one failed generation.

What Claude wrote, and every message, is shown as code or text, never as markdown or HTML.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.amounts import format_money
from core.domain.batches.results import FailureFilters
from core.domain.diagnosis.error_report import FailedGeneration, FailureMaterial, FailureOrigin, build_report
from core.domain.diagnosis.plain_names import name_call_end, name_failure_type, name_pattern, name_stop_reason
from core.domain.paging import RowPlace
from core.domain.percentages import format_percent
from core.domain.verdict.cut_place import locate_cut
from core.domain.verdict.verdict import FailureType
from core.errors import NotFound
from core.ui.failures.table import FAILURE, TYPE_COLORS, make_report_file, name_report
from core.ui.shell.facts import draw_facts
from core.ui.shell.formats import NOTHING, escape_markdown, format_count, format_time
from core.ui.shell.link_state import change_link, read_uuid
from core.ui.shell.page import draw_imported_badge, draw_simulated_badge, draw_text_badge
from core.ui.shell.session import report_errors
from core.ui.shell.tables import draw_table

CUT_MARK = "✂ ───── cut here ───── ✂"
TEXT_PIXELS = 300
CONTENT_OF_TYPES_WITH_A_CUT = {FailureType.TRUNCATION, FailureType.PARSE_ERROR}


def open_linked_report(services: PageServices, filters: FailureFilters) -> None:
    """Open the dialog of `?failure=ID`; say so where there is no such failure."""
    failure_id = read_uuid(FAILURE)
    if failure_id is None:
        return
    try:
        fresh = [services.failures.get(failure_id)]
    except NotFound as error:
        st.warning(escape_markdown(str(error)), icon=":material/link_off:")
        return
    _draw_dialog(services, filters, fresh)


def _open(failure_id: UUID | None) -> None:
    change_link({FAILURE: None if failure_id is None else str(failure_id)}, keep_page=True)


@st.dialog("Failed generation", width="large", icon=":material/error:", on_dismiss=partial(_open, None))
def _draw_dialog(services: PageServices, filters: FailureFilters, fresh: list[FailureMaterial]) -> None:
    """Draw the failure of the link: the one that was read before, else, within the dialog, its neighbour."""
    with report_errors():
        failure_id = read_uuid(FAILURE)
        if failure_id is None:  # Closed meanwhile.
            return
        material = fresh.pop() if fresh else services.failures.get(failure_id)
        row = material.failure
        report = build_report(material)
        # Another failure is another container: its texts begin at their top.
        with st.container(key=f"report_{failure_id}"):
            _draw_neighbours(services.failures.find_place(failure_id, filters))
            _draw_summary(services, row)
            figures, analysis = st.columns([5, 7], gap="small")
            with figures:
                _draw_tokens(row, report)
            with analysis:
                _draw_analysis(report)
            _draw_details(row, report)
            _draw_parts(material, report)


def _draw_neighbours(place: RowPlace) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for label, icon, neighbour in (
            ("Previous", ":material/chevron_left:", place.newer_id),
            ("Next", ":material/chevron_right:", place.older_id),
        ):
            key = f"report_{label.lower()}"
            st.button(label, icon=icon, key=key, disabled=neighbour is None, on_click=_open, args=(neighbour,))
        if place.total:
            st.caption(f"{place.newer + 1:,} of {max(place.total, place.newer + 1):,} filtered", width="content")


def _draw_parts(material: FailureMaterial, report: dict[str, Any]) -> None:
    """All tabs are drawn, so that changing between them needs no rerun, which a quick second click could miss."""
    row = material.failure
    reply, prompt, attempts, origin = st.tabs(["Reply", "Prompt", "Attempts", "Origin"])
    with reply:
        _draw_reply(row)
    with prompt:
        _draw_prompt(row)
    with attempts:
        _draw_attempts(report["attempts"], imported=row.imported)
    with origin:
        _draw_origin(row, material.scaffolding)


def _draw_summary(services: PageServices, row: FailedGeneration) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        color = TYPE_COLORS[row.failure_type]
        draw_text_badge(name_failure_type(row.failure_type), color=color, code=row.failure_type)
        draw_text_badge(f"Stop reason: {name_stop_reason(row.stop_reason)}", color="gray", code=row.stop_reason)
        draw_text_badge(f"Pattern: {name_pattern(row.truncation_pattern)}", color="gray", code=row.truncation_pattern)
        if row.confidence:
            draw_text_badge(f"{row.confidence.capitalize()} confidence", color="gray")
        if row.simulated:
            draw_simulated_badge()
        if row.imported:
            draw_imported_badge()
        st.space("stretch")
        st.download_button(
            "Download RAW report",
            lambda: make_report_file(services, row.id),
            file_name=name_report(row.id),
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
            key="report_download",
        )
    st.caption(f"{format_time(row.created_at, st.context.timezone)} · {escape_markdown(row.model)} · {row.id}")


def _draw_tokens(row: FailedGeneration, report: dict[str, Any]) -> None:
    analysis = report["error_report"]["analysis"]
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.markdown("**Token analysis**")
        figures = st.columns(4, gap="xsmall")
        for place, label, value in zip(
            figures,
            ("Input", "Output", "Max output", "Remaining"),
            (analysis["input_tokens"], row.output_tokens, row.max_tokens, analysis["tokens_remaining"]),
            strict=True,
        ):
            place.metric(label, NOTHING if value is None else f"{value:,}")
        used = analysis["share_of_limit_used"]
        if used is None:
            st.caption("Claude did not say how many tokens it used.")
        else:
            st.progress(min(1.0, used), text=f"**{format_percent(used)}** of max output tokens used")
        if analysis["cost_usd"] is not None:
            st.caption(f"Cost of the last call: {escape_markdown(format_money(float(analysis['cost_usd'])))}")


def _draw_analysis(report: dict[str, Any]) -> None:
    found = report["error_report"]
    with st.container(border=True, gap="xsmall", height="stretch"):
        st.markdown("**Automatic analysis**")
        st.text(found["stop_reason_analysis"])
        st.markdown("**Conclusion**")
        st.info(escape_markdown(found["analysis"]["conclusion"]), icon=":material/lightbulb:")


def _draw_details(row: FailedGeneration, report: dict[str, Any]) -> None:
    said = report["error_report"]["truncation_summary"] or row.truncation_details
    messages = [text for text in (said, row.error_message) if text]
    if messages:
        st.markdown("**Error details**")
        st.code("\n\n".join(dict.fromkeys(messages)), language=None, wrap_lines=True)
    if (stack := row.error_stack) is not None:
        with st.expander("Where the error came from", icon=":material/bug_report:"):
            st.code(stack, language=None, wrap_lines=True, height=TEXT_PIXELS)


def _draw_reply(row: FailedGeneration) -> None:
    reply = row.response_content
    if not reply:
        st.caption("There is no text: the call brought no reply. See the attempts for the reason.")
        return
    if row.failure_type in CONTENT_OF_TYPES_WITH_A_CUT:
        cut = locate_cut(reply, row.turn_index)
        turn = "" if row.turn_index is None else f" in turn {row.turn_index + 1}"
        st.markdown(f"**Place of the cut**{turn} :gray[· character {cut.offset:,} of {len(reply):,}]")
        begin = "… " if cut.offset > len(cut.before) else ""
        behind = cut.behind or "(end of the reply)"
        st.code(f"{begin}{cut.before}\n{CUT_MARK}\n{behind}", language=None, wrap_lines=True)
    st.markdown("**Whole reply** :gray[· copy it with the button in its corner]")
    st.code(reply, language=None, wrap_lines=True, height=TEXT_PIXELS)


def _draw_prompt(row: FailedGeneration) -> None:
    if row.imported:
        st.caption("This conversation was imported; its prompt is not known.")
        return
    st.code(row.prompt, language=None, wrap_lines=True, height=TEXT_PIXELS)


def _draw_attempts(attempts: list[dict[str, Any]], *, imported: bool) -> None:
    if not attempts:
        st.caption(
            "This conversation was imported; no call was made for it here."
            if imported
            else "No call was made, or its record is gone."
        )
        return
    column = st.column_config
    draw_table(
        [
            {
                "number": attempt.get("attempt_number"),
                "outcome": attempt.get("outcome"),
                "stop_reason": name_call_end(attempt.get("stop_reason")),
                "status": attempt.get("http_status"),
                "tokens": attempt.get("output_tokens"),
                "limit": attempt.get("max_tokens"),
                "cost": attempt.get("cost_usd"),
                "seconds": None if attempt.get("duration_ms") is None else attempt["duration_ms"] / 1000,
                "wait": None if not attempt.get("wait_ms") else attempt["wait_ms"] / 1000,
                "request": attempt.get("request_id"),
                "message": attempt.get("error_message"),
                "started": attempt.get("started_at") and datetime.fromisoformat(attempt["started_at"]),
            }
            for attempt in attempts
        ],
        {
            "number": column.NumberColumn("Call", width=45),
            "outcome": column.TextColumn("Outcome", width=85),
            "stop_reason": column.TextColumn("Stop reason", width=135),
            "status": column.NumberColumn("HTTP", format="%d", width=55),
            "tokens": column.NumberColumn("Output tokens", format="localized", width=100),
            "limit": column.NumberColumn("Max output", format="localized", width=85),
            "cost": column.NumberColumn("Cost", format="$%.4f", width=75),
            "seconds": column.NumberColumn("Took", format="%.1f s", width=70),
            "wait": column.NumberColumn("Waited", format="%.1f s", width=70),
            "request": column.TextColumn("Request", width=150),
            "message": column.TextColumn("Message", width=180),
            "started": column.DatetimeColumn("Started", format="HH:mm:ss", width=80),
        },
        key="report_attempts",
        alt=f"{format_count(len(attempts), 'call')}, oldest first",
        file_name="attempts",
    )


def _draw_origin(row: FailedGeneration, origin: FailureOrigin) -> None:
    version = f" (version {origin.template_version})" if origin.template_version else ""
    structured = {True: "on", False: "off", None: None}[row.structured_outputs_enabled]
    source: Mapping[str, Any] = row.raw_response["imported_from"] if row.imported else {}
    facts = {
        "Persona": origin.persona_name,
        "Emotional arc": origin.arc_name,
        "Topic": origin.topic_name,
        "Category": origin.conversation_category,
        "Template": f"{origin.template_name or NOTHING}{version}",
        "Batch": origin.batch_name,
        "Batch id": row.batch_id,
        "Imported from": source.get("file"),
        "Conversation": source.get("conversation"),
        "Effort": row.effort or (None if row.imported else "Model default"),
        "Structured output": structured,
        "Prompt": None if row.imported else f"{row.prompt_length:,} characters",
        "Request id": row.request_id,
    }
    only_imported = ("Imported from", "Conversation")
    draw_facts({label: value for label, value in facts.items() if value is not None or label not in only_imported})
