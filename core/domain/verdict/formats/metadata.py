"""What a record says about itself: persona, arc, topic, template, model, or any other key, wherever the record keeps it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from core.domain.verdict.formats.objects import walk_objects

_ALIASES: Mapping[str, tuple[str, ...]] = {
    "persona": ("persona", "persona_key", "persona_name", "client_persona", "persona_archetype", "persona_id"),
    "arc": ("arc", "arc_key", "emotional_arc_key", "emotional_arc", "arc_name", "emotional_arc_name", "emotional_arc_id"),
    "topic": ("topic", "topic_key", "training_topic_key", "training_topic", "topic_name", "training_topic_id"),
    "template": ("template", "template_key", "template_name", "prompt_template", "template_id"),
    "model": ("model", "model_name", "model_id"),
    "stop_reason": ("stop_reason", "finish_reason", "stopReason", "finishReason", "done_reason"),
    "max_tokens": ("max_tokens", "max_output_tokens"),
    "input_tokens": ("input_tokens", "prompt_tokens"),
    "output_tokens": ("output_tokens", "completion_tokens"),
    "made_at": ("generated_at", "created_at", "timestamp", "created"),
}
_NAME_KEYS = ("key", "name", "id")
_LENGTH_MAX = 120
_OBJECTS_MAX = 1_000
"""How many objects of a record are searched for each field name; real ones have ten."""
_NAME_LENGTH_MAX = 60
_CONSIDERED_MAX = 1_000


def read_labels(record: object, fields: Sequence[str]) -> dict[str, str]:
    """Return what a record says about these fields; a field it does not name is left out."""
    labels: dict[str, str] = {}
    objects = tuple(walk_objects(record, _OBJECTS_MAX, _list_members)) if fields else ()
    for field in fields:
        value = _find_value(objects, field)
        if value is not None:
            labels[field] = value
    return labels


def list_fields(record: object) -> tuple[str, ...]:
    """Return the keys by which a record could be counted, as the record calls them; long text is no label."""
    found: dict[str, None] = {}
    for members in walk_objects(record, _OBJECTS_MAX, _list_members):
        for name, value in members.items():
            text = _describe_value(value, name)
            if text is not None and len(name) <= _NAME_LENGTH_MAX and len(text) < _LENGTH_MAX:
                found[name] = None
    return tuple(found)


def _find_value(objects: Sequence[Mapping[str, object]], field: str) -> str | None:
    """Return the value nearest to the top of the record, under the first of the field's names that it uses."""
    for name in _ALIASES.get(field, (field,)):
        for members in objects:
            value = _describe_value(members.get(name), name)
            if value is not None:
                return value
    return None


def _list_members(members: Mapping[str, object], depth: int) -> Iterator[tuple[object, int]]:
    """Return all members; lists hold turns, and are not searched."""
    return ((member, depth + 1) for member in members.values())


def _describe_value(value: object, name: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, dict):
        members = cast("Mapping[str, object]", value)
        keys = (f"{name}_key", *_NAME_KEYS)
        return next((text for key in keys if (text := _describe_value(members.get(key), key)) is not None), None)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        text = " ".join(str(value)[:_CONSIDERED_MAX].split())
        return text[:_LENGTH_MAX] or None
    return None
