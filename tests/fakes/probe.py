"""Parts that are well, or as ill as a test makes them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from core.domain.diagnosis.health import ClaudeHealth, DatabaseHealth, QueueHealth, StorageUse


def _find_no_worker() -> QueueHealth:
    return QueueHealth(waiting_jobs=0, started_jobs=0, failed_jobs=0)


@dataclass(kw_only=True)
class ScriptedProbe:
    """Implements DatabaseProbe and QueueProbe; a test puts other answers, or errors, in their place."""

    answer_database: Callable[[], DatabaseHealth] = lambda: DatabaseHealth(database="18.6", migrations=())
    answer_storage: Callable[[], StorageUse] = lambda: StorageUse(bytes=0, files=0)
    answer_claude: Callable[[], ClaudeHealth] = ClaudeHealth
    answer_queue: Callable[[], QueueHealth] = _find_no_worker
    dismissed: list[UUID] = field(default_factory=list[UUID])
    has_spool: bool = True

    def read_database(self) -> DatabaseHealth:
        return self.answer_database()

    def measure_storage(self) -> StorageUse:
        return self.answer_storage()

    def dismiss_spool(self, spool_id: UUID) -> bool:
        self.dismissed.append(spool_id)
        return self.has_spool

    def read_claude(self) -> ClaudeHealth:
        return self.answer_claude()

    def read_queue(self) -> QueueHealth:
        return self.answer_queue()
