"""Conversations of the in-memory database."""

from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from core.adapters.memory import MemoryDatabase, MemoryItem
from core.adapters.memory_reading import has_words, list_memory_options, read_memory_page
from core.domain.conversation_records import (
    ConversationCounts,
    ConversationFilters,
    ConversationPlace,
    ExportedConversation,
    ListedConversation,
    ReviewStatus,
    StoredConversation,
)
from core.domain.paging import Direction, Page, RowCursor
from core.domain.result_options import ResultOptions
from core.domain.scaffolding import Tier
from core.errors import InvalidRequest, NotFound


@dataclass(frozen=True, kw_only=True)
class MemoryConversationStore:
    """Implements ConversationStore; a conversation's id is its item's."""

    database: MemoryDatabase
    reviews: dict[UUID, ReviewStatus] = field(default_factory=dict[UUID, ReviewStatus])

    def list_page(
        self, filters: ConversationFilters, page_size: int, cursor: RowCursor | None, direction: Direction = Direction.OLDER
    ) -> Page[ListedConversation]:
        return read_memory_page(self._list(filters), page_size, cursor, direction)

    def count(self, filters: ConversationFilters) -> ConversationCounts:
        of_any_status = self._list(filters.model_copy(update={"review_status": None}))
        return ConversationCounts(
            total=len(self._list(filters)), by_review_status=dict(Counter(row.review_status for row in of_any_status))
        )

    def list_options(self) -> ResultOptions:
        return list_memory_options(self.database)

    def describe(self, conversation_id: UUID) -> StoredConversation | None:
        return next((row for row in self._list(ConversationFilters()) if row.id == conversation_id), None)

    def find_place(self, filters: ConversationFilters, conversation_id: UUID) -> ConversationPlace:
        rows, conversation = self._list(filters), self.describe(conversation_id)
        if conversation is None:
            return ConversationPlace(total=len(rows))
        key = (conversation.created_at, conversation.id)
        before = [row.id for row in rows if (row.created_at, row.id) > key]
        behind = [row.id for row in rows if (row.created_at, row.id) < key]
        return ConversationPlace(
            newer_id=before[-1] if before else None,
            older_id=behind[0] if behind else None,
            newer=len(before),
            total=len(rows),
        )

    def review(self, conversation_id: UUID, status: ReviewStatus) -> None:
        if status is ReviewStatus.ARCHIVED:
            raise InvalidRequest("A review is approved, rejected or pending_review.")
        if self.describe(conversation_id) is None:
            raise NotFound(f"There is no conversation {conversation_id}, or it is not yours.")
        self.reviews[conversation_id] = status

    def list_for_export(
        self, filters: ConversationFilters, page_size: int, cursor: RowCursor | None
    ) -> tuple[ExportedConversation, ...]:
        key = None if cursor is None else (cursor.created_at, cursor.id)
        oldest_first = [row for row in reversed(self._list(filters)) if key is None or (row.created_at, row.id) > key]
        return tuple(_export(row) for row in oldest_first[:page_size])

    def _list(self, filters: ConversationFilters) -> list[StoredConversation]:
        rows = [self._describe(row) for row in self.database.items.values() if row.conversation is not None]
        fitting = [row for row in rows if self._fits(filters, row)]
        return sorted(fitting, key=lambda row: (row.created_at, row.id), reverse=True)

    def _fits(self, filters: ConversationFilters, row: StoredConversation) -> bool:
        item = next(item.item for item in self.database.items.values() if item.item.item_id == row.id)
        wanted = [
            (filters.batch_id, row.batch_id),
            (filters.persona_id, item.persona_id),
            (filters.emotional_arc_id, item.emotional_arc_id),
            (filters.training_topic_id, item.training_topic_id),
            (filters.category, row.category),
            (filters.tier, row.tier),
            (filters.model, row.model),
            (filters.review_status, row.review_status),
        ]
        said = " ".join([row.name, *(turn.content for turn in row.turns)])
        return (
            all(asked is None or asked == found for asked, found in wanted)
            and (filters.minimum_quality is None or (row.quality_score or -1.0) >= filters.minimum_quality)
            and (filters.text is None or has_words(said, filters.text))
        )

    def _describe(self, row: MemoryItem) -> StoredConversation:
        if row.conversation is None:
            raise ValueError("This item has no conversation.")
        batch, attempt, item = self.database.batches[row.batch_id], row.attempts[-1][1], row.item
        snapshot, turns = batch.plan.snapshot, row.conversation.turns
        persona, arc = snapshot.personas[item.persona_id], snapshot.arcs[item.emotional_arc_id]
        topic = snapshot.topics[item.training_topic_id]
        return StoredConversation(
            id=item.item_id,
            name=f"{persona.name} · {arc.name} · {topic.name}",
            batch_id=row.batch_id,
            batch_name=batch.plan.name,
            category=batch.selection.category,
            tier=Tier(row.tier),
            turn_count=len(turns),
            starting_emotion=turns[0].emotional_context.primary_emotion,
            ending_emotion=turns[-1].emotional_context.primary_emotion,
            review_status=self.reviews.get(item.item_id, ReviewStatus.PENDING_REVIEW),
            model=attempt.model,
            output_tokens=attempt.usage.output_tokens,
            cost_usd=None if attempt.cost_usd is None else float(attempt.cost_usd),
            simulated=attempt.simulated,
            created_at=row.closed_at or attempt.started_at,
            turns=turns,
            metadata=row.conversation.conversation_metadata,
            persona=persona,
            arc=arc,
            topic=topic,
            template=snapshot.templates[item.template_id],
            stop_reason=attempt.stop_reason or "end_turn",
            input_tokens=attempt.usage.input_tokens,
            max_tokens=attempt.settings.max_tokens,
            attempt_number=len(row.attempts),
            duration_ms=attempt.duration_ms,
        )


def _export(row: StoredConversation) -> ExportedConversation:
    keys = {
        "persona": None if row.persona is None else row.persona.persona_key,
        "arc": None if row.arc is None else row.arc.arc_key,
        "topic": None if row.topic is None else row.topic.topic_key,
        "template": None if row.template is None else row.template.template_key,
        "template_version": None if row.template is None else row.template.version,
    }
    return ExportedConversation.model_validate(row.model_dump(exclude={"persona", "arc", "topic", "template"}) | keys)
