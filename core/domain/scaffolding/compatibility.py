"""What an arc is recommended for: hints that never forbid anything."""

from collections.abc import Sequence

from core.domain.record import Record
from core.domain.scaffolding.records import EmotionalArc, Persona, TrainingTopic


class Hint(Record):
    """Chosen personas and topics that an arc does not name as suitable."""

    arc: EmotionalArc
    personas: tuple[Persona, ...]
    topics: tuple[TrainingTopic, ...]


def suits_persona(arc: EmotionalArc, persona: Persona) -> bool:
    """Say whether an arc names a persona; an arc that names none suits all."""
    return not arc.suitable_personas or persona.persona_key in arc.suitable_personas


def suits_topic(arc: EmotionalArc, topic: TrainingTopic) -> bool:
    """Say whether an arc names a topic; an arc that names none suits all."""
    return not arc.suitable_topics or topic.topic_key in arc.suitable_topics


def find_hints(
    arcs: Sequence[EmotionalArc], personas: Sequence[Persona], topics: Sequence[TrainingTopic]
) -> tuple[Hint, ...]:
    """Return a hint for each chosen arc that is combined with a persona or topic beyond what it names."""
    hints = (
        Hint(
            arc=arc,
            personas=tuple(persona for persona in personas if not suits_persona(arc, persona)),
            topics=tuple(topic for topic in topics if not suits_topic(arc, topic)),
        )
        for arc in arcs
    )
    return tuple(hint for hint in hints if hint.personas or hint.topics)
