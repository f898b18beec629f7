"""The parts, asked how they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from core.domain.diagnosis.health import ClaudeHealth, DatabaseHealth, QueueHealth, StorageUse


class DatabaseProbe(Protocol):
    """Checks database and storage with the signed-in analyst's rights."""

    def read_database(self) -> DatabaseHealth: ...

    def measure_storage(self) -> StorageUse:
        """Check the storage, and return its size, and what else takes room."""
        ...

    def dismiss_spool(self, spool_id: UUID) -> bool:
        """Forget a folder of waiting replies whose host is silent; false where there is none such."""
        ...

    def read_claude(self) -> ClaudeHealth:
        """Return how Claude answered this analyst last."""
        ...


class QueueProbe(Protocol):
    """Reads the queue and its workers."""

    def read_queue(self) -> QueueHealth: ...
