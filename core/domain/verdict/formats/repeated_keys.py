"""A key that stands twice in one JSON object: readers choose differently, so nobody knows what it says."""

from collections.abc import Mapping
from typing import Any

from core.domain.verdict.limits import LONGEST_LABEL


class AmbiguousObject(dict[str, Any]):
    """A JSON object in which a key stands twice; its members are the last of each name."""

    repeated_key = ""


def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object of JSON, as `object_pairs_hook` of a parser."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    ambiguous = AmbiguousObject(found)
    for key, _ in pairs:
        if key in seen:
            ambiguous.repeated_key = key[:LONGEST_LABEL]
            break
        seen.add(key)
    return ambiguous


def find_repeated_key(value: Mapping[str, object]) -> str | None:
    """The key that stands twice in an object, if one does."""
    return value.repeated_key if isinstance(value, AmbiguousObject) else None
