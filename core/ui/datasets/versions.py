"""Frozen versions: the table, how long they are, what differs between two, the way to their export."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.plans import Dataset, DatasetVersion
from core.domain.datasets.token_lengths import describe_defaults
from core.domain.datasets.versions import describe_exclusions
from core.ui.datasets.lengths import draw_lengths
from core.ui.datasets.questions import Question, ask
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.session import report_errors
from core.ui.shell.tables import age_column, draw_table

FINGERPRINT_SHOWN = 12


def draw_versions(services: PageServices, dataset: Dataset, versions: Sequence[DatasetVersion]) -> None:
    """Draw the versions and what can be done with them."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("**Versions** :gray[· frozen: ids and texts as they were]", width="content")
        st.space("stretch")
        if versions:
            draw_lengths(versions[0])
            if st.button("Export", icon=":material/download:", type="primary", key="dataset_export"):
                ask(Question.EXPORT, dataset.id)
        if len(versions) > 1:
            _draw_comparison(services, versions)
    if not versions:
        st.caption("None yet. Freeze makes one that never changes and can be exported.")
        return
    column = st.column_config
    draw_table(
        [_make_row(version) for version in versions],
        {
            "number": column.NumberColumn("Version", width=65),
            "conversations": column.NumberColumn("Conversations", format="localized", width=105),
            "kept_out": column.TextColumn("Kept out", width=155),
            "fingerprint": column.TextColumn("Fingerprint", width=110),
            "frozen": age_column("Frozen"),
            "exported": age_column("Exported"),
        },
        key="dataset_versions",
        alt=f"{format_count(len(versions), 'version')}, newest first",
    )
    if (lengths := versions[0].lengths) is not None and (cut := describe_defaults(lengths)):
        known = "by an estimate" if lengths.tokenizer is None else "by its tokenizer"
        st.caption(escape_markdown(f"{cut[0][:-1]} of version {versions[0].number}, {known}."))


def _make_row(version: DatasetVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "conversations": version.conversations,
        "kept_out": describe_exclusions(version.exclusions),
        "fingerprint": version.fingerprint[:FINGERPRINT_SHOWN],
        "frozen": version.frozen_at,
        "exported": version.exported_at,
    }


def _choose_version(label: str, versions: Sequence[DatasetVersion], key: str, index: int = 0) -> DatasetVersion:
    numbers = {version.number: version for version in versions}
    return numbers[st.selectbox(label, list(numbers), index=index, key=key)]


def _draw_comparison(services: PageServices, versions: Sequence[DatasetVersion]) -> None:
    with st.popover("Compare", icon=":material/difference:"):
        before = _choose_version("From version", versions, "compare_before", index=1)
        after = _choose_version("To version", versions, "compare_after")
        if not st.button("Compare", icon=":material/difference:", key="compare_versions", disabled=before == after):
            return
        with report_errors(), st.spinner("Reading both …"):
            change = services.datasets.compare(before, after)
        st.markdown(
            f"**{len(change.added):,}** added, **{len(change.removed):,}** removed, **{len(change.edited):,}** edited, "
            f"{change.unchanged:,} unchanged"
        )
