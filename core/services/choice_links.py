"""The choices of the Bulk Generator as parameters of a link, and back. Keys instead of ids, since they last."""

from collections.abc import Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from pydantic import ValidationError

from core.domain.batches.batch import BatchSettings, Selection, SkipExisting
from core.domain.record import Record
from core.domain.scaffolding.records import ConversationCategory, EmotionalArc, Persona, TrainingTopic
from core.domain.scaffolding.rules import find_key
from core.services.scaffolding import ALL, Choices

CATEGORY, PERSONAS, ARCS, TOPICS, LIMIT, SKIP = "category", "personas", "arcs", "topics", "limit", "skip"
PER_COMBINATION = "per_combination"
NONE = "none"
Item = TypeVar("Item", Persona, EmotionalArc, TrainingTopic)
Choice = TypeVar("Choice", ConversationCategory, SkipExisting)
Part = TypeVar("Part", Selection, BatchSettings)


class LinkedChoices(Record):
    """The choices of a link that are available; `problems` names the others."""

    selection: Selection
    settings: BatchSettings
    problems: tuple[str, ...] = ()


def encode_choices(
    choices: Choices, selection: Selection, settings: BatchSettings, defaults: BatchSettings
) -> dict[str, str]:
    """Return the parameters; settings with their default are left out."""
    chosen = {
        PERSONAS: _encode_keys(choices.personas, selection.persona_ids),
        ARCS: _encode_keys(choices.usable_arcs_of(selection.category), selection.arc_ids),
        TOPICS: _encode_keys(choices.topics, selection.topic_ids),
        LIMIT: "" if selection.limit is None else str(selection.limit),
        SKIP: selection.skip_existing or "",
        PER_COMBINATION: "" if selection.per_combination == 1 else str(selection.per_combination),
    }
    standard = defaults.model_dump(mode="json")
    changed = {
        name: _encode_value(value) for name, value in settings.model_dump(mode="json").items() if value != standard[name]
    }
    return {CATEGORY: str(selection.category)} | {name: str(text) for name, text in chosen.items() if text} | changed


def decode_choices(choices: Choices, parameters: Mapping[str, str], defaults: BatchSettings) -> LinkedChoices:
    """Return the choices of the parameters. Unknown or wrong ones are reported and stay at their default."""
    problems: list[str] = []
    category = _read(ConversationCategory, CATEGORY, parameters, problems) or ConversationCategory.CORE
    selection = Selection(
        category=category,
        persona_ids=tuple(row.id for row in _decode_keys(PERSONAS, choices.personas, parameters, problems)),
        arc_ids=tuple(row.id for row in _decode_keys(ARCS, choices.usable_arcs_of(category), parameters, problems)),
        topic_ids=tuple(row.id for row in _decode_keys(TOPICS, choices.topics, parameters, problems)),
        skip_existing=_read(SkipExisting, SKIP, parameters, problems),
    )
    for name in (LIMIT, PER_COMBINATION):
        selection = _apply(selection, name, parameters, problems)
    settings = defaults
    for name in BatchSettings.model_fields:
        settings = _apply(settings, name, parameters, problems)
    known = {CATEGORY, PERSONAS, ARCS, TOPICS, LIMIT, SKIP, PER_COMBINATION, *BatchSettings.model_fields}
    problems += [f"{name}: there is no such choice." for name in parameters if name not in known]
    return LinkedChoices(selection=selection, settings=settings, problems=tuple(problems))


def _encode_keys(offered: Sequence[Item], chosen: Sequence[UUID]) -> str:
    keys = [find_key(row) for row in offered if row.id in chosen]
    return ALL if len(keys) == len(offered) else ",".join(keys)


def _encode_value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return NONE if value is None else str(value)


def _decode_keys(name: str, offered: Sequence[Item], parameters: Mapping[str, str], problems: list[str]) -> tuple[Item, ...]:
    text = parameters.get(name, "")
    if text == ALL:
        return tuple(offered)
    wanted = dict.fromkeys(key for key in text.split(",") if key)
    known = {find_key(row) for row in offered}
    if unknown := [key for key in wanted if key not in known]:
        problems.append(f"{name}: {', '.join(unknown)} (unknown, inactive, or without a template for you).")
    return tuple(row for row in offered if find_key(row) in wanted)


def _read(kind: type[Choice], name: str, parameters: Mapping[str, str], problems: list[str]) -> Choice | None:
    text = parameters.get(name)
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        problems.append(f"{name}: {text} (known are {', '.join(kind)}).")
        return None


def _apply(part: Part, name: str, parameters: Mapping[str, str], problems: list[str]) -> Part:
    """Return the record with one field as its parameter says."""
    text = parameters.get(name)
    if text is None:
        return part
    try:
        return type(part).model_validate(part.model_dump() | {name: None if text == NONE else text})
    except ValidationError as error:
        problems.append(f"{name}: {text} ({error.errors()[0]['msg']}).")
        return part
