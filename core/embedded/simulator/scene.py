"""Who talks to whom about what, as far as the prompt says.

The prompt's last line names the scaffolding by key. Keys that ship with Bright Run are looked up; for others the scene is
read from the prompt's own text, and anything missing is filled in generally.
"""

import re
from functools import cache, lru_cache
from typing import Any

from core.domain.record import Record
from core.domain.scaffolding.records import EmotionalArc, Persona, TrainingTopic
from core.scaffolding_data import (
    load_emotional_arcs,
    load_personas,
    load_prompt_templates,
    load_training_topics,
    load_variation_axes,
)

_SCENARIO_TAG = re.compile(r"<scenario\s([^<>]*)/>")
_ATTRIBUTE = re.compile(r'(persona|arc|topic|template)="([^"]*)"')
_TURN_RANGE = re.compile(r"\b(\d{1,2})\s*(?:-|\u2013|to|and)\s*(\d{1,2})\s*\Z")
_TURN_RANGE_CHARS_MAX = 24
_NAME_LINE = re.compile(
    r"^\W*(?:name|client|persona)\W*:\W*([A-Z][\w'\u2019-]*(?: [A-Z][\w'\u2019.-]*){0,3})", re.MULTILINE | re.IGNORECASE
)
_TOPIC_LINE = re.compile(r"^\W*(?:topic|subject)\W*:\W*([^\n(:]{3,80})", re.MULTILINE | re.IGNORECASE)

_VARIED_LINE = re.compile(
    rf"^- ({'|'.join(re.escape(axis.name) for axis in load_variation_axes())}): (.+)$", re.MULTILINE | re.IGNORECASE
)
_LENGTH_AXIS = "length"

_PARTNERS = {"overwhelmed_avoider": "Priya", "anxious_planner": "Luis", "pragmatic_optimist": "Hannah"}
MAX_TURNS = 20


class Scene(Record):
    """The material of a conversation. Keys are empty if the prompt has none; intensities run from 0 to 1."""

    persona_key: str = ""
    arc_key: str = ""
    topic_key: str = ""
    template_key: str = ""
    client_name: str = "Alex Morgan"
    client_archetype: str = "A client"
    partner_name: str = "my partner"
    arc_name: str = "From unease to relief"
    starting_emotion: str = "worry"
    starting_intensity: tuple[float, float] = (0.6, 0.8)
    ending_emotion: str = "relief"
    ending_intensity: tuple[float, float] = (0.5, 0.7)
    turn_count_min: int = 8
    turn_count_max: int = 12
    topic_name: str = "this decision"
    concepts: tuple[str, ...] = ("the timing", "the cost", "the paperwork")
    questions: tuple[str, ...] = ()
    particulars: tuple[str, ...] = ()
    """What a variation is told of the shipped axes, but for its length."""

    @property
    def first_name(self) -> str:
        """How the consultant addresses the client."""
        return self.client_name.split()[0]

    @property
    def labels(self) -> frozenset[str]:
        """The keys that a fault's scope may name."""
        return frozenset({self.persona_key, self.arc_key, self.topic_key, self.template_key} - {""})


def read_scene(system: str, user: str) -> Scene:
    """Return the scene of a prompt; never fails, since any text may be a prompt."""
    tags = _SCENARIO_TAG.findall(system)
    keys = dict(_ATTRIBUTE.findall(tags[-1])) if tags else {}
    scene = _look_up_scene(keys.get("persona", ""), keys.get("arc", ""), keys.get("topic", ""), keys.get("template", ""))
    changes: dict[str, Any] = {}
    if (match := _find_turn_range(user) or _find_turn_range(system)) is not None:
        changes = {"turn_count_min": int(match[1]), "turn_count_max": min(int(match[2]), MAX_TURNS)}
    if scene.persona_key not in _personas() and (match := _NAME_LINE.search(user) or _NAME_LINE.search(system)) is not None:
        changes["client_name"] = match[1].strip()
    if scene.topic_key not in _topics() and (match := _TOPIC_LINE.search(user) or _TOPIC_LINE.search(system)) is not None:
        changes["topic_name"] = match[1].strip()
    told = {name.casefold(): value for name, value in _VARIED_LINE.findall(user)}
    length = told.pop(_LENGTH_AXIS, "")
    fewest, most = (int(changes.get(f"turn_count_{end}", getattr(scene, f"turn_count_{end}"))) for end in ("min", "max"))
    if length.startswith("short"):
        changes["turn_count_max"] = min(most, fewest + 1)
    elif length.startswith("long"):
        changes["turn_count_min"] = max(fewest, most - 1)
    return scene.model_copy(update=changes | {"particulars": tuple(told.values())})


@cache
def list_shipped_keys() -> frozenset[str]:
    """Return every key of the shipped scaffolding, for a warning about a scope that is probably misspelt."""
    templates = {template.template_key for template in load_prompt_templates()}
    return frozenset(_personas()) | frozenset(_arcs()) | frozenset(_topics()) | templates


@lru_cache(maxsize=4_096)
def _look_up_scene(persona_key: str, arc_key: str, topic_key: str, template_key: str) -> Scene:
    fields: dict[str, object] = {
        "persona_key": persona_key,
        "arc_key": arc_key,
        "topic_key": topic_key,
        "template_key": template_key,
    }
    if (persona := _personas().get(persona_key)) is not None:
        fields |= {"client_name": persona.name, "client_archetype": persona.archetype}
        fields |= {"partner_name": _PARTNERS.get(persona_key, "my partner")}
    if (arc := _arcs().get(arc_key)) is not None:
        fields |= _describe_arc(arc)
    elif "_to_" in arc_key:
        start, _, end = arc_key.partition("_to_")
        fields |= {"arc_name": _spell_out(arc_key), "starting_emotion": _spell_out(start), "ending_emotion": _spell_out(end)}
    if (topic := _topics().get(topic_key)) is not None:
        fields |= {"topic_name": topic.name, "concepts": topic.key_concepts, "questions": topic.typical_question_examples}
    elif topic_key:
        fields |= {"topic_name": _spell_out(topic_key)}
    return Scene.model_validate(fields)


def _find_turn_range(text: str) -> re.Match[str] | None:
    # Searching for the word first is twenty times as fast as searching a long prompt for digits.
    position = text.find("turns")
    while position >= 0:
        if (match := _TURN_RANGE.search(text[max(0, position - _TURN_RANGE_CHARS_MAX) : position])) is not None:
            return match
        position = text.find("turns", position + 1)
    return None


def _describe_arc(arc: EmotionalArc) -> dict[str, object]:
    return {
        "arc_name": arc.name,
        "starting_emotion": arc.starting_emotion,
        "starting_intensity": (arc.starting_intensity_min, arc.starting_intensity_max),
        "ending_emotion": arc.ending_emotion,
        "ending_intensity": (arc.ending_intensity_min, arc.ending_intensity_max),
        "turn_count_min": arc.typical_turn_count_min,
        "turn_count_max": arc.typical_turn_count_max,
    }


def _spell_out(key: str) -> str:
    return key.replace("_", " ")


@cache
def _personas() -> dict[str, Persona]:
    return {persona.persona_key: persona for persona in load_personas()}


@cache
def _arcs() -> dict[str, EmotionalArc]:
    return {arc.arc_key: arc for arc in load_emotional_arcs()}


@cache
def _topics() -> dict[str, TrainingTopic]:
    return {topic.topic_key: topic for topic in load_training_topics()}
