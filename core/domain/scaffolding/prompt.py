"""Prompts: the text that Claude is sent, made from a template and a scaffolding.

A template has the placeholders below and nothing else, in the language of `template_language`; an unknown or a missing one
is an error when a template is saved and before a batch starts, so no prompt is sent with a missing value.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from core.domain.record import Record
from core.domain.scaffolding.records import ArcId, EmotionalArc, Persona, PromptTemplate, TrainingTopic, VariedValue
from core.domain.scaffolding.template_filling import FillingLimits, Value, fill_parts
from core.domain.scaffolding.template_language import Kind, TemplateText, read_template_text
from core.errors import TemplateInvalid

REQUIRED_PLACEHOLDERS = frozenset(
    {"persona_name", "topic_name", "starting_emotion", "ending_emotion", "turn_count_min", "turn_count_max"}
)
NUMBER_PLACEHOLDERS = frozenset(
    {
        "starting_intensity_min",
        "starting_intensity_max",
        "ending_intensity_min",
        "ending_intensity_max",
        "turn_count_min",
        "turn_count_max",
    }
)
LIST_PLACEHOLDERS = frozenset(
    {
        "persona_demographics",
        "persona_typical_questions",
        "persona_common_concerns",
        "persona_language_patterns",
        "arc_key_principles",
        "arc_characteristic_phrases",
        "arc_response_techniques",
        "arc_avoid_tactics",
        "topic_key_concepts",
        "topic_typical_questions",
    }
)
TEXT_PLACEHOLDERS = frozenset(
    {
        "persona_name",
        "persona_archetype",
        "persona_age_range",
        "persona_occupation",
        "persona_income_range",
        "persona_financial_background",
        "persona_financial_situation",
        "persona_communication_style",
        "persona_emotional_baseline",
        "arc_name",
        "arc_description",
        "arc_strategy",
        "starting_emotion",
        "ending_emotion",
        "topic_name",
        "topic_category",
        "topic_description",
        "topic_complexity_level",
        "variation",
    }
)
PLACEHOLDERS = NUMBER_PLACEHOLDERS | LIST_PLACEHOLDERS | TEXT_PLACEHOLDERS
NAMED_UNKNOWN, NAMED_CHARACTERS = 10, 60
"""How many unknown placeholders are named, and how much of each."""

_KINDS = MappingProxyType(
    dict.fromkeys(NUMBER_PLACEHOLDERS, Kind.NUMBER)
    | dict.fromkeys(LIST_PLACEHOLDERS, Kind.LIST)
    | dict.fromkeys(TEXT_PLACEHOLDERS, Kind.TEXT)
)


class Prompt(Record):
    """What is sent: system prompt and one user message."""

    system: str
    user: str

    @property
    def text(self) -> str:
        """Both parts, as stored with a failure."""
        return f"{self.system}\n\n{self.user}"


def check_template(system_prompt: str, user_prompt: str) -> tuple[str, ...]:
    """Return what is wrong with a template's two texts, in words; empty if nothing."""
    problems: list[str] = []
    used: set[str] = set()
    for part, source in (("system prompt", system_prompt), ("user prompt", user_prompt)):
        if not source.strip():
            problems.append(f"The {part} is empty.")
            continue
        try:
            used |= _read(part, source).placeholders
        except TemplateInvalid as error:
            problems.append(str(error))
    if problems:
        return tuple(problems)
    unknown = sorted(used - PLACEHOLDERS)
    problems += [f"Unknown placeholder {{{{ {name[:NAMED_CHARACTERS]} }}}}." for name in unknown[:NAMED_UNKNOWN]]
    if len(unknown) > NAMED_UNKNOWN:
        problems.append(f"{len(unknown) - NAMED_UNKNOWN} more unknown placeholders.")
    problems += [f"Missing placeholder {{{{ {name} }}}}." for name in sorted(REQUIRED_PLACEHOLDERS - used)]
    return tuple(problems)


