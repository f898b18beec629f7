"""Upload of an existing data set: it is judged and stored as an imported batch, with links to its diagnosis."""

from collections.abc import Sequence

import streamlit as st

from core.adapters.files.dataset_files import UploadedFile
from core.bootstrap import PageServices
from core.domain.batches.batch import BatchId
from core.domain.percentages import format_percent
from core.domain.verdict.limits import MEGABYTE
from core.errors import BrightRunError
from core.services.importing import ImportReport
from core.ui.shell.cached_reads import load_result_options
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.links import open_analytics, open_batch, open_failures
from core.ui.shell.tables import draw_table

OPEN, REPORT = "import_dialog_open", "import_report"
"""Session state: whether the dialog is open, and the result of its import."""
DROPPED = "import_dropped"
"""Session state: how often files were dropped because they were too much together."""
FILE_TYPES = ("json", "jsonl", "ndjson", "csv", "tsv", "parquet", "gz")
MOST_MEGABYTES = 100
"""Of one file (`.streamlit/config.toml` holds the server to it) and of all together: the page holds them in memory.

Larger ones go by `brightrun import`, which reads them in pieces.
"""
LONGEST_NAME = 200


def draw_import(services: PageServices) -> None:
    """Draw the button that opens the dialog, and the dialog while it is open."""
    help_text = "Judge existing conversations to find out which are damaged, and why"
    if st.button("Import data set", icon=":material/upload_file:", help=help_text, key="import_open"):
        st.session_state[OPEN] = True
    if st.session_state.get(OPEN):
        _draw_dialog(services)


def _close() -> None:
    st.session_state.pop(OPEN, None)
    st.session_state.pop(DROPPED, None)
    st.session_state.pop(REPORT, None)


@st.dialog("Import a data set", width="large", icon=":material/upload_file:", on_dismiss=_close)
def _draw_dialog(services: PageServices) -> None:
    report: ImportReport | None = st.session_state.get(REPORT)
    if report is None:
        _draw_form(services)
    else:
        _draw_report(report)


def _draw_form(services: PageServices) -> None:
    st.caption(
        "Chat messages, prompts with completions, preferences, exports or raw replies, as JSON, JSON Lines, CSV or Parquet. "
        "Every conversation is judged like a reply of Claude. Failed ones can then be diagnosed; accepted ones are only "
        "counted, and never exported."
    )
    dropped: int = st.session_state.get(DROPPED, 0)
    uploaded = st.file_uploader(
        f"Files, {MOST_MEGABYTES} MB together at most",
        type=FILE_TYPES,
        accept_multiple_files=True,
        max_upload_size=MOST_MEGABYTES,
        key=f"import_files_{dropped}",
    )
    if sum(each.size for each in uploaded) > MOST_MEGABYTES * MEGABYTE:
        # Another uploader takes its place, and Streamlit forgets the files of this one.
        st.session_state[DROPPED] = dropped + 1
        st.rerun()
    if dropped and not uploaded:
        st.error(
            f"Those files had more than {MOST_MEGABYTES} MB together and were dropped. Import them one after the other, or "
            "with `brightrun import`.",
            icon=":material/error:",
        )
    name = st.text_input("Name", max_chars=LONGEST_NAME, key="import_name", placeholder="Imported: name of the first file")
    files = [UploadedFile(name=each.name[-LONGEST_NAME:], content=each.getvalue()) for each in uploaded]
    label = f"Import {format_count(len(files), 'file')}" if files else "Import"
    if st.button(label, type="primary", icon=":material/upload:", disabled=not files, key="import_run"):
        report = _run_import(services, files, name)
        if report is not None:
            st.session_state[REPORT] = report
            load_result_options.clear()  # The new batch is a new option of the filters.
            st.rerun()


