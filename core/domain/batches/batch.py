"""Batches: settings, selection, status, progress and allowed actions."""

from enum import StrEnum
from typing import NewType, assert_never
from uuid import UUID

from pydantic import AwareDatetime, Field

from core.domain.record import Record
from core.domain.scaffolding.records import ArcId, ConversationCategory, PersonaId, TemplateId, TopicId

BatchId = NewType("BatchId", UUID)

MOST_ITEMS = 100_000
"""Of a batch; the database holds to it, too."""
MOST_PER_COMBINATION = 1_000
"""Conversations of one combination in a batch or a plan; the database holds to it, too."""
MAX_OUTPUT_TOKENS = 128_000
"""No model takes a higher limit."""


class BatchStatus(StrEnum):
    """The status of a batch."""

    QUEUED = "queued"  #: submitted, no worker has begun
    PROCESSING = "processing"
    PAUSED = "paused"  #: running calls finish, nothing more is taken
    COMPLETED = "completed"  #: every item is closed, at least one was accepted
    FAILED = "failed"  #: stopped by a failure, or nothing was accepted
    CANCELLED = "cancelled"

    @property
    def is_active(self) -> bool:
        """True while a worker may take items."""
        return self in (BatchStatus.QUEUED, BatchStatus.PROCESSING)

    @property
    def is_final(self) -> bool:
        """True once nothing can change the status any more (calls in flight may still be recorded)."""
        return self in (BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.CANCELLED)


class BatchAction(StrEnum):
    """What an analyst may do to a batch."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


def is_allowed(action: BatchAction, status: BatchStatus) -> bool:
    """Say whether `action` is legal in `status`; the database decides by the same rule."""
    match action:
        case BatchAction.PAUSE:
            return status.is_active
        case BatchAction.RESUME:
            return status is BatchStatus.PAUSED
        case BatchAction.CANCEL:
            return not status.is_final
        case _:
            assert_never(action)


class Effort(StrEnum):
    """How hard the model thinks before it answers (`output_config.effort`)."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
    MAX = "max"


class ErrorHandling(StrEnum):
    """What a failed item means for the rest of its batch."""

    CONTINUE = "continue"
    STOP = "stop"


class SkipExisting(StrEnum):
    """Which existing conversations of the analyst make a batch skip their combinations."""

    REAL = "real"  #: only what Claude wrote counts
    ANY = "any"  #: simulated conversations count, too


def choose_skip(*, simulated: bool) -> SkipExisting:
    """Return what counts as existing: all conversations where Claude is simulated, else only those that Claude wrote."""
    return SkipExisting.ANY if simulated else SkipExisting.REAL


class BatchSettings(Record):
    """The settings of a batch's calls."""

    model: str = Field(min_length=1, max_length=100)
    max_tokens: int = Field(ge=1, le=MAX_OUTPUT_TOKENS)
    effort: Effort | None = None
    structured_outputs: bool = True
    concurrency: int = Field(default=3, ge=1, le=200)
    error_handling: ErrorHandling = ErrorHandling.CONTINUE
    raise_max_tokens: bool = False
    """Retry a reply that max_tokens cut off once, with twice as many."""
    budget_usd: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """The batch pauses automatically before it spends more, calls in flight included."""
    canary_items: int = Field(default=0, ge=0)
    """This many items, spread over the grid, run first; the rest only if few enough of them fail."""


class RetryChanges(Record):
    """What a retry of failed items changes; None keeps the first batch's setting."""

    name: str | None = None
    model: str | None = None
    max_tokens: int | None = Field(default=None, ge=1, le=MAX_OUTPUT_TOKENS)
    effort: Effort | None = None
    structured_outputs: bool | None = None
    template_id: TemplateId | None = None
    """Replaces the template of its arc."""


