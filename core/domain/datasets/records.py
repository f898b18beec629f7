"""Conversations as they are kept, listed, reviewed and exported."""

from collections.abc import Mapping
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime

from core.domain.paging import RecordRow, RowPlace
from core.domain.record import Record
from core.domain.scaffolding.records import (
    AxisId,
    ConversationCategory,
    EmotionalArc,
    Persona,
    PromptTemplate,
    Tier,
    TrainingTopic,
    VariationAxis,
)
from core.domain.verdict.conversation import ConversationMetadata, Turn


class ReviewStatus(StrEnum):
    """What an analyst thinks of a conversation."""

    PENDING_REVIEW = "pending_review"
    APPROVED = "approved"
    REJECTED = "rejected"


class ConversationFilters(Record):
    """Filters of conversations; None: any.

    `text` means words: each of them, or the beginning of one, is in the name or in what is said, in any case. A conversation
    without a quality score has no minimum.
    """

    batch_id: UUID | None = None
    dataset_id: UUID | None = None
    persona_id: UUID | None = None
    emotional_arc_id: UUID | None = None
    training_topic_id: UUID | None = None
    category: ConversationCategory | None = None
    tier: Tier | None = None
    model: str | None = None
    review_status: ReviewStatus | None = None
    minimum_quality: float | None = None
    text: str | None = None
    sample_size: int | None = None
    sample_seed: int | None = None
    """So many, drawn by chance from all of the data set or batch whatever the other filters say; a seed draws the same."""
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


class Reviewed(Record):
    """How many conversations a review changed, and how many of them somebody had opened before."""

    reviewed: int
    read: int


class ConversationCounts(Record):
    """How many match; the counts by review status leave that filter out."""

    total: int
    by_review_status: dict[ReviewStatus, int]


class ConversationPlace(RowPlace):
    """The place of a conversation under filters, and how far their review is: these counts leave that filter out."""

    by_review_status: dict[ReviewStatus, int]


class TurnEdit(Record):
    """What a turn, counted from 0, said before it was edited."""

    turn_place: int
    content_before: str
    edited_at: AwareDatetime


class StoredConversation(ListedConversation):
    """One conversation whole, with its origin as the batch keeps it. `revision` changes with what is said."""

    turns: tuple[Turn, ...]
    metadata: ConversationMetadata
    persona: Persona | None = None
    arc: EmotionalArc | None = None
    topic: TrainingTopic | None = None
    template: PromptTemplate | None = None
    axes: Mapping[AxisId, VariationAxis] = {}
    variation: int = 1
    variation_values: Mapping[str, str] = {}
    """What its prompt was told of each axis, by key."""
    stop_reason: str
    input_tokens: int | None = None
    max_tokens: int | None = None
    effort: str | None = None
    structured_outputs: bool | None = None
    attempt_number: int | None = None
    duration_ms: int | None = None
    request_id: str | None = None
    review_reason: str | None = None
    review_note: str | None = None
    revision: str
    read_at: AwareDatetime | None = None
    edits: tuple[TurnEdit, ...] = ()


class OpenedConversation(Record):
    """A conversation as a reader opens it: with its place, and whether another reader has it open."""

    conversation: StoredConversation
    is_held: bool
    place: ConversationPlace


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
    variation: int = 1
    variation_values: Mapping[str, str] = {}
