"""A frozen version on the Hub: exported, uploaded in one commit, and noted."""

import re
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from core.domain.datasets.plans import Dataset, DatasetVersion, ExportTarget
from core.domain.datasets.token_lengths import ESTIMATE, TokenMeasure
from core.domain.record import Record
from core.errors import InvalidRequest
from core.ports.datasets import ExportFolder, HubUpload
from core.services.dataset_export import DatasetExporter, ExportOptions
from core.services.datasets import DatasetService

REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)


class Publication(Record):
    """What was uploaded, or would be: `address` is None then."""

    repository: str
    is_private: bool
    bytes_by_file: dict[str, int]
    address: str | None = None
    notes: tuple[str, ...] = ()
    """Of the export."""


@dataclass(frozen=True, kw_only=True)
class DatasetPublisher:
    """Writes an export into a folder that is gone afterwards, and uploads it. No token is kept."""

    datasets: DatasetService
    exporter: DatasetExporter
    write_folder: Callable[[Path], AbstractContextManager[ExportFolder]]
    open_hub: Callable[[SecretStr], HubUpload]

    def publish(
        self,
        dataset: Dataset,
        version: DatasetVersion,
        options: ExportOptions,
        repository: str,
        *,
        is_private: bool,
        token: SecretStr | None,
        measure: TokenMeasure = ESTIMATE,
    ) -> Publication:
        """Upload a version; without a token only say what would be uploaded. Raises InvalidRequest and HubUnavailable."""
        if REPOSITORY.fullmatch(repository) is None:
            raise InvalidRequest(f"{repository!r} is no name of a repository. Write OWNER/NAME.")
        with tempfile.TemporaryDirectory() as scratch:
            target = Path(scratch) / "export"
            with self.write_folder(target) as folder:
                notes = self.exporter.export(dataset, version, options, folder, measure).notes
            sizes = {
                path.relative_to(target).as_posix(): path.stat().st_size
                for path in sorted(target.rglob("*"))
                if path.is_file()
            }
            address = None
            if token is not None:
                message = f"{dataset.name}, version {version.number}, fingerprint {version.fingerprint}"
                address = self.open_hub(token).push(target, repository, is_private=is_private, message=message)
                self.datasets.note_export(version, ExportTarget.HUB, options.formats, repository)
        return Publication(repository=repository, is_private=is_private, bytes_by_file=sizes, address=address, notes=notes)


def describe_publication(publication: Publication, version: DatasetVersion) -> str:
    """Say in a sentence what was uploaded or would be."""
    done = (
        f"would be uploaded to {publication.repository} ({'private' if publication.is_private else 'public'})"
        if publication.address is None
        else f"uploaded to {publication.address}"
    )
    return f"{len(publication.bytes_by_file)} files of version {version.number} {done}."
