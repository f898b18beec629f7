"""Data sets that others made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from core.domain.datasets.importing import FileDigest, ImportFinish, ImportId, ImportItem, ImportStart
    from core.domain.verdict.formats.entries import Entry


class DataSetFile(Protocol):
    """A file of conversations, wherever it is."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int:
        """Return its bytes."""
        ...

    def hash_content(self) -> str:
        """Return the SHA-256 of its bytes; raise InvalidRequest where it cannot be read."""
        ...

    def read_entries(self, on_progress: Callable[[int], None]) -> Iterator[Entry]:
        """Read it from the beginning and report how many bytes have been read."""
        ...


class ImportStore(Protocol):
    """Imports of the signed-in analyst. An import is invisible until it is finished."""

    def begin(self, name: str, files: Sequence[FileDigest]) -> ImportStart:
        """Begin an import of those files that are not imported yet."""
        ...

    def stage(self, import_id: ImportId, items: Sequence[ImportItem]) -> None:
        """Add items; of items with the same position, the first failed one is kept, else the last."""
        ...

    def finish(self, import_id: ImportId) -> ImportFinish:
        """Make a batch of everything staged, or nothing; a second call returns the same batch.

        Raises InvalidRequest where that cannot be.
        """
        ...
