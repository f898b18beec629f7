"""Arguments and answers of tools: read as JSON if they are JSON, and never judged as prose."""

import re
from typing import cast

from core.domain.verdict.bounded_json import decode_value, find_excess, may_hold_values

_WRAPPER = re.compile(r"<(tool_call|tool_response|tool_result|function_call|function)>(.*?)(?:</\1>|\Z)", re.DOTALL)
_CALL = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)
_BLANK = re.compile(r"[\s,;]*")
_OPEN_LITERAL = re.compile(r"(?:t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?|Na?|-?I\w*|-?[\d.]*(?:[eE][+-]?)?)?\s*\Z")
_OPEN_STRING = "Unterminated string"
_OPEN_ESCAPE = "Invalid \\uXXXX escape"


def find_calls(text: str) -> list[str]:
    """Return the tool calls in a text between tags, as Hermes and Qwen write them."""
    return _CALL.findall(text) if "<tool_call>" in text else []


def remove_calls(text: str) -> str:
    """Return the text without its calls."""
    return _CALL.sub("", text)


def find_cut_data(text: str) -> str | None:
    """Return where JSON stops, with its opening mark; None if the text is complete JSON, or not JSON at all."""
    wrapped = cast("list[tuple[str, str]]", _WRAPPER.findall(text))
    pieces = [piece for _, piece in wrapped] if wrapped else [text]
    return next((found for piece in pieces if (found := _find_cut_json(piece)) is not None), None)


def _find_cut_json(text: str) -> str | None:
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] not in ("{", "[") or not may_hold_values(text) or find_excess(text) is not None:
        return None
    while start < len(text):
        opening = text[start]
        if opening not in "{[":
            return None
        try:
            _, end = decode_value(text, start)
        except ValueError as error:
            return opening if _is_at_end(text, error) or _is_open_python(text[start:]) else None
        start = cast("re.Match[str]", _BLANK.match(text, end)).end()
    return None


def _is_at_end(text: str, error: ValueError) -> bool:
    """Whether JSON was valid up to its end; an earlier error means another notation, not cut JSON."""
    position = getattr(error, "pos", None)
    message = getattr(error, "msg", "")
    if position is None:
        return False
    if message.startswith(_OPEN_STRING):
        return True
    if message.startswith(_OPEN_ESCAPE):
        return len(text) - position < len("uXXXX")
    return _OPEN_LITERAL.match(text, position) is not None


def _is_open_python(text: str) -> bool:
    """Whether it begins as an object in Python's notation, and does not end as one."""
    return text.startswith(("{'", "[{'")) and not text.rstrip().endswith(("}", "]"))
