"""Frozen versions: the table, what each keeps out, how long they are, what differs between two, the way to their export."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.plans import Dataset, DatasetVersion
from core.domain.datasets.token_lengths import describe_defaults
from core.domain.datasets.versions import REPLACEABLE, Exclusion, ExclusionReason, describe_exclusions, explain_exclusion
from core.ui.datasets.lengths import draw_lengths
from core.ui.datasets.questions import Question, ask
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.links import CONVERSATION, open_dataset_conversations
from core.ui.shell.session import report_errors
from core.ui.shell.tables import RowButton, age_column, draw_table

FINGERPRINT_SHOWN = 12
MOST_EXCLUSIONS = 200
VERSIONS_CACHED = 20


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
    if with_exclusions := [version for version in versions if version.exclusions]:
        _draw_exclusions(services, dataset, with_exclusions)


def _draw_exclusions(services: PageServices, dataset: Dataset, versions: Sequence[DatasetVersion]) -> None:
    """List which conversations the newest of these versions, or the one that is chosen, keeps out."""
    version = versions[0]
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("**Kept out** :gray[· click a row for its conversation]", width="content")
        if len(versions) > 1:
            numbers = {each.number: each for each in versions}
            key = f"kept_out_of_{dataset.id}"
            chosen = st.selectbox(
                "Version", list(numbers), key=key, format_func=_name_version, label_visibility="collapsed", width=140
            )
            version = numbers[chosen]
        if REPLACEABLE & {ExclusionReason(reason) for reason in version.exclusions}:
            st.space("stretch")
            if st.button("Have them replaced", icon=":material/autorenew:", key="dataset_reject"):
                ask(Question.REJECT, dataset.id)
    shown = _load_exclusions(services, version, version.id)

    def open_chosen(row: int) -> None:
        open_dataset_conversations(dataset.id, **{CONVERSATION: str(shown[row].id)})

    column = st.column_config
    draw_table(
        [
            {"open": ":material/chat: Read", "reason": explain_exclusion(each.reason), "conversation": str(each.id)}
            for each in shown
        ],
        {
            "reason": column.TextColumn("Reason", width=330),
            "conversation": column.TextColumn("Conversation", width=270),
        },
        key=f"dataset_kept_out_{version.number}",
        alt=f"{format_count(len(shown), 'conversation')} that version {version.number} keeps out, the rarest reason first",
        buttons={"open": RowButton(open_chosen, width=80)},
    )
    if (more := sum(version.exclusions.values()) - len(shown)) > 0:
        st.caption(f"and {more:,} more; `brightrun dataset show --json` lists all of the newest version")


@st.cache_resource(scope="session", max_entries=VERSIONS_CACHED, show_spinner=False)
def _load_exclusions(
    _services: PageServices,
    _version: DatasetVersion,
    version_id: UUID,  # noqa: ARG001 - the cache's key
) -> tuple[Exclusion, ...]:
    """Return the first that a version keeps out. They never change, while the page may be drawn every few seconds."""
    return _services.datasets.list_exclusions(_version)[:MOST_EXCLUSIONS]


def _name_version(number: int) -> str:
    return f"Version {number}"


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
