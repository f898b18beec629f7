"""Data sets, and where exports of them go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from core.domain.paging import RowCursor

if TYPE_CHECKING:
    from pathlib import Path

    from core.domain.datasets.freezing import Candidate
    from core.domain.datasets.plans import Dataset, DatasetDetail, DatasetId, ExportTarget, PlanPart, VersionId
    from core.domain.datasets.splits import Split
    from core.domain.datasets.training_formats import TrainingFormat
    from core.domain.datasets.versions import CountedStatus, ExclusionReason, FrozenConversation


class DatasetStore(Protocol):
    """The analyst's data sets. Simulated conversations fill a plan where `counts_simulated` says so."""

    def create(self, name: str, counted: CountedStatus, plan: Sequence[PlanPart]) -> DatasetId:
        """Write a data set; raise InvalidRequest with the reason if the database refuses."""
        ...

    def list_all(
        self, *, counts_simulated: bool, name: str | None = None, dataset_id: UUID | None = None, most: int | None = None
    ) -> tuple[Dataset, ...]:
        """Return all data sets or the newest so many, newest first, or the one of this name or id."""
        ...

    def delete(self, dataset_id: DatasetId) -> bool:
        """Delete a data set with its frozen versions; False if there is none."""
        ...

    def describe(self, dataset_id: DatasetId, *, counts_simulated: bool) -> DatasetDetail:
        """Return plan, batches and versions; raise NotFound."""
        ...

    def note_export(
        self, version_id: VersionId, target: ExportTarget, formats: Sequence[str], repository: str | None
    ) -> None:
        """Note that a version was exported; raise NotFound."""
        ...

    def list_candidates(self, dataset_id: DatasetId, page_size: int, cursor: RowCursor | None) -> tuple[Candidate, ...]:
        """Return a page of the conversations of its batches, oldest first."""
        ...

    def begin_version(self, dataset_id: DatasetId) -> VersionId:
        """Begin a version that nobody reads before it is frozen; raise NotFound."""
        ...

    def stage(self, version_id: VersionId, members: Sequence[tuple[int, Candidate]]) -> bool:
        """Put conversations at their positions; False if one of them is no longer what it was when it was listed."""
        ...

    def freeze(self, version_id: VersionId, fingerprint: str, summary: Mapping[str, object]) -> int:
        """Freeze a version and return its number; from then on it never changes."""
        ...

    def read_version(self, version_id: VersionId, position: int, page_size: int) -> tuple[FrozenConversation, ...]:
        """Return a page of a version's conversations, from a position on."""
        ...

    def read_exclusions(self, version_id: VersionId) -> dict[UUID, ExclusionReason]:
        """Return what a version keeps out, and why; raise NotFound."""
        ...


class ExportFolder(Protocol):
    """Where the files of an export go; paths are relative to it."""

    def write_text(self, path: str, text: str) -> None: ...

    def write_rows(self, path: str, rows: Iterable[dict[str, Any]]) -> int:
        """Write rows one by one, in the form that the name's ending says; return how many there were."""
        ...


class HubUpload(Protocol):
    """A place on the Hub, with a token."""

    def push(self, folder: Path, repository: str, *, is_private: bool, message: str) -> str:
        """Upload a folder in one commit and return its address; raise InvalidRequest or HubUnavailable."""
        ...


class HubCard(Protocol):
    """Puts the data that the Hub reads before the text of a card."""

    def __call__(
        self,
        text: str,
        *,
        name: str,
        formats: Sequence[TrainingFormat],
        splits: Sequence[Split],
        rows: int,
        licence: str,
    ) -> str: ...
