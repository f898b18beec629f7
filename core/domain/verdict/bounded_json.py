"""JSON from strangers, parsed only if it is small, flat and simple enough. Pure.

Counting comes first and builds nothing: a parser pays for what it builds before anyone can check it, and a recursive one
ends where the caller's stack happens to end.
"""

import json
import re
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any, cast

from core.domain.verdict.limits import DEEPEST, LARGEST_RECORD, MEGABYTE, MOST_VALUES

_DECODER = json.JSONDecoder()
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKET = re.compile(r"[^][{}]+")
_STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}

TOO_LARGE = f"larger than {LARGEST_RECORD // MEGABYTE} MB"
TOO_DEEP = f"nested more than {DEEPEST} levels deep"
TOO_MANY_VALUES = f"more than {MOST_VALUES:,} values in one record"


class ExcessiveJson(ValueError):
    """JSON that is not parsed: too large, too deep or with too many values."""


def parse_json(
    text: str,
    *,
    object_pairs_hook: Callable[[list[tuple[str, Any]]], Any] | None = None,
    parse_constant: Callable[[str], Any] | None = None,
    parse_float: Callable[[str], Any] | None = None,
) -> Any:  # noqa: ANN401 - as json.loads
    """Parse as `json.loads`. Raises ExcessiveJson, or ValueError where it is not JSON."""
    excess = find_excess(text)
    if excess is not None:
        raise ExcessiveJson(excess)
    return json.loads(text, object_pairs_hook=object_pairs_hook, parse_constant=parse_constant, parse_float=parse_float)


def decode_value(text: str, start: int) -> tuple[Any, int]:
    """Parse the value that begins at a position of text that may be cut after it; return it and where it ends.

    Only for text that `may_hold_values` accepts. Raises ValueError where there is no complete value.
    """
    try:
        return _DECODER.raw_decode(text, start)
    except RecursionError as error:
        raise ExcessiveJson(TOO_DEEP) from error


def read_mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object; an empty one for any other value."""
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def may_hold_values(text: str) -> bool:
    """Whether values may be parsed from any position of a text, although strings cannot be distinguished from what is
    between them.
    """
    return len(text) <= LARGEST_RECORD and _count_openings(text) <= MOST_VALUES


def find_excess(text: str) -> str | None:
    """Say why JSON text must not be parsed; None if it may be."""
    if len(text) > LARGEST_RECORD:
        return TOO_LARGE
    if _count_values(text) <= MOST_VALUES and _count_openings(text) <= DEEPEST:
        return None  # Marks within strings counted too, it is within the limits.
    structure = _STRING.sub("", text)
    if _count_values(structure) > MOST_VALUES:
        return TOO_MANY_VALUES
    if _count_openings(structure) > DEEPEST and _is_too_deep(structure):
        return TOO_DEEP
    return None


def _count_values(text: str) -> int:
    return text.count(",") + _count_openings(text) + 1


def _count_openings(text: str) -> int:
    return text.count("[") + text.count("{")


def _is_too_deep(structure: str) -> bool:
    return any(depth > DEEPEST for depth in accumulate(map(_STEPS.__getitem__, _NO_BRACKET.sub("", structure))))
