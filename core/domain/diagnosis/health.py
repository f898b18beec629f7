"""The health of each part of the installation, and what to do about problems."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime

from core.domain.batches.batch import BatchId
from core.domain.batches.pacing import Pace
from core.domain.diagnosis.notices import WaitingReplies
from core.domain.record import Record

WORKER_SILENT_AFTER = timedelta(seconds=30)
"""An idle worker sends a heartbeat every few seconds; one that is silent for this long is dead or stuck."""


class Part(StrEnum):
    """What an installation is made of."""

    DATABASE = "Database and API"
    STORAGE = "Storage"
    QUEUE = "Redis"
    WORKERS = "Workers"
    CLAUDE = "Claude"


class PartState(StrEnum):
    """The state of a part."""

    UP = "up"
    PROBLEM = "problem"
    DOWN = "down"
    UNKNOWN = "unknown"  #: it could not be asked, because another part is down


class PartHealth(Record):
    """The state of one part, and what to do if something is wrong."""

    part: Part
    state: PartState
    found: str
    advice: str | None = None


class DatabaseHealth(Record):
    """Versions and migrations of the database, and where replies wait that it does not have."""

    database: str
    migrations: tuple[str, ...]
    """Versions that were applied."""
    spools: tuple[WaitingReplies, ...] = ()


class RoomPart(StrEnum):
    """What takes room in the database and the storage."""

    ACCEPTED_REPLIES = "accepted_replies"  #: as they came; their conversations hold the same
    OTHER_REPLIES = "other_replies"  #: as they came, of calls that failed, were retried, or came too late
    FREE = "free"  #: left by replies that are gone, for the next ones
    CONVERSATIONS = "conversations"
    FAILURES = "failures"
    REPORTS = "reports"
    OUTCOMES = "outcomes"
    BATCHES = "batches"
    IMPORTS = "imports"
    INDEXES = "indexes"
    REST = "rest"


class StorageUse(Record):
    """Size of the bucket of RAW error reports of all analysts, and what else takes room."""

    bytes: int
    files: int
    parts: Mapping[RoomPart, int] = {}
    """Bytes; the reports are among them."""
    replies_since: AwareDatetime | None = None
    """How old the oldest accepted reply is whose body is kept."""


class ClaudeHealth(Record):
    """How Claude answered the analyst last; `headers` are its rate-limit headers."""

    seen_at: AwareDatetime | None = None
    model: str | None = None
    simulated: bool = False
    headers: Mapping[str, str] = {}
    stop_reasons: Mapping[str, int] = {}
    """Calls of the last hour; `none` stands for a call without a reply."""


class WorkerHealth(Record):
    """One worker, from its own heartbeat."""

    name: str
    state: str
    batch_id: BatchId | None = None
    """What it works on."""
    last_heartbeat_at: AwareDatetime | None = None
    successful_jobs: int = 0
    failed_jobs: int = 0

    def is_alive(self, now: datetime) -> bool:
        """Say whether it was heard lately."""
        return self.last_heartbeat_at is not None and now - self.last_heartbeat_at < WORKER_SILENT_AFTER


class QueueHealth(Record):
    """The queue, who works on it, and what workers have learnt about Claude's pace, by model."""

    waiting_jobs: int
    started_jobs: int
    failed_jobs: int
    """In RQ's registry; their batches are enqueued again, so none is lost."""
    workers: tuple[WorkerHealth, ...] = ()
    paces: Mapping[str, Pace] = {}
    reconciled_at: AwareDatetime | None = None
    """When a reconciler last ran."""
    began_at: AwareDatetime | None = None
    """When Redis was started; None where it does not say."""

    def count_alive(self, now: datetime) -> int:
        """Return how many workers were heard lately."""
        return sum(worker.is_alive(now) for worker in self.workers)

    def is_starting(self, now: datetime) -> bool:
        """Say whether no worker was heard because none could announce itself yet."""
        return self.began_at is not None and now - self.began_at < WORKER_SILENT_AFTER and not self.count_alive(now)


class Health(Record):
    """The health of all parts; None where a part could not be asked."""

    parts: tuple[PartHealth, ...]
    database: DatabaseHealth | None = None
    storage: StorageUse | None = None
    queue: QueueHealth | None = None
    claude: ClaudeHealth | None = None
    checked_at: AwareDatetime
