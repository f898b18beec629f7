"""The plan as a grid of personas and arcs; a click on a cell shows its topics and the ways on from there."""

from collections.abc import Sequence
from itertools import groupby

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.plans import CellProgress, Dataset, DatasetBatch, DatasetDetail
from core.domain.datasets.versions import CountedStatus
from core.ui.charts.clickable_chart import draw_clickable_heatmap
from core.ui.charts.heat_map import COVERAGE_SCALE, HeatCell, describe_heatmap, draw_heatmap
from core.ui.shell.cached_reads import load_choices
from core.ui.shell.formats import escape_markdown
from core.ui.shell.links import (
    ARC,
    BATCH,
    PERSONA,
    TOPIC,
    open_combinations,
    open_dataset_conversations,
    open_filtered_failures,
)
from core.ui.shell.tables import draw_table

CHOSEN = "dataset_cell"
"""Session state: the data set and the persona and arc whose topics are shown."""
CELL_PIXELS = 40
Group = tuple[CellProgress, ...]
COUNTS = {
    "wanted": "Planned",
    "approved": "Approved",
    "accepted": "Accepted",
    "rejected": "Rejected",
    "failed": "Failed",
    "to_generate": "To generate",
}


def draw_grid(services: PageServices, detail: DatasetDetail) -> None:
    """Draw how far each persona and arc is."""
    dataset, groups = detail.dataset, group_cells(detail.cells)
    heat = [make_plan_cell(dataset, group) for group in groups]

    def choose(number: int) -> None:
        st.session_state[CHOSEN] = dataset.id, _key(groups[number])

    with st.container(border=True, gap="xsmall"):
        st.markdown(
            f"**Plan** · {_name_counts(dataset)} in each cell",
            help="Click a cell for its topics, its conversations and its failures.",
        )
        draw_clickable_heatmap(
            draw_heatmap(
                heat, highest=1.0, scale=COVERAGE_SCALE, cell_pixels=CELL_PIXELS, is_wide=True, click_opens="its topics"
            ),
            key=f"dataset_grid_{dataset.id}",
            open_cell=choose,
            alt=describe_heatmap(f"{_name_counts(dataset)} in each cell", heat),
        )
        chosen_dataset, chosen = st.session_state.get(CHOSEN, (None, None))
        group = next((each for each in groups if chosen_dataset == dataset.id and _key(each) == chosen), None)
        if group is not None:
            _draw_topics(services, dataset, detail.batches, group)


def group_cells(cells: Sequence[CellProgress]) -> list[Group]:
    """Put the cells of one persona and arc together: personas in rows, arcs in columns, each in the order of the plan."""
    ordered = sorted(cells, key=lambda cell: (cell.persona, cell.category, cell.arc, cell.topic))
    return [tuple(group) for _, group in groupby(ordered, key=lambda cell: (cell.persona_id, cell.emotional_arc_id))]


def make_plan_cell(dataset: Dataset, group: Group) -> HeatCell:
    """Return the cell of a persona and an arc, coloured by the share that is there."""
    first, wanted = group[0], sum(cell.wanted for cell in group)
    filled = sum(cell.count_filled(dataset.counted) for cell in group)
    waiting = sum(cell.accepted - cell.approved for cell in group) if dataset.counted is CountedStatus.APPROVED else 0
    counts = {name: sum(getattr(cell, name) for cell in group) for name in COUNTS}
    told = (
        f"{counts['approved']} approved, {counts['accepted']} accepted, {counts['failed']} failed, {wanted - filled} missing"
    )
    return HeatCell(
        row=first.persona,
        column=first.arc,
        value=filled / wanted,
        text=f"{filled} +{waiting} of {wanted}" if waiting else f"{filled} of {wanted}",
        note=f"{first.persona}, {first.arc}: {told}",
    )


def mark_failures(group: Group, batches: Sequence[DatasetBatch]) -> dict[str, str]:
    """Return the filters of the failures of a persona and an arc, as the link holds them.

    There is none for a data set: its failures are those of its batch where it has one, and of all batches where it has more.
    """
    persona, arc = _key(group)
    topics = [cell.training_topic_id for cell in group if cell.failed]
    one_topic = {TOPIC: str(topics[0])} if len(topics) == 1 else {}
    one_batch = {BATCH: str(batches[0].id)} if len(batches) == 1 else {}
    return {PERSONA: persona, ARC: arc} | one_topic | one_batch


def _find_topic_keys(services: PageServices, group: Group) -> list[str]:
    """Return the keys of the topics that the plan has for a persona and an arc; inactive ones cannot be generated."""
    planned = {cell.training_topic_id for cell in group}
    return [topic.topic_key for topic in load_choices(services, services.user_email).topics if topic.id in planned]


def _name_counts(dataset: Dataset) -> str:
    waiting = " (+ those to review)" if dataset.counted is CountedStatus.APPROVED else ""
    return f"{dataset.counted}{waiting} of planned conversations"


def _key(group: Group) -> tuple[str, str]:
    return str(group[0].persona_id), str(group[0].emotional_arc_id)


def _draw_topics(services: PageServices, dataset: Dataset, batches: Sequence[DatasetBatch], group: Group) -> None:
    first = group[0]
    persona, arc = _key(group)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{escape_markdown(first.persona)}, {escape_markdown(first.arc)}**", width="content")
        if st.button("Conversations", icon=":material/forum:", disabled=not any(cell.accepted for cell in group)):
            open_dataset_conversations(dataset.id, **{PERSONA: persona, ARC: arc})
        failures = mark_failures(group, batches)
        label = "Failures" if BATCH in failures else "Failures in all batches"
        if st.button(label, icon=":material/error:", key="cell_failures", disabled=not any(cell.failed for cell in group)):
            open_filtered_failures(failures)
        hint = "A batch made there does not belong to this data set: Top up makes what its plan misses"
        if st.button("Open in the generator", icon=":material/bolt:", help=hint):
            open_combinations(first.category, first.persona_key, first.arc_key, _find_topic_keys(services, group))
        st.space("stretch")
        st.button("Close", icon=":material/close:", type="tertiary", on_click=lambda: st.session_state.pop(CHOSEN, None))
    column = st.column_config
    draw_table(
        [{"topic": cell.topic, **{name: getattr(cell, name) for name in COUNTS}} for cell in group],
        {
            "topic": column.TextColumn("Topic", width=400),
            **{name: column.NumberColumn(title, format="localized", width=100) for name, title in COUNTS.items()},
        },
        key="dataset_topics",
        alt=f"Topics of {first.persona}, {first.arc}",
    )
