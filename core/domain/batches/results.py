"""Results of batches, and the filters on them."""

from uuid import UUID

from pydantic import AwareDatetime

from core.domain.paging import RecordRow
from core.domain.record import Record
from core.domain.verdict.verdict import Confidence, FailureType


class FailureRow(RecordRow):
    """One failed generation, without prompt and reply."""

    failure_type: FailureType
    truncation_pattern: str | None = None
    truncation_details: str | None = None
    stop_reason: str | None = None
    error_message: str | None = None
    turn_index: int | None = None
    model: str
    max_tokens: int | None = None
    output_tokens: int | None = None
    attempt_count: int
    simulated: bool
    imported: bool = False
    batch_id: UUID | None = None
    batch_name: str | None = None
    persona: str | None = None
    arc: str | None = None
    topic: str | None = None
    confidence: Confidence | None = None
    raw_file_path: str | None = None


SIGNATURE_FILTERS = (
    "failure_type",
    "stop_reason",
    "truncation_pattern",
    "fingerprint",
    "turn_index",
    "limit_share_bin",
    "text",
)
"""Filters that say how something failed; the others say how and when it was made."""


class FailureFilters(Record):
    """Which failed generations are meant; None: any. `none` as stop_reason, pattern or effort: those without one.

    `date_from` is included, `date_to` is not; likewise `prompt_from` and `prompt_to`, lengths of the prompt in characters.
    `text` means words: each of them, or the beginning of one, is in details, error message or reply, in any case.
    `limit_share_bin` is the share of max_tokens that the reply used, in bins of 5 %; 20: all of it.
    """

    failure_type: str | None = None
    stop_reason: str | None = None
    truncation_pattern: str | None = None
    batch_id: UUID | None = None
    persona_id: UUID | None = None
    emotional_arc_id: UUID | None = None
    training_topic_id: UUID | None = None
    template_id: UUID | None = None
    model: str | None = None
    date_from: AwareDatetime | None = None
    date_to: AwareDatetime | None = None
    text: str | None = None
    fingerprint: str | None = None
    turn_index: int | None = None
    limit_share_bin: int | None = None
    topic_category: str | None = None
    conversation_category: str | None = None
    structured_outputs: bool | None = None
    max_tokens: int | None = None
    effort: str | None = None
    prompt_from: int | None = None
    prompt_to: int | None = None
    with_imports: bool | None = None
    """Also what was read from files, which is left out unless a batch, or a name that only files have, is asked for."""

    @property
    def asks_how(self) -> bool:
        """Whether any filter is on the failure signature."""
        return any(getattr(self, name) is not None for name in SIGNATURE_FILTERS)


ANY_FAILURE = FailureFilters()


class FailureStatistics(Record):
    """Counts over all matching failures; `none` stands for a missing stop_reason or pattern.

    Each of the three ignores its own filter, so that a chart shows the other choices.
    """

    total: int
    by_type: dict[str, int]
    by_stop_reason: dict[str, int]
    by_pattern: dict[str, int]


class BatchBreakdown(Record):
    """Failures by type and by pattern, attempts by stop_reason; `none` stands for a call without a reply."""

    by_failure_type: dict[str, int]
    by_pattern: dict[str, int]
    by_stop_reason: dict[str, int]
