"""The table of failed generations: View opens the report, RAW downloads it."""

import base64
import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import streamlit as st

from core.bootstrap import PageServices
from core.domain.batches.results import FailureRow
from core.domain.diagnosis.plain_names import name_failure_type, name_pattern, name_stop_reason
from core.domain.verdict.verdict import FailureType
from core.services.failures import get_report
from core.ui.shell.formats import NOTHING, format_count
from core.ui.shell.link_state import change_link
from core.ui.shell.status import BadgeColor
from core.ui.shell.tables import RowButton, draw_table, mark_simulated, simulated_column

FAILURE = "failure"
VIEW, RAW = ":material/visibility: View", ":material/download: RAW"
RAW_WANTED = "raw_report_wanted"
TYPE_COLORS: dict[FailureType, BadgeColor] = {
    FailureType.TRUNCATION: "red",
    FailureType.PARSE_ERROR: "orange",
    FailureType.VALIDATION_ERROR: "yellow",
    FailureType.API_ERROR: "gray",
    FailureType.REFUSAL: "violet",
    FailureType.CORRUPTION: "blue",
}


def draw_failure_table(rows: Sequence[FailureRow]) -> None:
    """Draw a page of failures, with two buttons each."""

    def view(row: int) -> None:
        change_link({FAILURE: str(rows[row].id)}, keep_page=True)

    def want_raw(row: int) -> None:
        st.session_state[RAW_WANTED] = rows[row].id

    draw_table(
        [_make_row(row) for row in rows],
        _configure_columns(),
        key="failure_table",
        alt=f"{format_count(len(rows), 'failed generation')}, newest first",
        file_name="failed-generations",
        buttons={"view": RowButton(view, width=70), "raw": RowButton(want_raw, width=67)},
    )


def send_wanted_report(services: PageServices) -> None:
    """Hand the report that RAW was pressed for to the browser.

    A button in a table cannot be a download, so the browser is told to save what it is sent. The file goes as base64, so
    none of its text can become part of the script.
    """
    failure_id: UUID | None = st.session_state.pop(RAW_WANTED, None)
    if failure_id is None:
        return
    name, content = name_report(failure_id), base64.b64encode(make_report_file(services, failure_id)).decode()
    st.html(
        f"""<script>
        {{
        const bytes = Uint8Array.from(atob("{content}"), (character) => character.charCodeAt(0));
        const link = document.createElement("a");
        link.href = URL.createObjectURL(new Blob([bytes], {{ type: "application/json" }}));
        link.download = "{name}";
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60000);
        }}
        // {uuid4()}: a script that is the same as the last one would not run again
        </script>""",
        unsafe_allow_javascript=True,
    )


def name_report(failure_id: UUID) -> str:
    """Return the file name of a RAW error report."""
    return f"failed-generation-{failure_id}.json"


def make_report_file(services: PageServices, failure_id: UUID) -> bytes:
    """Return the RAW error report as a file to save."""
    return json.dumps(get_report(services.failures, failure_id), indent=2, ensure_ascii=False).encode()


def _make_row(row: FailureRow) -> dict[str, Any]:
    used = NOTHING if row.output_tokens is None else f"{row.output_tokens:,}"
    return {
        "created": row.created_at,
        "type": [name_failure_type(row.failure_type)],
        "stop_reason": name_stop_reason(row.stop_reason),
        "pattern": name_pattern(row.truncation_pattern),
        "tokens": f"{used} / {NOTHING if row.max_tokens is None else f'{row.max_tokens:,}'}",
        "persona": row.persona,
        "arc": row.arc,
        "topic": row.topic,
        "batch": row.batch_name,
        "data": mark_simulated(simulated=row.simulated),
        "view": VIEW,
        "raw": RAW,
    }


def _configure_columns() -> dict[str, Any]:
    column, types = st.column_config, [name_failure_type(code) for code in TYPE_COLORS]
    return {
        "created": column.DatetimeColumn("Date", format="D MMM YY, HH:mm", timezone=st.context.timezone, width=115),
        "type": column.MultiselectColumn("Type", options=types, color=list(TYPE_COLORS.values()), width=105),
        "stop_reason": column.TextColumn("Stop reason", width=122),
        "pattern": column.TextColumn("Pattern", width=132),
        "tokens": column.TextColumn("Tokens / max", width=97, alignment="right", help="Output tokens and max output tokens"),
        "persona": column.TextColumn("Persona", width=105),
        "arc": column.TextColumn("Arc", width=125),
        "topic": column.TextColumn("Topic", width=115),
        "batch": column.TextColumn("Batch", width=80),
        "data": simulated_column(),
    }
