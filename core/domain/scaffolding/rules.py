"""What a persona, an arc, a topic or a template must be to be saved; the database holds to the same rules."""

import re
from typing import assert_never, cast

from pydantic import JsonValue

from core.domain.scaffolding.prompt import check_template
from core.domain.scaffolding.records import (
    ConversationCategory,
    EmotionalArc,
    Persona,
    PromptTemplate,
    Scaffold,
    ScaffoldKind,
    Tier,
    TrainingTopic,
    VariationAxis,
)

KEY_PATTERN = re.compile(r"[a-z0-9_]{1,100}")
KEY_RULE = "Use 1–100 of a–z, 0–9 and _."
HIGHEST_COMPLEXITY = 10
PERSONA_TEXTS = (
    "name", "archetype", "age_range", "occupation", "income_range", "financial_background", "financial_situation",
    "communication_style", "emotional_baseline",
)  # fmt: skip
ARC_TEXTS = ("name", "starting_emotion", "ending_emotion", "arc_strategy")
TOPIC_TEXTS = ("name", "category")
MOST_CHARACTERS = 50_000
"""Of all texts of a persona, an arc or a topic: one of each and a template fit into a prompt."""
MOST_AXIS_VALUES, MOST_VALUE_CHARACTERS = 50, 200


def find_key(record: Scaffold | PromptTemplate) -> str:
    """Return the key, whatever its column is called."""
    match record:
        case Persona():
            return record.persona_key
        case EmotionalArc():
            return record.arc_key
        case TrainingTopic():
            return record.topic_key
        case PromptTemplate():
            return record.template_key
        case VariationAxis():
            return record.axis_key
        case _:
            assert_never(record)


def find_required(kind: ScaffoldKind) -> frozenset[str]:
    """Return the fields that must not be empty."""
    match kind:
        case ScaffoldKind.PERSONA:
            return frozenset({"persona_key", *PERSONA_TEXTS})
        case ScaffoldKind.ARC:
            return frozenset({"arc_key", *ARC_TEXTS})
        case ScaffoldKind.TOPIC:
            return frozenset({"topic_key", *TOPIC_TEXTS})
        case ScaffoldKind.TEMPLATE:
            return frozenset({"template_key", "name"})
        case ScaffoldKind.AXIS:
            return frozenset({"axis_key", "name", "values"})
        case _:
            assert_never(kind)


def find_problems(record: Scaffold | PromptTemplate) -> tuple[str, ...]:
    """Return what keeps a record from being saved, in words; empty if nothing."""
    problems: list[str] = []
    if not KEY_PATTERN.fullmatch(find_key(record)):
        problems.append(f"Key: {KEY_RULE}")
    match record:
        case Persona():
            problems += _find_empty(record, PERSONA_TEXTS) + _check_length(record)
        case EmotionalArc():
            problems += _find_empty(record, ARC_TEXTS) + _check_arc(record) + _check_length(record)
        case TrainingTopic():
            problems += _find_empty(record, TOPIC_TEXTS) + _check_length(record)
        case PromptTemplate():
            problems += _find_empty(record, ("name",))
            problems += check_template(record.system_prompt, record.user_prompt)
        case VariationAxis():
            problems += _find_empty(record, ("name",)) + _check_axis(record)
        case _:
            assert_never(record)
    return tuple(problems)


def count_characters(record: Scaffold) -> int:
    """Return how long all texts of a record are together, as the database counts them."""
    total = 0
    values = cast("dict[str, JsonValue]", record.model_dump(mode="json", exclude={"id", "updated_at"}))
    for value in values.values():
        match value:
            case str():
                total += len(value)
            case list():
                total += sum(len(str(entry)) for entry in value)
            case dict():
                total += sum(len(name) + len(str(text)) for name, text in value.items())
            case _:
                pass  # A number or a flag.
    return total


def _check_length(record: Scaffold) -> list[str]:
    characters = count_characters(record)
    if characters <= MOST_CHARACTERS:
        return []
    return [f"All texts together: at most {MOST_CHARACTERS:,} characters, not {characters:,}."]


def _check_arc(arc: EmotionalArc) -> list[str]:
    problems: list[str] = []
    for label, low, high in (
        ("Starting intensity", arc.starting_intensity_min, arc.starting_intensity_max),
        ("Ending intensity", arc.ending_intensity_min, arc.ending_intensity_max),
    ):
        if not (0 <= low <= 1 and 0 <= high <= 1):
            problems.append(f"{label}: between 0 and 1.")
        elif low > high:
            problems.append(f"{label}: the lower bound {low:g} is above the upper bound {high:g}.")
    if arc.typical_turn_count_min < 1:
        problems.append("Turns: at least 1.")
    if arc.typical_turn_count_min > arc.typical_turn_count_max:
        problems.append("Turns: the lower bound is above the upper bound.")
    if not 1 <= arc.complexity_baseline <= HIGHEST_COMPLEXITY:
        problems.append(f"Complexity: 1 to {HIGHEST_COMPLEXITY}.")
    if (arc.conversation_category is ConversationCategory.EDGE) != (arc.tier is Tier.EDGE_CASE):
        problems.append("Tier: edge arcs use the tier “edge case”, and no others do.")
    return problems


def _check_axis(axis: VariationAxis) -> list[str]:
    values = [value.strip() for value in axis.values if value.strip()]
    if not 1 <= len(values) <= MOST_AXIS_VALUES:
        return [f"Values: 1 to {MOST_AXIS_VALUES}, one per line."]
    if any(len(value) > MOST_VALUE_CHARACTERS for value in values):
        return [f"Values: at most {MOST_VALUE_CHARACTERS} characters each."]
    if len(set(values)) < len(values):
        return ["Values: write each only once."]
    return []


def _find_empty(record: Scaffold | PromptTemplate, fields: tuple[str, ...]) -> list[str]:
    return [
        f"{field.replace('_', ' ').capitalize()}: write something." for field in fields if not getattr(record, field).strip()
    ]