class Selection(Record):
    """The grid of a batch: persona x arc x topic, or `limit` of its combinations, sampled evenly, each so many times."""

    category: ConversationCategory
    persona_ids: tuple[PersonaId, ...]
    arc_ids: tuple[ArcId, ...]
    topic_ids: tuple[TopicId, ...]
    limit: int | None = Field(default=None, ge=1)
    """At most this many combinations."""
    skip_existing: SkipExisting | None = None
    per_combination: int = Field(default=1, ge=1, le=MOST_PER_COMBINATION)
    """Conversations of each combination that is taken."""

    @property
    def grid_size(self) -> int:
        """Combinations of the full grid."""
        return len(self.persona_ids) * len(self.arc_ids) * len(self.topic_ids)

    @property
    def planned(self) -> int:
        """Conversations to generate if none is skipped."""
        return self.count_planned(0)

    @property
    def formula(self) -> str:
        """The count in words, as `3 personas × 5 arcs × 6 topics = 90`, or with `× 2 each = 180`."""
        return self.explain(0)

    def count_planned(self, existing: int) -> int:
        """Return how many conversations will be generated if `existing` combinations are skipped.

        They count toward the limit: 10 of a grid of which 9 are there are one more.
        """
        return max(self.combinations - existing, 0) * self.per_combination

    def explain(self, existing: int) -> str:
        """Return the formula, and what is left of it where `existing` combinations are skipped."""
        parts = (
            _count(len(self.persona_ids), "persona"),
            _count(len(self.arc_ids), "arc"),
            _count(len(self.topic_ids), "topic"),
        )
        planned = self.count_planned(existing)
        whole = self.grid_size * self.per_combination
        each = f" × {self.per_combination:,} each" if self.per_combination > 1 else ""
        left = [f"{_count(existing, 'combination') if each else f'{existing:,}'} already done"] if existing else []
        left += [f"{planned:,} to go"] if planned < whole else []
        return f"{' × '.join(parts)}{each} = {whole:,}{'; ' if left else ''}{', '.join(left)}"

    @property
    def combinations(self) -> int:
        """Combinations to be taken if none is skipped."""
        return self.grid_size if self.limit is None else min(self.limit, self.grid_size)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


class Submitted(Record):
    """A batch that was written to the database."""

    batch_id: BatchId
    planned: int
    is_enqueued: bool = True
    """False where the queue did not answer; the reconciler enqueues it later."""


_REASON_WORDINGS = {"Paused by itself:": "Paused automatically:", "Paused by the analyst.": "Paused by you."}
"""Only its owner can see or pause a batch."""


class BatchProgress(Record):
    """A batch with its counts, spend and tokens as the database computes them.

    Always `planned == accepted + failed + cancelled + running + queued`.
    """

    id: BatchId
    name: str
    status: BatchStatus
    status_reason: str | None = None
    conversation_category: ConversationCategory
    model: str
    max_tokens: int | None
    """None (as for `structured_outputs`) only where the records of an imported batch do not say."""
    effort: Effort | None = None
    structured_outputs: bool | None
    concurrency: int
    error_handling: ErrorHandling
    raise_max_tokens: bool = False
    budget_usd: float | None = None
    canary_items: int = 0
    retry_of: BatchId | None = None
    pace_limit: int | None = None
    """Calls that may be in flight now; None: as many as `concurrency` says."""
    pace_reason: str | None = None
    pace_changed_at: AwareDatetime | None = None
    estimated_seconds: float | None = None
    estimated_cost_usd: float | None = None
    created_by: UUID
    created_at: AwareDatetime
    started_at: AwareDatetime | None = None
    completed_at: AwareDatetime | None = None
    planned: int
    accepted: int
    failed: int
    cancelled: int
    running: int
    queued: int
    attempts: int
    cost_usd: float
    input_tokens: int
    output_tokens: int
    simulated: bool
    imported: bool = False
    """Read from files: judged like the others, but nothing of it was or will be generated here."""
    recent_since: AwareDatetime | None = None
    """From here to `recent_until`, when the last item was judged, `recent_judged` items were judged without a pause."""
    recent_until: AwareDatetime | None = None
    recent_judged: int = 0
    needed_budget_usd: float | None = None
    """The least budget with which a paused batch can continue; None where its budget does not hold it back."""

    @property
    def reason(self) -> str | None:
        """The status_reason as the owner reads it; batches of earlier versions hold older wordings."""
        if self.status_reason is None:
            return None
        for stored, shown in _REASON_WORDINGS.items():
            if self.status_reason.startswith(stored):
                return shown + self.status_reason.removeprefix(stored)
        return self.status_reason

    def is_simulated(self, *, claude_is_simulated: bool) -> bool:
        """Say whether its calls are simulated; before the first call, whether Claude is simulated now."""
        return self.simulated or (claude_is_simulated and self.attempts == 0 and not self.imported)

    @property
    def closed(self) -> int:
        """Items that will not change any more."""
        return self.accepted + self.failed + self.cancelled

    @property
    def remaining(self) -> int:
        """Items still to be closed."""
        return self.running + self.queued

    @property
    def judged(self) -> int:
        """Items that were generated, accepted or not."""
        return self.accepted + self.failed

    @property
    def has_work_in_flight(self) -> bool:
        """Whether it still changes: it is worked on, or calls that began before a pause are still running."""
        return self.status.is_active or self.running > 0

    @property
    def fraction_judged(self) -> float:
        """Share of items that were generated, 0 to 1; cancelled ones never are."""
        return self.judged / self.planned if self.planned else 0.0

    @property
    def failure_rate(self) -> float | None:
        """Failed share of the judged items; None before the first."""
        return self.failed / self.judged if self.judged else None
