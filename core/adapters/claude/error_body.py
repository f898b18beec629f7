"""Find the message in an error body, in any form that APIs and proxies use, however it is wrapped. Pure."""

import ast
import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import cast

from core.adapters.claude.error_kinds import ErrorWords
from core.adapters.claude.page_text import describe_plainly, read_marked
from core.domain.verdict.bounded_json import decode_value, may_hold_values, read_mapping
from core.domain.verdict.limits import DEEPEST

_ERROR_NAMES = ("error", "errors", "Error", "fault")
_MESSAGE_NAMES = (
    "message",
    "Message",
    "msg",
    "detail",
    "error_description",
    "error_message",
    "errorMessage",
    "error_msg",
    "errmsg",
    "faultstring",
    "reason",
)
_SAYING_NAMES = frozenset({*_ERROR_NAMES, *_MESSAGE_NAMES, "raw", "cause", "title", "body", "details", "innererror"})
_REQUEST_NAMES = frozenset({"input", "messages", "content", "system", "prompt", "request", "kwargs", "text"})
_DEEPEST_WORDS = 8
_MOST_NESTED = 50
_TYPE_NAMES = ("type", "__type", "status")
_NO_TYPES = ("error", "message")
_STATUS_NAMES = ("status", "code", "status_code", "statusCode", "http_status")
_ERROR_STATUSES = range(400, 600)
_LONGEST_DUMP = 2000
_LONGEST_REPR = 20_000
_MOST_ITEMS = 20
"""How many errors of a list are read."""
_MOST_TRIES = 20
"""How many braces of a text may begin no object; each costs a look at everything after it."""


def read_error_words(value: object) -> ErrorWords | None:
    """Return the message of an error body; None if it is not one."""
    words = _read_value(value)
    return None if words is None else _clear_markup(_unwrap(words))


def find_error_words(text: str) -> ErrorWords | None:
    """Find an error body within text: as events, after the name of an exception, as a proxy quotes it."""
    words = _find_words(text)
    return None if words is None else _clear_markup(words)


def read_error_beside(fields: Mapping[str, object]) -> ErrorWords | None:
    """Return the message in members of a body that are named after an error, whatever else the body holds."""
    return read_error_words({name: fields[name] for name in _ERROR_NAMES if name in fields})


def find_nested_words(value: object) -> Iterator[ErrorWords]:
    """Yield the messages nested in an error body: gateways put Claude's answer under names of their own.

    Members that quote a request are skipped: prompts talk a lot about accounts and money.
    """
    return islice(_walk(value, "", _DEEPEST_WORDS), _MOST_NESTED)


def _walk(value: object, name: str, levels: int) -> Iterator[ErrorWords]:
    if isinstance(value, str) and name in _SAYING_NAMES:
        found = _find_words(value)
        yield _clear_markup(found or ErrorWords(message=value, is_envelope=False))
    if levels == 0:
        return
    if isinstance(value, list):
        for item in cast("list[object]", value)[:_MOST_ITEMS]:
            yield from _walk(item, name, levels - 1)
        return
    for inner, member in read_mapping(cast("object", value)).items():
        if inner not in _REQUEST_NAMES:
            yield from _walk(member, inner, levels - 1)


def dump_briefly(value: object) -> str:
    """Return JSON of an unknown form as text."""
    # What Python wrote may hold values that JSON does not have.
    return json.dumps(value, ensure_ascii=False, skipkeys=True, default=str)[:_LONGEST_DUMP]


def read_status(fields: Mapping[str, object]) -> int | None:
    """Return the status that a body gives; some come under HTTP 200."""
    for name in _STATUS_NAMES:
        text = str(value) if isinstance(value := fields.get(name), str | int) else ""
        if len(text) == len("400") and text.isascii() and text.isdecimal() and int(text) in _ERROR_STATUSES:
            return int(text)
    return None


def _read_value(value: object) -> ErrorWords | None:
    if isinstance(value, list):
        items = cast("list[object]", value)[:_MOST_ITEMS]
        return next((words for item in items if (words := _read_value(item)) is not None), None)
    fields = read_mapping(value)
    for name in _ERROR_NAMES:
        if _says_something(error := fields.get(name)):
            return _read_error(error, fields)
    if fields.get("type") == "error":
        return _read_fields(fields, is_envelope=True)
    return _read_fields(fields, is_envelope=False) if _read_message(fields) else None


