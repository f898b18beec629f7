"""Prompts: the text that Claude is sent, made from a template and a scaffolding.

A template is Jinja with the placeholders below and nothing else; an unknown or a missing one is an error when a template is
saved and before a batch starts, so no prompt leaves with a hole in it.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from jinja2 import StrictUndefined, Template, TemplateError, meta
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.domain.record import Record
from core.domain.scaffolding import EmotionalArc, Persona, PromptTemplate, TrainingTopic
from core.errors import TemplateInvalid

REQUIRED_PLACEHOLDERS = frozenset(
    {"persona_name", "topic_name", "starting_emotion", "ending_emotion", "turn_count_min", "turn_count_max"}
)
PLACEHOLDERS = REQUIRED_PLACEHOLDERS | {
    "persona_archetype",
    "persona_age_range",
    "persona_occupation",
    "persona_income_range",
    "persona_demographics",
    "persona_financial_background",
    "persona_financial_situation",
    "persona_communication_style",
    "persona_emotional_baseline",
    "persona_typical_questions",
    "persona_common_concerns",
    "persona_language_patterns",
    "arc_name",
    "arc_description",
    "arc_strategy",
    "arc_key_principles",
    "arc_characteristic_phrases",
    "arc_response_techniques",
    "arc_avoid_tactics",
    "starting_intensity_min",
    "starting_intensity_max",
    "ending_intensity_min",
    "ending_intensity_max",
    "topic_category",
    "topic_description",
    "topic_complexity_level",
    "topic_key_concepts",
    "topic_typical_questions",
}

# Templates are data that people edit: sandboxed, and nothing is HTML here, so nothing is escaped.
_ENVIRONMENT = ImmutableSandboxedEnvironment(
    undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
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
    used: set[str] = set()
    for part, source in (("system prompt", system_prompt), ("user prompt", user_prompt)):
        if not source.strip():
            return (f"The {part} is empty.",)
        try:
            used |= meta.find_undeclared_variables(_ENVIRONMENT.parse(source))
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            return (f"The {part} does not parse{f' (line {line})' if line else ''}: {error}.",)
    problems = [f"Unknown placeholder {{{{ {name} }}}}." for name in sorted(used - PLACEHOLDERS)]
    problems += [f"Missing placeholder {{{{ {name} }}}}." for name in sorted(REQUIRED_PLACEHOLDERS - used)]
    return tuple(problems)


def render_prompt(template: PromptTemplate, persona: Persona, arc: EmotionalArc, topic: TrainingTopic) -> Prompt:
    """Fill a template; raise TemplateInvalid rather than return a prompt with a hole.

    The system prompt ends with a line that names the scaffolding by key, for whoever reads a request later.
    """
    if problems := check_template(template.system_prompt, template.user_prompt):
        raise TemplateInvalid(f"Prompt template {template.template_key} v{template.version}: {' '.join(problems)}")
    values = collect_values(persona, arc, topic)
    try:
        system = _compile(template.system_prompt).render(values).strip()
        user = _compile(template.user_prompt).render(values).strip()
    except TemplateError as error:
        message = f"Prompt template {template.template_key} v{template.version} does not render: {error}."
        raise TemplateInvalid(message) from error
    keys = (
        f'persona="{persona.persona_key}" arc="{arc.arc_key}" topic="{topic.topic_key}" template="{template.template_key}"'
    )
    return Prompt(system=f"{system}\n\n<scenario {keys}/>", user=user)


def collect_values(persona: Persona, arc: EmotionalArc, topic: TrainingTopic) -> dict[str, Any]:
    """Return the value of every placeholder: numbers as numbers, lists as lines that begin with a dash."""
    return {
        **{f"persona_{field}": _as_text(getattr(persona, field)) for field in _PERSONA_FIELDS},
        **{f"arc_{field}": _as_text(getattr(arc, field)) for field in _ARC_FIELDS},
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
        "topic_key_concepts": _as_text(topic.key_concepts),
        "topic_typical_questions": _as_text(topic.typical_question_examples),
    }


_PERSONA_FIELDS = [
    "name",
    "archetype",
    "age_range",
    "occupation",
    "income_range",
    "demographics",
    "financial_background",
    "financial_situation",
    "communication_style",
    "emotional_baseline",
    "typical_questions",
    "common_concerns",
    "language_patterns",
]
_ARC_FIELDS = ["name", "description", "key_principles", "characteristic_phrases", "response_techniques", "avoid_tactics"]


def _as_text(value: str | Mapping[str, str] | Iterable[str]) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        facts = cast("Mapping[str, str]", value)
        return "\n".join(f"- {name.replace('_', ' ')}: {text}" for name, text in facts.items())
    return "\n".join(f"- {line}" for line in value)


@lru_cache(maxsize=256)
def _compile(source: str) -> Template:
    return _ENVIRONMENT.from_string(source)
