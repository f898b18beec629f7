"""Assemble a reply that came as a stream of events, though none was requested: some proxies always stream. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import cast

from core.domain.verdict.bounded_json import parse_json, read_mapping

_EVENTS_OF_MESSAGES = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    }
)
MOST_EVENTS = 150_000
"""More than the tokens of the longest reply; reading this many pieces takes two seconds."""
_LINE_END = re.compile(r"\r\n|\n|\r")
_FIELD, _PREFIXES = "data:", ("event:", "data:", "id:", "retry:", ":")


def assemble_events(text: str) -> object | None:
    """Return the message that events build, as far as they go, with the error that ended it; None if the text is not events.

    Of events in another form than Claude's, the first error is returned, or else the first event.
    """
    if not text.lstrip("\ufeff \t\r\n").startswith(_PREFIXES):
        return None
    told = list(_read_events(text))
    if not any(event.get("type") in _EVENTS_OF_MESSAGES for event in told):
        return next((event for event in told if event.get("error")), told[0] if told else None)
    return _assemble(told)


def _assemble(told: list[Mapping[str, object]]) -> Mapping[str, object]:
    message: dict[str, object] = {"type": "message", "stop_reason": None}
    usage: dict[str, object] = {}
    texts: list[str] = []
    for event in told:
        if event.get("error"):
            message["error"] = event["error"]
        match event.get("type"):
            case "message_start":
                message |= read_mapping(event.get("message"))
                usage |= read_mapping(message.get("usage"))
            case "content_block_start" | "content_block_delta":
                part = read_mapping(event.get("content_block") or event.get("delta"))
                texts += [text] if isinstance(text := part.get("text"), str) else []
            case "message_delta":
                message |= read_mapping(event.get("delta"))
                usage |= read_mapping(event.get("usage"))
            case _:
                pass
    return message | {"content": [{"type": "text", "text": "".join(texts)}], "usage": usage}


def _read_events(text: str) -> Iterator[Mapping[str, object]]:
    """Yield the data of each event that is a JSON object; others are skipped."""
    data: list[str] = []
    blocks = 0
    for line in [*_LINE_END.split(text), ""]:
        if line.startswith(_FIELD):
            data.append(line.removeprefix(_FIELD))
        elif not line.strip() and data:
            blocks += 1
            if blocks > MOST_EVENTS:
                return
            try:
                value = parse_json("\n".join(data))
            except (ValueError, RecursionError):
                value = None
            data.clear()
            if isinstance(value, Mapping):
                yield cast("Mapping[str, object]", value)
