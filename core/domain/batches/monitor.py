"""What the Batch Monitor shows: pages of batches, one batch whole, its items, its log."""

from collections.abc import Sequence
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from pydantic import AwareDatetime

from core.domain.batches.batch import BatchId, BatchProgress, BatchStatus
from core.domain.batches.result_options import Option
from core.domain.batches.results import BatchBreakdown
from core.domain.batches.work import AttemptOutcome
from core.domain.diagnosis.plain_names import name_failure_type, name_pattern
from core.domain.record import Record
from core.domain.scaffolding.records import TemplateId, Tier
from core.domain.verdict.verdict import FailureType


class BatchFilters(Record):
    """Which batches are meant; empty: all. `text` is looked for in name and model, and as the beginning of the id."""

    text: str | None = None
    statuses: tuple[BatchStatus, ...] = ()


class BatchPage(Record):
    """Some of the batches that match, newest first, and how many match."""

    total: int
    batches: tuple[BatchProgress, ...]


class BatchLink(Record):
    """A link to another batch."""

    id: BatchId
    name: str
    status: BatchStatus


class TrendPoint(Record):
    """Some items that were judged one after the other; `at` is when the middle one was."""

    at: AwareDatetime
    begins_at: AwareDatetime
    ends_at: AwareDatetime
    accepted: int
    failed: int

    @property
    def judged(self) -> int:
        """How many items it stands for."""
        return self.accepted + self.failed

    @property
    def failure_rate(self) -> float:
        """Failed share of them."""
        return self.failed / self.judged


class BatchWatch(Record):
    """One batch as the monitor shows it."""

    progress: BatchProgress
    retry_of_name: str | None = None
    retries: tuple[BatchLink, ...] = ()
    """The batches that retry this one's failed items, oldest first."""
    dataset: Option | None = None
    """The data set that it fills."""
    breakdown: BatchBreakdown
    trend: tuple[TrendPoint, ...] = ()
    to_retry: int = 0
    """Failed items that no retry has accepted since or still works on."""


class ItemStatus(StrEnum):
    """The status of an item; COMPLETED is shown as "accepted"."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ItemRow(Record):
    """One item of a batch with what came of it; names as they were at submission."""

    id: UUID
    position: int
    status: ItemStatus
    persona: str | None = None
    arc: str | None = None
    topic: str | None = None
    variation: int = 1
    tier: Tier
    started_at: AwareDatetime | None = None
    attempts: int
    duration_ms: int
    """Of all attempts together."""
    output_tokens: int | None = None
    cost_usd: float | None = None
    simulated: bool = False
    last_error: str | None = None
    """The kind of error of the last call without a reply."""
    last_http_status: int | None = None
    conversation_id: UUID | None = None
    turn_count: int | None = None
    failure_id: UUID | None = None
    failure_type: FailureType | None = None
    truncation_pattern: str | None = None
    failure_details: str | None = None
    turn_index: int | None = None


class ItemPage(Record):
    """Some of the items that match, in the order in which they are generated, and how many match."""

    total: int
    items: tuple[ItemRow, ...]


class LogRow(Record):
    """One attempt, as the downloaded log has it."""

    id: UUID
    recorded_at: AwareDatetime
    item: int
    persona: str | None = None
    arc: str | None = None
    topic: str | None = None
    attempt: int
    started_at: AwareDatetime
    duration_ms: int
    wait_ms: int
    outcome: AttemptOutcome
    stop_reason: str | None = None
    http_status: int | None = None
    failure_type: FailureType | None = None
    failure_pattern: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    model: str
    max_tokens: int
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    request_id: str | None = None
    simulated: bool


class LogFormat(StrEnum):
    """How a log is written."""

    CSV = "csv"
    JSONL = "jsonl"


class RetryTemplate(Record):
    """A template that a retry may use instead of the one of its arc."""

    id: TemplateId
    name: str
    version: int
    arc: str
    is_used: bool
    """The failed items were made with it."""


def find_retry_template(templates: Sequence[RetryTemplate], wanted: str) -> RetryTemplate | None:
    """Return the template called `wanted`, as in "Calm and clear" (its newest version) or "Calm and clear v2"."""
    name = wanted.casefold()
    fitting = [each for each in templates if name in (each.name.casefold(), f"{each.name} v{each.version}".casefold())]
    return max(fitting, key=lambda each: each.version, default=None)


def describe_item(item: ItemRow) -> str:
    """Return the result of an item in a few words."""
    match item.status:
        case ItemStatus.QUEUED:
            return f"waits after {_name_last_call(item)}" if item.attempts else "waits"
        case ItemStatus.PROCESSING:
            return f"running, call {item.attempts + 1}" if item.attempts else "running"
        case ItemStatus.COMPLETED:
            return "accepted" if item.turn_count is None else f"accepted, {item.turn_count} turns"
        case ItemStatus.FAILED:
            return _describe_failure(item)
        case ItemStatus.CANCELLED:
            return "not generated"
        case _:
            assert_never(item.status)


def _describe_failure(item: ItemRow) -> str:
    pattern = item.truncation_pattern
    name = name_pattern(pattern) if pattern else name_failure_type(item.failure_type or "failed")
    where = "" if item.turn_index is None else f" in turn {item.turn_index + 1}"
    details = f": {item.failure_details}" if item.failure_details else ""
    return f"{name}{where}{details}"


def _name_last_call(item: ItemRow) -> str:
    what = item.last_error or "a call without a reply"
    return what if item.last_http_status is None else f"{what} ({item.last_http_status})"
