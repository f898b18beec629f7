"""Parses one JSON record the same way wherever it comes from: a line, an item of an array, a row of a table."""

import json
from typing import Any

from core.domain.verdict.bounded_json import ExcessiveJson, parse_json
from core.domain.verdict.formats.entries import JsonEntry, Unreadable
from core.domain.verdict.formats.repeated_keys import AmbiguousObject, build_object

LONG_NUMBER = "not JSON that can be read: an integer has thousands of digits"
"""The only valid JSON that Python refuses."""


def parse_record(content: bytes, place: str, *, first_line: int | None = None) -> JsonEntry | Unreadable:
    """Parse a record. `first_line` is where it begins, if error messages should name its line."""
    try:
        return parse_text(content.decode(), place)
    except json.JSONDecodeError as error:
        where = place if first_line is None else f"line {first_line + error.lineno - 1}"
        return Unreadable(place=where, reason=f"not JSON: {error.msg} at column {error.colno}")
    except UnicodeDecodeError as error:
        return Unreadable(place=place, reason=f"not UTF-8 at byte {error.start}")
    except ExcessiveJson as error:
        return Unreadable(place=place, reason=f"not JSON that can be read: {error}")
    except ValueError:
        return Unreadable(place=place, reason=LONG_NUMBER)


def parse_text(text: str, place: str) -> JsonEntry:
    """Parse the text of a record. Raises ValueError, or a subclass, if it cannot be read."""
    ambiguous: list[AmbiguousObject] = []

    def build(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = build_object(pairs)
        if isinstance(found, AmbiguousObject):
            ambiguous.append(found)
        return found

    value = parse_json(text, object_pairs_hook=build)
    return JsonEntry(place=place, value=value, text=text, repeated_key=ambiguous[0].repeated_key if ambiguous else None)
