"""Scaffolding: what a conversation is made from (personas, emotional arcs, topics, axes of variation), and the templates."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, NewType
from uuid import UUID

from pydantic import AwareDatetime

from core.domain.record import Record

PersonaId = NewType("PersonaId", UUID)
ArcId = NewType("ArcId", UUID)
TopicId = NewType("TopicId", UUID)
TemplateId = NewType("TemplateId", UUID)
AxisId = NewType("AxisId", UUID)


class ConversationCategory(StrEnum):
    """Which half of the data set an arc belongs to."""

    CORE = "core"  #: a standard emotional journey
    EDGE = "edge"  #: a boundary or crisis scenario


class Tier(StrEnum):
    """How demanding the arc is; every edge arc is `edge_case`."""

    TEMPLATE = "template"
    SCENARIO = "scenario"
    EDGE_CASE = "edge_case"


class ComplexityLevel(StrEnum):
    """How much a client must know to talk about a topic."""

    BEGINNER = "beginner"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"


class Persona(Record):
    """Who the client is. Like all scaffolding: without `updated_at` it is not in a database yet."""

    id: PersonaId
    persona_key: str
    name: str
    archetype: str
    age_range: str
    occupation: str
    income_range: str
    demographics: Mapping[str, str] = {}
    financial_background: str
    financial_situation: str
    communication_style: str
    emotional_baseline: str
    typical_questions: tuple[str, ...] = ()
    common_concerns: tuple[str, ...] = ()
    language_patterns: tuple[str, ...] = ()
    is_active: bool = True
    updated_at: AwareDatetime | None = None


class EmotionalArc(Record):
    """The emotional journey from the first turn to the last; intensities run from 0 to 1."""

    id: ArcId
    arc_key: str
    name: str
    description: str = ""
    conversation_category: ConversationCategory
    tier: Tier
    starting_emotion: str
    starting_intensity_min: float
    starting_intensity_max: float
    ending_emotion: str
    ending_intensity_min: float
    ending_intensity_max: float
    arc_strategy: str
    key_principles: tuple[str, ...] = ()
    characteristic_phrases: tuple[str, ...] = ()
    response_techniques: tuple[str, ...] = ()
    avoid_tactics: tuple[str, ...] = ()
    typical_turn_count_min: int
    typical_turn_count_max: int
    complexity_baseline: int
    suitable_personas: tuple[str, ...] = ()
    suitable_topics: tuple[str, ...] = ()
    is_active: bool = True
    updated_at: AwareDatetime | None = None


class TrainingTopic(Record):
    """What the conversation is about."""

    id: TopicId
    topic_key: str
    name: str
    category: str
    description: str = ""
    complexity_level: str
    typical_question_examples: tuple[str, ...] = ()
    key_concepts: tuple[str, ...] = ()
    suitable_personas: tuple[str, ...] = ()
    suitable_emotional_arcs: tuple[str, ...] = ()
    requires_specialist: bool = False
    is_active: bool = True
    updated_at: AwareDatetime | None = None


class PromptTemplate(Record):
    """A Jinja prompt for one arc: what Claude is told to be, and what it is asked for."""

    id: TemplateId
    template_key: str
    name: str
    description: str = ""
    version: int = 1
    emotional_arc_id: ArcId
    system_prompt: str
    user_prompt: str
    is_active: bool = True
    updated_at: AwareDatetime | None = None


class VariationAxis(Record):
    """One respect in which conversations of the same combination differ, and the values that it may have."""

    id: AxisId
    axis_key: str
    name: str
    values: tuple[str, ...]
    is_active: bool = True
    created_by: UUID | None = None
    """Whose copy it is; None: it ships with Bright Run."""
    updated_at: AwareDatetime | None = None


class VariedValue(Record):
    """The value that one conversation is told of an axis."""

    axis_key: str
    name: str
    value: str


Scaffold = Persona | EmotionalArc | TrainingTopic | VariationAxis
"""What a prompt is filled with."""


class ScaffoldKind(StrEnum):
    """The tables of the scaffolding."""

    PERSONA = "persona"
    ARC = "arc"
    TOPIC = "topic"
    TEMPLATE = "template"
    AXIS = "axis"


class SaveOutcome(Record):
    """What the database made of an edit; `reason` says why it was not saved."""

    outcome: Literal["saved", "rejected", "conflict"]
    id: UUID | None = None
    reason: str | None = None


class Uses(Record):
    """The analyst's items of a persona, an arc, a topic or a template."""

    accepted: int = 0
    failed: int = 0
