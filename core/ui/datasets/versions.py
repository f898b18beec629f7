"""Frozen versions: the table, the download of one of them, what differs between two."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.plans import Dataset, DatasetVersion
from core.domain.datasets.recipes import choose_recipe_name
from core.domain.datasets.splits import SplitRule
from core.domain.datasets.token_lengths import describe_defaults, describe_lengths
from core.domain.datasets.training_formats import TrainingFormat
from core.domain.datasets.versions import describe_exclusions
from core.services.dataset_export import DEFAULT_LICENCE, ExportOptions
from core.ui.datasets.lengths import draw_lengths
from core.ui.shell.formats import escape_markdown, format_count
from core.ui.shell.session import report_errors
from core.ui.shell.tables import age_column, draw_table

FORMAT_LABELS = {
    TrainingFormat.MESSAGES_JSONL: "Chat messages, JSON Lines",
    TrainingFormat.MESSAGES_PARQUET: "Chat messages, Parquet",
    TrainingFormat.SHAREGPT: "ShareGPT, JSON Lines",
    TrainingFormat.PROMPT_COMPLETION: "Prompt and completion, JSON Lines",
}
FINGERPRINT_SHOWN = 12


def draw_versions(services: PageServices, dataset: Dataset, versions: Sequence[DatasetVersion]) -> None:
    """Draw the versions and what can be done with them."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("**Versions** :gray[· frozen: ids and texts as they were]", width="content")
        st.space("stretch")
        if versions:
            draw_lengths(versions[0])
            _draw_download(services, dataset, versions)
        if len(versions) > 1:
            _draw_comparison(services, versions)
    if not versions:
        st.caption("None yet. Freeze makes one that never changes and can be downloaded.")
        return
    column = st.column_config
    draw_table(
        [_make_row(version) for version in versions],
        {
            "number": column.NumberColumn("Version", width=65),
            "conversations": column.NumberColumn("Conversations", format="localized", width=105),
            "kept_out": column.TextColumn("Kept out", width=215),
            "fingerprint": column.TextColumn("Fingerprint", width=115),
            "frozen": age_column("Frozen"),
            "exported": age_column("Exported"),
        },
        key="dataset_versions",
        alt=f"{format_count(len(versions), 'version')}, newest first",
    )
    if (lengths := versions[0].lengths) is not None:
        told = " ".join((describe_lengths(lengths), *describe_defaults(lengths)[:1]))
        st.caption(f"Version {versions[0].number}. {escape_markdown(told)}")


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


def _draw_download(services: PageServices, dataset: Dataset, versions: Sequence[DatasetVersion]) -> None:
    with st.popover("Download", icon=":material/download:", type="primary"):
        version = _choose_version("Version", versions, "download_version")
        formats = st.multiselect(
            "Formats",
            list(TrainingFormat),
            default=[TrainingFormat.MESSAGES_JSONL],
            format_func=FORMAT_LABELS.__getitem__,
            key="download_formats",
        )
        left, right = st.columns(2, gap="small")
        validation = left.number_input(
            "Validation, %", min_value=0, max_value=50, value=10, step=5, key="download_validation"
        )
        test = right.number_input("Test, %", min_value=0, max_value=45, value=0, step=5, key="download_test")
        system = st.text_area("System message", placeholder="None", height=80, key="download_system")
        licence = st.text_input(
            "License", value=DEFAULT_LICENCE, key="download_license", help="As the Hub names it, such as cc-by-4.0"
        )
        options = ExportOptions(
            formats=tuple(formats),
            split=SplitRule(validation_share=validation / 100, test_share=test / 100),
            system=system.strip() or None,
            licence=licence.strip() or DEFAULT_LICENCE,
        )
        st.download_button(
            f"Download version {version.number}",
            lambda: write_archive(services, dataset, version, options),
            file_name=f"{choose_recipe_name(dataset.name)}-v{version.number}.zip",
            mime="application/zip",
            icon=":material/folder_zip:",
            type="primary",
            width="stretch",
            on_click="ignore",
            disabled=not formats,
            key="download_archive",
            help="Data, recipes for TRL, Axolotl, LLaMA-Factory and Unsloth, and the card",
        )


def write_archive(services: PageServices, dataset: Dataset, version: DatasetVersion, options: ExportOptions) -> bytes:
    """Return the export as a zip archive; the same version and options give the same bytes."""
    from core.dataset_bootstrap import make_exporter, write_folder_as_zip  # noqa: PLC0415 - Parquet takes a while to load

    exporter = make_exporter(services.datasets)
    return write_folder_as_zip(lambda folder: exporter.export(dataset, version, options, folder))


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
