"""Conversations as they are kept, listed, reviewed and exported."""

from enum import StrEnum
from uuid import UUID

from core.domain.paging import RecordRow
from core.domain.record import Record
from core.domain.scaffolding.records import ConversationCategory, EmotionalArc, Persona, PromptTemplate, Tier, TrainingTopic
from core.domain.verdict.conversation import ConversationMetadata, Turn


class ReviewStatus(StrEnum):
    """What an analyst thinks of a conversation."""

    PENDING_REVIEW = "pending_review"
    APPROVED = "approved"
    REJECTED = "rejected"
    ARCHIVED = "archived"  #: only in older data


class ConversationFilters(Record):
    """Filters of conversations; None: any.

    `text` means words: each of them, or the beginning of one, is in the name or in what is said, in any case. A conversation
    without a quality score has no minimum.
    """

    batch_id: UUID | None = None
    persona_id: UUID | None = None
    emotional_arc_id: UUID | None = None
    training_topic_id: UUID | None = None
    category: ConversationCategory | None = None
    tier: Tier | None = None
    model: str | None = None
    review_status: ReviewStatus | None = None
    minimum_quality: float | None = None
    text: str | None = None
    with_comparisons: bool | None = None
    """Also what comparisons made, which is left out unless a batch is named."""


ANY_CONVERSATION = ConversationFilters()


class ListedConversation(RecordRow):
    """One conversation, without its turns."""

    name: str
    batch_id: UUID
    batch_name: str | None = None
    category: ConversationCategory
    tier: Tier
    turn_count: int
    starting_emotion: str | None = None
    ending_emotion: str | None = None
    quality_score: float | None = None
    review_status: ReviewStatus
    model: str
    output_tokens: int | None = None
    cost_usd: float | None = None
    simulated: bool


class ConversationCounts(Record):
    """How many match; the counts by review status leave that filter out."""

    total: int
    by_review_status: dict[ReviewStatus, int]


class StoredConversation(ListedConversation):
    """One conversation whole, with its origin as the batch keeps it."""

    turns: tuple[Turn, ...]
    metadata: ConversationMetadata
    persona: Persona | None = None
    arc: EmotionalArc | None = None
    topic: TrainingTopic | None = None
    template: PromptTemplate | None = None
    stop_reason: str
    input_tokens: int | None = None
    max_tokens: int | None = None
    effort: str | None = None
    structured_outputs: bool | None = None
    attempt_number: int | None = None
    duration_ms: int | None = None
    request_id: str | None = None


class ExportedConversation(RecordRow):
    """What an export says of a conversation; scaffolding by key."""

    name: str
    turns: tuple[Turn, ...]
    batch_id: UUID
    batch_name: str | None = None
    category: ConversationCategory
    tier: Tier
    model: str
    review_status: ReviewStatus
    quality_score: float | None = None
    simulated: bool
    persona: str | None = None
    arc: str | None = None
    topic: str | None = None
    template: str | None = None
    template_version: int | None = None
