"""The dialog that exports a version: what it is to hold, and whether it is downloaded or pushed to the Hub."""

from collections.abc import Callable, Sequence
from enum import StrEnum

import streamlit as st

from core.bootstrap import PageServices
from core.domain.datasets.plans import Dataset, DatasetVersion, ExportTarget
from core.domain.datasets.recipes import choose_recipe_name
from core.domain.datasets.token_lengths import ESTIMATE, TokenMeasure
from core.services.dataset_export import ExportOptions
from core.ui.datasets.export_options import draw_options
from core.ui.datasets.hub_push import draw_push
from core.ui.shell.session import report_errors


class Place(StrEnum):
    """Where an export goes."""

    DOWNLOAD = "Download"
    HUB = "Hugging Face Hub"


def draw_export(
    services: PageServices, dataset: Dataset, versions: Sequence[DatasetVersion], close: Callable[[], None]
) -> None:
    """Draw what the dialog holds."""
    numbers = {version.number: version for version in versions}
    left, right = st.columns(2, gap="small", vertical_alignment="bottom")
    version = numbers[left.selectbox("Version", list(numbers), key="export_version")]
    place = right.segmented_control(
        "Where to", list(Place), default=Place.DOWNLOAD, required=True, key="export_place", width="stretch"
    )
    with report_errors():
        options, measure = draw_options(services, version)
        if place is Place.HUB:
            draw_push(services, dataset, version, options, measure, close=close)
        else:
            _draw_download(services, dataset, version, options, measure)


def _draw_download(
    services: PageServices, dataset: Dataset, version: DatasetVersion, options: ExportOptions, measure: TokenMeasure
) -> None:
    with st.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.caption("A zip archive: data, recipes for TRL, Axolotl, LLaMA-Factory and Unsloth, and the card.")
        st.download_button(
            f"Download version {version.number}",
            lambda: write_archive(services, dataset, version, options, measure),
            file_name=f"{choose_recipe_name(dataset.name)}-v{version.number}.zip",
            mime="application/zip",
            icon=":material/folder_zip:",
            type="primary",
            on_click="ignore",
            disabled=not options.formats,
            key="download_archive",
        )


def write_archive(
    services: PageServices,
    dataset: Dataset,
    version: DatasetVersion,
    options: ExportOptions,
    measure: TokenMeasure = ESTIMATE,
) -> bytes:
    """Return the export as a zip archive, and note it; the same version and options give the same bytes."""
    from core.dataset_bootstrap import make_exporter, write_folder_as_zip  # noqa: PLC0415 - Parquet takes a while to load

    exporter = make_exporter(services.datasets)
    archive = write_folder_as_zip(lambda folder: exporter.export(dataset, version, options, folder, measure))
    services.datasets.note_export(version, ExportTarget.DOWNLOAD, options.formats)
    return archive
