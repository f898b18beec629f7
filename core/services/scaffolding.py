"""The active scaffolding: what can be chosen."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from core.domain.scaffolding.prompt import choose_template
from core.domain.scaffolding.records import (
    ArcId,
    ConversationCategory,
    EmotionalArc,
    Persona,
    PromptTemplate,
    TrainingTopic,
    VariationAxis,
)
from core.domain.scaffolding.variations import describe_same_prompts
from core.errors import InvalidRequest
from core.ports.scaffolding import ScaffoldingStore

ALL = "all"
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The active scaffolding, in the order in which it is offered."""

    personas: tuple[Persona, ...]
    arcs: tuple[EmotionalArc, ...]
    topics: tuple[TrainingTopic, ...]
    offered_templates: tuple[PromptTemplate, ...]
    axes: tuple[VariationAxis, ...] = ()

    def arcs_of(self, category: ConversationCategory) -> tuple[EmotionalArc, ...]:
        """Return the arcs of one category."""
        return tuple(arc for arc in self.arcs if arc.conversation_category is category)

    def usable_arcs_of(self, category: ConversationCategory) -> tuple[EmotionalArc, ...]:
        """Return the arcs of one category with a template for this analyst."""
        with_template = {template.emotional_arc_id for template in self.offered_templates}
        return tuple(arc for arc in self.arcs_of(category) if arc.id in with_template)

    def find_template(self, arc: EmotionalArc) -> PromptTemplate | None:
        """Return the template that a new batch takes for an arc."""
        return choose_template(self.offered_templates, arc.id)

    def describe_same_prompts(self, arc_ids: Iterable[UUID], per_combination: int) -> str | None:
        """Say which conversations will share a prompt if each combination of these arcs has so many; None if none will."""
        templates = (choose_template(self.offered_templates, ArcId(arc_id)) for arc_id in arc_ids)
        return describe_same_prompts(
            per_combination, self.axes, [template for template in templates if template is not None]
        )

    def has_other_template(self, *, arc_id: UUID | None = None, template_id: UUID | None = None) -> bool:
        """Say whether there is a template to compare with: for this arc, for that of this template, else for any.

        Whoever used a template that is not offered any more may try one that is.
        """
        offered: dict[UUID, UUID] = {template.id: template.emotional_arc_id for template in self.offered_templates}
        if template_id is not None:
            if template_id not in offered:
                return bool(offered)
            arc_id = offered[template_id]
        counts = Counter(offered.values())
        return any(count > 1 for arc, count in counts.items() if arc_id in (None, arc))


@dataclass(frozen=True, kw_only=True)
class ScaffoldingService:
    """Reads the scaffolding and finds it by key."""

    store: ScaffoldingStore

    def list_choices(self) -> Choices:
        """Return what is active: personas and arcs by name, topics by category and name."""
        return Choices(
            personas=tuple(sorted((p for p in self.store.list_personas() if p.is_active), key=lambda p: p.name)),
            arcs=tuple(sorted((a for a in self.store.list_arcs() if a.is_active), key=lambda a: a.name)),
            topics=tuple(sorted((t for t in self.store.list_topics() if t.is_active), key=lambda t: (t.category, t.name))),
            offered_templates=self.store.list_offered_templates(),
            axes=self.store.list_offered_axes(),
        )


def pick_personas(choices: Choices, keys: str) -> tuple[Persona, ...]:
    """Return personas for `all` or a comma-separated list of keys; raise InvalidRequest that names unknown ones."""
    return _pick("persona", {persona.persona_key: persona for persona in choices.personas}, keys)


def pick_arcs(choices: Choices, category: ConversationCategory, keys: str) -> tuple[EmotionalArc, ...]:
    """Return arcs of one category, as pick_personas does; `all` are those with a template, if any."""
    usable = choices.usable_arcs_of(category)
    if usable and _asks_for_all(keys):
        return usable
    return _pick(f"{category} arc", {arc.arc_key: arc for arc in choices.arcs_of(category)}, keys)


def find_left_out_arcs(choices: Choices, category: ConversationCategory, keys: str) -> tuple[EmotionalArc, ...]:
    """Return the arcs of one category that `all` leaves out; named ones are never left out."""
    picked = pick_arcs(choices, category, keys)
    return tuple(arc for arc in choices.arcs_of(category) if _asks_for_all(keys) and arc not in picked)


def pick_topics(choices: Choices, keys: str) -> tuple[TrainingTopic, ...]:
    """Return topics for `all`, a number (spread over the categories) or a comma-separated list of keys."""
    if not keys.strip().lstrip("+-").isdigit():
        return _pick("topic", {topic.topic_key: topic for topic in choices.topics}, keys)
    wanted = int(keys)
    if not 1 <= wanted <= len(choices.topics):
        raise InvalidRequest(f"--topics {wanted}: there are {len(choices.topics)} active topics; ask for 1 to that many.")
    return spread_topics(choices.topics, wanted)


def spread_topics(topics: tuple[TrainingTopic, ...], wanted: int) -> tuple[TrainingTopic, ...]:
    """Take the first of each category, then the second of each, and so on: the same ones every time."""
    rank: dict[str, int] = {}
    ranked: list[tuple[int, int]] = []
    for index, topic in enumerate(topics):
        rank[topic.category] = rank.get(topic.category, 0) + 1
        ranked.append((rank[topic.category], index))
    chosen = sorted(index for _, index in sorted(ranked)[:wanted])
    return tuple(topics[index] for index in chosen)


def _pick(noun: str, known: dict[str, Item], keys: str) -> tuple[Item, ...]:
    if _asks_for_all(keys):
        return tuple(known.values())
    wanted = _split(keys)
    if not wanted:
        raise InvalidRequest(f"No {noun} selected. Give `all` or keys of: {', '.join(known)}.")
    if unknown := [key for key in wanted if key not in known]:
        raise InvalidRequest(f"Unknown {noun}: {', '.join(unknown)}. Known are: {', '.join(known)}.")
    return tuple(known[key] for key in wanted)


def _asks_for_all(keys: str) -> bool:
    return keys.strip().lower() == ALL


def _split(keys: str) -> Iterable[str]:
    return list(dict.fromkeys(key.strip() for key in keys.split(",") if key.strip()))
