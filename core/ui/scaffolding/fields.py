"""The fields of a persona, an arc, a topic and an axis, as a form draws and reads them."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, assert_never

import streamlit as st

from core.domain.record import Record
from core.domain.scaffolding.records import ComplexityLevel, ConversationCategory, ScaffoldKind, Tier
from core.domain.scaffolding.rules import KEY_PATTERN, KEY_RULE
from core.ui.shell.formats import escape_markdown, format_words


class Shape(StrEnum):
    """How a field is written down."""

    LINE = "line"
    TEXT = "text"
    LINES = "lines"  #: one entry per line
    FACTS = "facts"  #: one `name: text` per line
    SHARE = "share"
    COUNT = "count"
    CHOICE = "choice"
    FLAG = "flag"


class Field(Record):
    """One field of a form."""

    name: str
    shape: Shape
    label: str | None = None
    help: str | None = None
    options: tuple[str, ...] = ()
    start: Any = None
    """What a new record begins with."""
    height: int = 110
    """Of a text area, in pixels."""


KEY_HELP = "Use 1–100 of a–z, 0–9 and _. It cannot be changed later."
ACTIVE_HELP = "Only active records are offered for new batches. Existing batches and their conversations stay as they are."
ACTIVE = Field(name="is_active", shape=Shape.FLAG, label="Active", help=ACTIVE_HELP, start=True)
KEYS_HELP = "One key per line; empty: all. Only a hint in the Bulk Generator."

PERSONA_COLUMNS: tuple[tuple[Field, ...], ...] = (
    (
        Field(name="persona_key", shape=Shape.LINE, label="Key", help=KEY_HELP),
        Field(name="name", shape=Shape.LINE),
        Field(name="archetype", shape=Shape.LINE),
        Field(name="age_range", shape=Shape.LINE),
        Field(name="occupation", shape=Shape.LINE),
        Field(name="income_range", shape=Shape.LINE),
        ACTIVE,
    ),
    (
        Field(name="demographics", shape=Shape.FACTS, help='One per line, e.g. "age: 37"'),
        Field(name="financial_background", shape=Shape.TEXT),
        Field(name="financial_situation", shape=Shape.TEXT),
        Field(name="communication_style", shape=Shape.TEXT),
        Field(name="emotional_baseline", shape=Shape.TEXT),
    ),
    (
        Field(name="typical_questions", shape=Shape.LINES),
        Field(name="common_concerns", shape=Shape.LINES),
        Field(name="language_patterns", shape=Shape.LINES),
    ),
)
ARC_COLUMNS: tuple[tuple[Field, ...], ...] = (
    (
        Field(name="arc_key", shape=Shape.LINE, label="Key", help=KEY_HELP),
        Field(name="name", shape=Shape.LINE),
        Field(
            name="conversation_category",
            shape=Shape.CHOICE,
            label="Category",
            options=tuple(ConversationCategory),
            start=ConversationCategory.CORE,
        ),
        Field(
            name="tier",
            shape=Shape.CHOICE,
            options=tuple(Tier),
            start=Tier.TEMPLATE,
            help='Edge arcs always use the tier "edge case"',
        ),
        Field(name="starting_emotion", shape=Shape.LINE),
        Field(name="starting_intensity_min", shape=Shape.SHARE, label="Starting intensity, from", start=0.7),
        Field(name="starting_intensity_max", shape=Shape.SHARE, label="Starting intensity, to", start=0.9),
        Field(name="ending_emotion", shape=Shape.LINE),
        Field(name="ending_intensity_min", shape=Shape.SHARE, label="Ending intensity, from", start=0.3),
        Field(name="ending_intensity_max", shape=Shape.SHARE, label="Ending intensity, to", start=0.6),
        ACTIVE,
    ),
    (
        Field(name="description", shape=Shape.TEXT),
        Field(name="arc_strategy", shape=Shape.LINE, label="Strategy"),
        Field(name="typical_turn_count_min", shape=Shape.COUNT, label="Turns, from", start=3),
        Field(name="typical_turn_count_max", shape=Shape.COUNT, label="Turns, to", start=5),
        Field(name="complexity_baseline", shape=Shape.COUNT, label="Complexity, 1 to 10", start=5),
        Field(name="suitable_personas", shape=Shape.LINES, help=KEYS_HELP),
        Field(name="suitable_topics", shape=Shape.LINES, help=KEYS_HELP),
    ),
    (
        Field(name="key_principles", shape=Shape.LINES),
        Field(name="characteristic_phrases", shape=Shape.LINES),
        Field(name="response_techniques", shape=Shape.LINES),
        Field(name="avoid_tactics", shape=Shape.LINES),
    ),
)
TOPIC_COLUMNS: tuple[tuple[Field, ...], ...] = (
    (
        Field(name="topic_key", shape=Shape.LINE, label="Key", help=KEY_HELP),
        Field(name="name", shape=Shape.LINE),
        Field(name="category", shape=Shape.LINE),
        Field(
            name="complexity_level",
            shape=Shape.CHOICE,
            options=tuple(ComplexityLevel),
            start=ComplexityLevel.INTERMEDIATE,
        ),
        Field(name="requires_specialist", shape=Shape.FLAG, start=False),
        ACTIVE,
    ),
    (
        Field(name="description", shape=Shape.TEXT),
        Field(name="typical_question_examples", shape=Shape.LINES),
        Field(name="key_concepts", shape=Shape.LINES),
    ),
    (
        Field(name="suitable_personas", shape=Shape.LINES, help=KEYS_HELP),
        Field(name="suitable_emotional_arcs", shape=Shape.LINES, help=KEYS_HELP),
    ),
)
AXIS_COLUMNS: tuple[tuple[Field, ...], ...] = (
    (
        Field(name="axis_key", shape=Shape.LINE, label="Key", help=KEY_HELP),
        Field(name="name", shape=Shape.LINE, help="Stands before the value in the prompt"),
        Field(
            name="is_active",
            shape=Shape.FLAG,
            label="Active",
            help="Only active axes make new conversations differ. Existing batches stay as they are.",
            start=True,
        ),
    ),
    (
        Field(
            name="values",
            shape=Shape.LINES,
            help="One per line, 1 to 50. From its second conversation on, a combination is told one of them, in turn.",
            height=200,
        ),
    ),
)


def find_columns(kind: ScaffoldKind) -> tuple[tuple[Field, ...], ...]:
    """Return the fields of a kind, in the columns of its form; templates have an editor of their own."""
    match kind:
        case ScaffoldKind.PERSONA:
            return PERSONA_COLUMNS
        case ScaffoldKind.ARC:
            return ARC_COLUMNS
        case ScaffoldKind.TOPIC:
            return TOPIC_COLUMNS
        case ScaffoldKind.TEMPLATE:
            return ()
        case ScaffoldKind.AXIS:
            return AXIS_COLUMNS
        case _:
            assert_never(kind)


def draw_field(field: Field, value: object, *, key: str, disabled: bool = False, required: bool = False) -> object:
    """Draw a field with a value and return what stands in it now.

    The browser marks what is required and empty, or a wrong key, and does not send the form; the service checks all again.
    """
    label = escape_markdown(field.label or format_words(field.name))
    help_text = None if field.help is None else escape_markdown(field.help)
    match field.shape:
        case Shape.LINE:
            return st.text_input(
                label,
                value=str(value or ""),
                key=key,
                help=help_text,
                disabled=disabled,
                required=required,
                validate=(f"^{KEY_PATTERN.pattern}$", KEY_RULE) if field.help == KEY_HELP else None,
            )
        case Shape.TEXT | Shape.LINES | Shape.FACTS:
            text = write_lines(value) if field.shape is not Shape.TEXT else str(value or "")
            return st.text_area(label, value=text, key=key, help=help_text, height=field.height, required=required)
        case Shape.SHARE:
            number = float(str(value))
            return st.number_input(label, value=number, min_value=0.0, max_value=1.0, step=0.05, key=key, help=help_text)
        case Shape.COUNT:
            return st.number_input(label, value=int(str(value)), min_value=1, step=1, key=key, help=help_text)
        case Shape.CHOICE:
            index = field.options.index(str(value))
            return st.selectbox(label, field.options, index=index, format_func=_name_option, key=key, help=help_text)
        case Shape.FLAG:
            return st.toggle(label, value=bool(value), key=key, help=help_text)
        case _:
            assert_never(field.shape)


def _name_option(option: str) -> str:
    return option.replace("_", " ")


def read_field(field: Field, entered: object) -> object:
    """Return the record's value for the content of a field."""
    match field.shape:
        case Shape.LINES:
            return tuple(line.strip() for line in str(entered).splitlines() if line.strip())
        case Shape.FACTS:
            pairs = (line.partition(":") for line in str(entered).splitlines() if line.strip())
            return {name.strip(): text.strip() for name, _, text in pairs}
        case Shape.LINE | Shape.TEXT:
            return str(entered).strip()
        case Shape.SHARE | Shape.COUNT | Shape.CHOICE | Shape.FLAG:
            return entered
        case _:
            assert_never(field.shape)


def write_lines(value: object) -> str:
    """Return entries or facts as the lines of a text area."""
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {text}" for name, text in value.items())  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "\n".join(str(entry) for entry in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return ""
