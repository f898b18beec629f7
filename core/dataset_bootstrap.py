"""The composition root of exports, apart from the others since Parquet and the Hub's library take a while to load."""

from collections.abc import Callable, Iterator

from pydantic import SecretStr

from core.adapters.files.dataset_folder import write_folder, write_folder_as_zip
from core.adapters.files.tokenizer import load_tokenizer, read_tokenizer
from core.adapters.hub.card import add_hub_data
from core.adapters.hub.repository import HubRepository
from core.domain.datasets.plans import DatasetVersion
from core.domain.datasets.versions import FrozenConversation
from core.services.dataset_export import DatasetExporter
from core.services.dataset_publication import DatasetPublisher
from core.services.datasets import DatasetService

__all__ = [
    "load_tokenizer",
    "make_exporter",
    "make_exporter_of",
    "make_publisher",
    "read_tokenizer",
    "write_folder",
    "write_folder_as_zip",
]


def make_exporter(datasets: DatasetService) -> DatasetExporter:
    """Return what writes versions of the analyst's data sets."""
    return make_exporter_of(datasets.read_version)


def make_exporter_of(read_version: Callable[[DatasetVersion], Iterator[FrozenConversation]]) -> DatasetExporter:
    """Return what writes versions that are read like this."""
    return DatasetExporter(read_version=read_version, add_hub_data=add_hub_data)


def make_publisher(datasets: DatasetService) -> DatasetPublisher:
    """Return what uploads versions of the analyst's data sets to the Hub."""
    return DatasetPublisher(
        datasets=datasets,
        exporter=make_exporter(datasets),
        write_folder=lambda target: write_folder(target, force=False),
        open_hub=open_hub,
    )


def open_hub(token: SecretStr) -> HubRepository:
    """Return what uploads to the Hub."""
    return HubRepository(token)