def _run_import(services: PageServices, files: Sequence[UploadedFile], name: str) -> ImportReport | None:
    """Import while a bar shows how far it is; an error stays in the dialog, above what was chosen."""
    total = max(sum(file.size for file in files), 1)
    bar = st.progress(0.0, text="Reading and judging …")
    shown = 0.0

    def advance(done: int) -> None:
        nonlocal shown
        share = min(done / total, 1.0)
        if share - shown >= 0.01:  # noqa: PLR2004 - a percent: more often would only be slower
            shown = share
            bar.progress(share, text=f"Reading and judging … {format_percent(share)}")

    try:
        return services.imports.import_files(files, name=name, on_progress=advance)
    except BrightRunError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return None
    finally:
        bar.empty()


def _draw_report(report: ImportReport) -> None:
    if report.batch_id is not None:
        _draw_counts(report)
    for batch_id, batch_name in {known.batch_id: known.batch_name for known in report.known}.items():
        _draw_known(report, batch_id, batch_name)
    if report.unreadable:
        _draw_problems(report)
    if report.strangers is not None:
        st.info(f"There are {escape_markdown(report.strangers)}, with `brightrun import`.", icon=":material/person_search:")
    with st.container(horizontal=True, horizontal_alignment="right"):
        if st.button("Import more", icon=":material/upload_file:", key="import_again"):
            del st.session_state[REPORT]
            st.rerun()
        target = report.batch_id or (report.known[0].batch_id if report.known else None)
        if target is not None:
            _draw_way_on(report, target)


def _draw_way_on(report: ImportReport, batch_id: BatchId) -> None:
    """Link to the diagnosis if something failed, else to the batch."""
    if report.batch_id is not None and not report.flagged:
        if st.button("Open the batch", type="primary", icon=":material/monitoring:", key="import_batch"):
            _close()
            open_batch(batch_id)
        return
    if st.button("List the failures", icon=":material/error:", key="import_failures"):
        _close()
        open_failures(batch_id)
    if st.button("Find out why", type="primary", icon=":material/troubleshoot:", key="import_analytics"):
        _close()
        open_analytics(batch_id)


def _draw_counts(report: ImportReport) -> None:
    read, accepted, flagged = st.columns(3, gap="small")
    read.metric("Conversations", f"{report.conversations:,}", border=True)
    accepted.metric("Accepted", f"{report.conversations - report.flagged:,}", border=True)
    flagged.metric("Flagged", f"{report.flagged:,}", border=True)
    unjudged = [f"{count:,} {name}" for name, count in report.not_judged.items()]
    unjudged += [f"{report.rejected:,} rejected replies"] if report.rejected else []
    beside = f" · not judged: {', '.join(unjudged)}" if unjudged else ""
    st.caption(escape_markdown(f"{report.name} · {format_count(report.turns, 'turn')}{beside}"))
    if not report.flagged:
        st.success("No conversation is cut off, damaged or malformed.", icon=":material/check_circle:")
        return
    column = st.column_config
    draw_table(
        [
            {"pattern": pattern, "count": count, "share": format_percent(count / report.conversations)}
            for pattern, count in report.patterns
        ],
        {
            "pattern": column.TextColumn("What is wrong"),
            "count": column.NumberColumn("Conversations", format="localized", width=120),
            "share": column.TextColumn("Of all", width=100, alignment="right"),
        },
        key="import_patterns",
        alt=f"{format_count(len(report.patterns), 'pattern')} of flagged conversations, most frequent first",
    )


def _draw_known(report: ImportReport, batch_id: BatchId, batch_name: str) -> None:
    count = sum(known.batch_id == batch_id for known in report.known)
    files = "One file was" if count == 1 else f"{count} files were"
    st.info(
        f"{files} imported before, with the same content, and not again: **{escape_markdown(batch_name)}**",
        icon=":material/content_copy:",
    )


def _draw_problems(report: ImportReport) -> None:
    st.warning(f"{format_count(report.unreadable, 'record')} could not be read.", icon=":material/warning:")
    draw_table(
        [{"file": each.file, "place": each.place, "reason": each.reason} for each in report.problems],
        {
            "file": st.column_config.TextColumn("File", width=200),
            "place": st.column_config.TextColumn("Where", width=100),
            "reason": st.column_config.TextColumn("Why"),
        },
        key="import_problems",
        alt=f"{len(report.problems)} records that could not be read",
        file_name="unreadable-records",
    )
