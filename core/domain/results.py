"""What came of a batch, as rows to look at."""

from uuid import UUID

from pydantic import AwareDatetime

from core.domain.record import Record


class ConversationRow(Record):
    """One accepted conversation, without its turns."""

    id: UUID
    name: str
    tier: str
    turn_count: int
    model: str
    output_tokens: int | None = None
    cost_usd: float | None = None
    simulated: bool
    created_at: AwareDatetime


class FailureRow(Record):
    """One failed generation, without prompt and reply."""

    id: UUID
    failure_type: str
    truncation_pattern: str | None = None
    truncation_details: str | None = None
    stop_reason: str | None = None
    error_message: str | None = None
    turn_index: int | None = None
    model: str
    max_tokens: int
    output_tokens: int | None = None
    attempt_count: int
    simulated: bool
    created_at: AwareDatetime


class BatchBreakdown(Record):
    """Failures by type and by pattern, attempts by stop_reason; `none` stands for a call without a reply."""

    by_failure_type: dict[str, int]
    by_pattern: dict[str, int]
    by_stop_reason: dict[str, int]