def _read_error(error: object, beside: Mapping[str, object]) -> ErrorWords:
    """Read the member that is named after the error: a text, an object, a list, or true with the message beside it."""
    if isinstance(error, list):
        items = cast("list[object]", error)[:_MOST_ITEMS]
        texts = [item for item in items if isinstance(item, str)]
        first = next(filter(_says_something, items), True)
        return _read_error(". ".join(texts) if texts else first, beside)
    if isinstance(error, Mapping):
        fields = cast("Mapping[str, object]", error)
        inner = read_mapping(fields.get("error"))
        words = _read_fields(inner or fields, is_envelope=True)
        return words.model_copy(update={"status": words.status or read_status(beside)})
    texts = [error] if isinstance(error, str) else []
    others = {name: value for name, value in beside.items() if name not in _ERROR_NAMES}
    said = ". ".join([*texts, *_read_texts(beside)]) or dump_briefly(others)
    return ErrorWords(message=said, status=read_status(beside), is_envelope=False)


def _read_fields(fields: Mapping[str, object], *, is_envelope: bool) -> ErrorWords:
    message = _read_message(fields)
    code = read_mapping(fields.get("details")).get("error_code")
    types = [fields.get(name) for name in _TYPE_NAMES]
    if not isinstance(message, str) and (inner := _read_value(message)) is not None:
        return inner
    words = ErrorWords(
        message=message if isinstance(message, str) else dump_briefly(message),
        error_type=next((name for name in types if isinstance(name, str) and name and name not in _NO_TYPES), None),
        error_code=next((name for name in (code, fields.get("code")) if isinstance(name, str) and name), None),
        status=read_status(fields),
        is_envelope=is_envelope,
    )
    is_unknown = not (message or words.error_type or words.error_code or words.status or "type" in fields)
    return words.model_copy(update={"message": dump_briefly(fields)}) if is_unknown else words


def _read_message(fields: Mapping[str, object]) -> object:
    return next((fields[name] for name in _MESSAGE_NAMES if _says_something(fields.get(name))), "")


def _read_texts(fields: Mapping[str, object]) -> list[str]:
    return [text for name in _MESSAGE_NAMES if isinstance(text := fields.get(name), str) and text]


def _says_something(value: object) -> bool:
    return value not in (None, False, "", 0, [], {})


def _unwrap(words: ErrorWords) -> ErrorWords:
    """Return the error that a message quotes, as the proxy received it from Claude."""
    inner = _find_words(words.message)
    if inner is None:
        return words
    outer = {name: getattr(words, name) for name in ("error_type", "error_code", "status")}
    return inner.model_copy(update={name: getattr(inner, name) or value for name, value in outer.items()})


def _find_words(text: str) -> ErrorWords | None:
    if not may_hold_values(text):
        return None
    start, tries = text.find("{"), 0
    while start >= 0 and tries < _MOST_TRIES:
        value, end = _decode_object(text, start)
        tries += value is None
        if _is_quoted_error(value) and (words := _read_value(value)) is not None:
            return _unwrap(words)
        start = text.find("{", end)
    return None


def _decode_object(text: str, start: int) -> tuple[object, int]:
    """Return the object at a position, as JSON or as Python writes it, and where to continue."""
    try:
        return decode_value(text, start)
    except ValueError:
        end = text.rfind("}") + 1
        written = text[start:end] if text.startswith("{'", start) else ""
        if not 0 < len(written) <= _LONGEST_REPR or sum(map(written.count, "{[(")) > DEEPEST:
            return None, start + 1
    try:
        return ast.literal_eval(written), end
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None, start + 1


def _has_error(fields: Mapping[str, object]) -> bool:
    """Whether a body says that something failed, whatever else it holds."""
    return any(_says_something(fields.get(name)) for name in _ERROR_NAMES) or fields.get("type") == "error"


def _is_quoted_error(value: object) -> bool:
    """Whether an object within text is certainly an error: text quotes much else."""
    fields = read_mapping(value)
    return _has_error(fields) or (str(fields.get("type")).endswith("_error") and isinstance(fields.get("message"), str))


def _clear_markup(words: ErrorWords) -> ErrorWords:
    kind = None if words.error_type is None else describe_plainly(words.error_type)
    marked = read_marked(words.message)
    if marked is None:
        return words.model_copy(update={"error_type": kind})
    page = marked.seen if marked.is_answer else None
    return words.model_copy(update={"message": marked.describe(), "error_type": kind, "page": page})
