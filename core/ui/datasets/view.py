"""One data set (`?dataset=ID`): how far its plan is, cell by cell, its batches, its frozen versions."""

from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.amounts import format_duration, format_money
from core.domain.batches.estimate import Estimate
from core.domain.datasets.plans import Dataset, DatasetBatch, DatasetDetail, DatasetId
from core.services.batches import estimate_settings
from core.ui.datasets.grid import draw_grid
from core.ui.datasets.questions import Question, ask, draw_question
from core.ui.datasets.review_queue import open_review
from core.ui.datasets.versions import draw_versions
from core.ui.shell.cached_reads import find_own_history
from core.ui.shell.formats import NOTHING, escape_markdown, format_count
from core.ui.shell.links import open_batch, open_dataset_list
from core.ui.shell.page import draw_card, draw_header
from core.ui.shell.review_undo import count_undoable, undo
from core.ui.shell.session import find_settings, report_errors
from core.ui.shell.status import find_status_look
from core.ui.shell.tables import RowButton, age_column, draw_table

REFRESH_SECONDS, LEAST_CARD_PIXELS = 3, 180


def draw_dataset(services: PageServices, dataset_id: UUID) -> None:
    """Draw the data set, refreshed while something of it is being generated; raise NotFound."""
    detail = services.datasets.describe(DatasetId(dataset_id))
    dataset = detail.dataset
    is_filling = dataset.open > 0
    fresh = [detail]  # The first drawing uses what this run has read; each refresh reads again.

    def draw() -> None:
        with report_errors():
            detail = fresh.pop() if fresh else services.datasets.describe(dataset.id)
            now = detail.dataset
            _draw_progress(services, now)
            draw_grid(services, detail)
            _draw_lower_half(services, now, detail)
            if is_filling and not now.open:
                st.rerun()  # A full rerun ends the refreshing.

    st.fragment(draw, run_every=REFRESH_SECONDS if is_filling else None)()
    draw_question(services, dataset, detail.versions)


def _draw_progress(services: PageServices, dataset: Dataset) -> None:
    with draw_header(escape_markdown(dataset.name)):
        st.space("stretch")
        _draw_actions(services, dataset)
    st.progress(dataset.filled / dataset.planned, text=_describe_progress(dataset))
    estimate = estimate_rest(services, dataset)
    to_do = f"{dataset.open:,} being generated" if dataset.open else format_count(dataset.combinations, "combination")
    figures = (
        ("Planned", f"{dataset.planned:,}", to_do),
        ("Approved", f"{dataset.approved:,}", "by a reviewer"),
        ("To review", f"{dataset.awaiting_review:,}", f"of {dataset.accepted:,} accepted"),
        ("Rejected", f"{dataset.rejected:,}", "by a reviewer"),
        ("Failed", f"{dataset.failed:,}", "items of its batches"),
        ("To generate", f"{dataset.to_generate:,}", describe_estimate(estimate) if estimate else NOTHING),
    )
    with st.grid(6, min_column_width=LEAST_CARD_PIXELS, gap="small"):
        for label, value, note in figures:
            draw_card(label, value, note)


def estimate_rest(services: PageServices, dataset: Dataset) -> Estimate | None:
    """Return what the rest of the plan will take with the configured settings; None where nothing is missing."""
    if not dataset.to_generate:
        return None
    settings = find_settings().batch_defaults
    return estimate_settings(dataset.to_generate, settings, find_own_history(services, settings.model))


def describe_estimate(estimate: Estimate) -> str:
    """Return expected time and cost in a few words."""
    return f"~{format_duration(estimate.seconds)}, {format_money(estimate.cost_usd)}"


def _describe_progress(dataset: Dataset) -> str:
    parts = [f"**{dataset.filled:,} of {dataset.planned:,}** {dataset.counted}"]
    if dataset.awaiting_review and dataset.missing:
        parts.append(f"{dataset.awaiting_review:,} to review")
    if dataset.open:
        parts.append(f"{dataset.open:,} being generated")
    if dataset.to_generate:
        parts.append(f"{dataset.to_generate:,} to generate")
    if not dataset.missing:
        parts.append("the plan is full")
    return " · ".join(parts)


def _draw_actions(services: PageServices, dataset: Dataset) -> None:
    """Draw all actions always, so that none moves under the pointer (undo comes before them); the next one stands out."""
    next_step = _find_next_step(dataset)
    if undoable := count_undoable(dataset.id):
        label = f"Undo {format_count(undoable, 'review')}"
        st.button(label, icon=":material/undo:", key="dataset_undo", on_click=undo, args=(services,))

    def draw(label: str, icon: str, question: Question, *, enabled: bool, help_text: str) -> None:
        kind = "primary" if question is next_step else "secondary"
        if st.button(label, icon=icon, type=kind, disabled=not enabled, help=help_text, key=f"dataset_{question}"):
            ask(question, dataset.id)

    missing = format_count(dataset.to_generate, "conversation")
    draw("Top up", ":material/bolt:", Question.TOP_UP, enabled=dataset.to_generate > 0, help_text=f"Generate {missing}")
    if st.button(
        "Review",
        icon=":material/rate_review:",
        type="primary" if next_step is None else "secondary",
        disabled=not dataset.awaiting_review,
        help="Read and review what waits, one after the other",
        key="dataset_review",
    ):
        open_review(services, dataset.id)
    draw(
        "Sample",
        ":material/casino:",
        Question.SAMPLE,
        enabled=dataset.accepted > 0,
        help_text="Read and review a few that are drawn by chance",
    )
    draw(
        "Approve all",
        ":material/done_all:",
        Question.APPROVE,
        enabled=dataset.awaiting_review > 0,
        help_text="Approves, read or not, what the verdict accepts once more",
    )
    draw(
        "Freeze",
        ":material/ac_unit:",
        Question.FREEZE,
        enabled=dataset.accepted > 0,
        help_text="Makes a version that never changes",
    )
    draw("Delete", ":material/delete:", Question.DELETE, enabled=True, help_text="Asks first")
    if st.button("All data sets", icon=":material/list:", type="tertiary"):
        open_dataset_list()


def _find_next_step(dataset: Dataset) -> Question | None:
    """Return what brings the data set on; None: to review."""
    if dataset.to_generate:
        return Question.TOP_UP
    return None if dataset.missing and dataset.awaiting_review else Question.FREEZE


def _draw_lower_half(services: PageServices, dataset: Dataset, detail: DatasetDetail) -> None:
    left, right = st.columns([5, 7], gap="small")
    with left:
        _draw_batches(detail.batches)
    with right:
        draw_versions(services, dataset, detail.versions)


def _draw_batches(batches: tuple[DatasetBatch, ...]) -> None:
    def open_chosen(row: int) -> None:
        open_batch(batches[row].id)

    st.markdown("**Batches** :gray[· top-ups and their retries]")
    if not batches:
        st.caption("None yet. Top up generates what the plan misses.")
        return
    looks = {batch.status: find_status_look(batch.status).color for batch in batches}
    column = st.column_config
    draw_table(
        [
            {
                "open": ":material/open_in_full: Open",
                "name": batch.name,
                "status": [batch.status.value],
                "at": batch.created_at,
            }
            for batch in batches
        ],
        {
            "name": column.TextColumn("Batch", width=210),
            "status": column.MultiselectColumn("Status", options=list(looks), color=list(looks.values()), width=100),
            "at": age_column("Submitted"),
        },
        key="dataset_batches",
        alt=f"{format_count(len(batches), 'batch', 'batches')}, newest first",
        buttons={"open": RowButton(open_chosen, width=80)},
    )