def choose_template(offered: Iterable[PromptTemplate], arc_id: ArcId) -> PromptTemplate | None:
    """Return the template of a new batch for an arc: the first that can be filled, else the first, whose error says why."""
    of_arc = [template for template in offered if template.emotional_arc_id == arc_id]
    fillable = (template for template in of_arc if not check_template(template.system_prompt, template.user_prompt))
    return next(fillable, of_arc[0] if of_arc else None)


def uses_variation(template: PromptTemplate) -> bool:
    """Say whether a template inserts `{{ variation }}`; one that cannot be read inserts nothing."""
    try:
        texts = (_read("system prompt", template.system_prompt), _read("user prompt", template.user_prompt))
    except TemplateInvalid:
        return False
    return any("variation" in text.placeholders for text in texts)


def render_prompt(
    template: PromptTemplate,
    persona: Persona,
    arc: EmotionalArc,
    topic: TrainingTopic,
    variation: Sequence[VariedValue] = (),
) -> Prompt:
    """Fill a template; raise TemplateInvalid if a value is missing, and for nothing else.

    The system prompt ends with a line that names the scaffolding by key, for later readers of the request.
    """
    title = f"Prompt template {template.template_key} v{template.version}"
    if problems := check_template(template.system_prompt, template.user_prompt):
        raise TemplateInvalid(f"{title}: {' '.join(problems)}")
    values, limits = collect_values(persona, arc, topic, variation), FillingLimits()
    try:
        system = fill_parts(_read("system prompt", template.system_prompt).parts, values, limits).strip()
        user = fill_parts(_read("user prompt", template.user_prompt).parts, values, limits).strip()
    except TemplateInvalid as error:
        raise TemplateInvalid(f"{title} cannot be filled: {error}") from error
    keys = (
        f'persona="{persona.persona_key}" arc="{arc.arc_key}" topic="{topic.topic_key}" template="{template.template_key}"'
    )
    return Prompt(system=f"{system}\n\n<scenario {keys}/>", user=user)


def collect_values(
    persona: Persona, arc: EmotionalArc, topic: TrainingTopic, variation: Sequence[VariedValue] = ()
) -> dict[str, Value]:
    """Return the value of every placeholder; facts such as the demographics are a list of `name: text`."""
    return {
        **{f"persona_{field}": getattr(persona, field) for field in _PERSONA_FIELDS},
        **{f"arc_{field}": getattr(arc, field) for field in _ARC_FIELDS},
        "persona_demographics": _list_facts(persona.demographics),
        "arc_strategy": arc.arc_strategy.replace("_", " "),
        "starting_emotion": arc.starting_emotion,
        "starting_intensity_min": arc.starting_intensity_min,
        "starting_intensity_max": arc.starting_intensity_max,
        "ending_emotion": arc.ending_emotion,
        "ending_intensity_min": arc.ending_intensity_min,
        "ending_intensity_max": arc.ending_intensity_max,
        "turn_count_min": arc.typical_turn_count_min,
        "turn_count_max": arc.typical_turn_count_max,
        "topic_name": topic.name,
        "topic_category": topic.category.replace("_", " "),
        "topic_description": topic.description,
        "topic_complexity_level": topic.complexity_level,
        "topic_key_concepts": topic.key_concepts,
        "topic_typical_questions": topic.typical_question_examples,
        "variation": "\n".join(f"- {each.name}: {each.value}" for each in variation),
    }


_PERSONA_FIELDS = [
    "name",
    "archetype",
    "age_range",
    "occupation",
    "income_range",
    "financial_background",
    "financial_situation",
    "communication_style",
    "emotional_baseline",
    "typical_questions",
    "common_concerns",
    "language_patterns",
]
_ARC_FIELDS = ["name", "description", "key_principles", "characteristic_phrases", "response_techniques", "avoid_tactics"]


def _list_facts(facts: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{name.replace('_', ' ')}: {text}" for name, text in facts.items())


@lru_cache(maxsize=32)
def _read(part: str, source: str) -> TemplateText:
    """A batch asks for the same few texts again and again; one of full size takes about a megabyte, translated."""
    return read_template_text(part, source, _KINDS)
