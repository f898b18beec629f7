"""Selections that are made in one click."""

from core.domain.batches.batch import Selection
from core.domain.record import Record
from core.domain.scaffolding.records import ConversationCategory, EmotionalArc
from core.services.scaffolding import Choices, spread_topics

DATA_SET_TOPICS, DATA_SET_EDGE_LIMIT = 6, 10
TRIAL_TOPICS = 2


class Preset(Record):
    """One selection, or several that are submitted together, each as a batch."""

    name: str
    """What it is for, and what it takes."""
    selections: tuple[Selection, ...]


def build_presets(choices: Choices) -> tuple[Preset, ...]:
    """Return what the active scaffolding allows: first a trial, last the whole data set."""
    core, edge = (choices.usable_arcs_of(category) for category in (ConversationCategory.CORE, ConversationCategory.EDGE))
    trial = _select(choices, core[:1], personas=1, topics=TRIAL_TOPICS)
    all_core, all_edge = _select(choices, core), _select(choices, edge)
    set_core = _select(choices, core, topics=DATA_SET_TOPICS)
    set_edge = _select(choices, edge, limit=DATA_SET_EDGE_LIMIT)
    whole = f"core {set_core.formula}, edge {set_edge.planned} of {all_edge.formula}"
    presets = (
        Preset(name=f"Whole data set: {whole}", selections=(set_core, set_edge)),
        Preset(name=f"Try it: {_name_first(choices, core)}; {trial.formula}", selections=(trial,)),
        Preset(name=f"All core: {all_core.formula}", selections=(all_core,)),
        Preset(name=f"All edge: {all_edge.formula}", selections=(all_edge,)),
    )
    return tuple(preset for preset in presets if all(selection.planned for selection in preset.selections))


def _name_first(choices: Choices, arcs: tuple[EmotionalArc, ...]) -> str:
    return ", ".join(row.name for row in (*choices.personas[:1], *arcs[:1]))


def _select(
    choices: Choices,
    arcs: tuple[EmotionalArc, ...],
    *,
    personas: int | None = None,
    topics: int | None = None,
    limit: int | None = None,
) -> Selection:
    chosen_topics = choices.topics if topics is None else spread_topics(choices.topics, topics)
    return Selection(
        category=arcs[0].conversation_category if arcs else ConversationCategory.CORE,
        persona_ids=tuple(persona.id for persona in choices.personas[:personas]),
        arc_ids=tuple(arc.id for arc in arcs),
        topic_ids=tuple(topic.id for topic in chosen_topics),
        limit=limit,
    )
