"""From the text of a reply to a conversation, or to the reason why it is not one. Nothing is ever repaired.

A parser that completes cut JSON turns the clearest sign of a truncation into training data, so there is only one exception:
a single Markdown fence around the JSON is removed, which changes none of the text in it.
"""

import math
import re
from collections.abc import Iterator
from typing import Any, Literal, cast

from pydantic import ValidationError

from core.domain.record import Record
from core.domain.storable_text import find_unstorable
from core.domain.verdict.bounded_json import parse_json
from core.domain.verdict.conversation import Conversation, Role, Turn
from core.domain.verdict.limits import LONGEST_LABEL, MOST_TURNS
from core.domain.verdict.verdict import FailurePattern, FailureType


class ParseProblem(Record):
    """Why the text is not a conversation, in words for the analyst. `turn_index` counts from 0."""

    failure_type: Literal[FailureType.PARSE_ERROR, FailureType.VALIDATION_ERROR]
    message: str
    turn_index: int | None = None
    pattern: FailurePattern | None = None


_INVISIBLE = " \t\r\n\f\v\u00a0\u200b\u200c\u200d\u2060\ufeff"
_SHORTEST_FENCE = 3
_INFO_STRING = re.compile(r"[ \t\u00a0]*[\w+.-]{0,20}[ \t\u00a0]*[\r\n]*")


def parse_conversation(text: str) -> Conversation | ParseProblem:
    """Read a reply's text as one conversation that is well formed; whether its turns are whole is not judged here.

    A conversation may end on the user's turn. A third of the predecessor's good conversations do, the turn is whole, and
    refusing it would throw away every exchange before it. An export leaves such a turn out: it has no answer to train on.
    """
    document = remove_fence(text)
    try:
        data = parse_json(document, object_pairs_hook=_unique_keys, parse_constant=_refuse_constant, parse_float=_finite)
    except ValueError as error:
        return _not_json(str(error))
    problem = _excess_of_turns(data)
    if problem is not None:
        return problem
    problem = _unstorable_text(data) if "\\u" in document or not _is_encodable(document) else None
    if problem is not None:
        return problem
    try:
        conversation = Conversation.model_validate_json(document, strict=True)
    except ValidationError as error:
        return _schema_problem(error)
    return _structure_problem(conversation) or conversation


def conversation_json_schema() -> dict[str, Any]:
    """The schema for `output_config.format`, in the subset that the API compiles.

    Every object is closed and every field required, what may be missing is null instead; there are no bounds on numbers or
    lengths, which the API refuses. So the schema cannot promise the structure, and `parse_conversation` checks it.
    Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
    """
    schema = Conversation.model_json_schema()
    return _compilable(schema, schema.get("$defs", {}))


def remove_fence(text: str) -> str:
    """Return the text inside the one Markdown fence around it, or the text itself if there is none."""
    stripped = text.strip(_INVISIBLE)
    mark = stripped[:1]
    inside = stripped.strip(mark) if mark in ("`", "~") else ""
    opening = len(stripped) - len(stripped.lstrip(mark))
    closing = len(stripped) - opening - len(inside)
    if not inside or not _SHORTEST_FENCE <= opening <= closing:
        return text.strip(" \t\r\n")
    return _INFO_STRING.sub("", inside, count=1).strip(_INVISIBLE)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {key[:LONGEST_LABEL]!r} stands twice in one object")
            seen.add(key)
    return found


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON value")


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"the number {literal[:20]} is too large")
    return number


def _not_json(reason: str) -> ParseProblem:
    return ParseProblem(failure_type=FailureType.PARSE_ERROR, message=f"The reply is not JSON: {reason}")


def _excess_of_turns(data: object) -> ParseProblem | None:
    """Checked before the schema, which reports on each member of each turn."""
    turns = cast("dict[str, object]", data).get("turns") if isinstance(data, dict) else None
    if not isinstance(turns, list) or len(cast("list[object]", turns)) <= MOST_TURNS:
        return None
    return ParseProblem(failure_type=FailureType.VALIDATION_ERROR, message=f"There are more than {MOST_TURNS:,} turns")


def _is_encodable(document: str) -> bool:
    try:
        document.encode()
    except UnicodeEncodeError:
        return False
    return True


def _unstorable_text(data: object) -> ParseProblem | None:
    """NUL and halves of surrogate pairs are legal in JSON but are not text: PostgreSQL refuses them."""
    for path, text in _strings(data):
        found = find_unstorable(text)
        if found is not None:
            return ParseProblem(
                failure_type=FailureType.VALIDATION_ERROR,
                message=f"{_place(path)} holds the character U+{ord(found):04X}, which is no text",
                turn_index=_turn_index(path),
            )
    return None


def _strings(data: object) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every string, keys too, with its path; not recursive, since the writer chooses the depth."""
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            members = cast("dict[str, object]", value)
            yield from ((path, key) for key in members)
            waiting.extend(((*path, key), member) for key, member in members.items())
        elif isinstance(value, list):
            waiting.extend(((*path, index), item) for index, item in enumerate(cast("list[object]", value)))


def _schema_problem(error: ValidationError) -> ParseProblem:
    first, *others = error.errors(include_url=False, include_input=False)
    more = f" (and {len(others)} more)" if others else ""
    return ParseProblem(
        failure_type=FailureType.VALIDATION_ERROR,
        message=f"{_place(first['loc'])}: {first['msg']}{more}",
        turn_index=_turn_index(first["loc"]),
    )


def _place(path: tuple[str | int, ...]) -> str:
    index = _turn_index(path)
    if index is None:
        return ".".join(str(part) for part in path) or "The reply"
    return ".".join([f"turn {index + 1}", *(str(part) for part in path[2:])])


def _turn_index(path: tuple[str | int, ...]) -> int | None:
    match path:
        case ("turns", int(index), *_):
            return index
        case _:
            return None


def _structure_problem(conversation: Conversation) -> ParseProblem | None:
    for index, turn in enumerate(conversation.turns):
        problem = _turn_problem(index, turn)
        if problem is not None:
            return problem
    if not conversation.turns:
        return ParseProblem(
            failure_type=FailureType.VALIDATION_ERROR, message="There are no turns", pattern=FailurePattern.EMPTY
        )
    if len(conversation.turns) == 1:
        return ParseProblem(failure_type=FailureType.VALIDATION_ERROR, message="The assistant never answers", turn_index=0)
    return None


def _turn_problem(index: int, turn: Turn) -> ParseProblem | None:
    expected_role = Role.USER if index % 2 == 0 else Role.ASSISTANT
    pattern = None
    if turn.turn_number != index + 1:
        message = f"turn {index + 1} is numbered {turn.turn_number}"
    elif turn.role is not expected_role:
        message = f"turn {index + 1} is the {turn.role}'s, but {expected_role} and {turn.role} must alternate, user first"
    elif not turn.content.strip().strip(_INVISIBLE):
        message, pattern = f"turn {index + 1} ({turn.role}) is blank", FailurePattern.EMPTY
    elif not 0 <= turn.emotional_context.intensity <= 1:
        message = f"turn {index + 1} has an intensity of {turn.emotional_context.intensity:g}, which is not within 0 and 1"
    else:
        return None
    return ParseProblem(failure_type=FailureType.VALIDATION_ERROR, message=message, turn_index=index, pattern=pattern)


def _compilable(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Pydantic's schema with references written out and everything dropped that the API does not compile."""
    if "$ref" in node:
        return _compilable(definitions[node["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in node:
        return {"anyOf": [_compilable(choice, definitions) for choice in node["anyOf"]]}
    if node.get("type") == "array":
        return {"type": "array", "items": _compilable(node["items"], definitions)}
    if node.get("type") == "object":
        properties: dict[str, Any] = node["properties"]
        return {
            "type": "object",
            "properties": {name: _compilable(member, definitions) for name, member in properties.items()},
            "required": list(properties),
            "additionalProperties": False,
        }
    return {key: node[key] for key in ("type", "enum") if key in node}
