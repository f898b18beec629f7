"""Requests to Claude and its replies, as pure mappings."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from core.adapters.claude.events import assemble_events
from core.domain.batches.work import ChatRequest
from core.domain.message_line import make_line
from core.domain.verdict.bounded_json import parse_json, read_mapping
from core.domain.verdict.parsing import conversation_json_schema
from core.domain.verdict.reply import RawResponse, Reply, TokenUsage

SIMULATED_HEADER = "x-brightrun-simulated"
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "set-cookie", "cookie", "proxy-authorization"})
REQUEST_ID_HEADER = "request-id"
HIDDEN = "[key]"
SHORTEST_SECRET = 16
SUCCESSES = range(200, 300)
_WRAPPERS = ("data", "response", "result", "body", "message", "output")
_MOST_WRAPPERS = 3
_JSON_BEGINNINGS = ("{", "[", '"')
MOST_TOKENS = 2**31 - 1
"""The largest value that a column of the database holds; a larger count is not one."""


def build_payload(request: ChatRequest) -> dict[str, Any]:
    """Return the arguments of `messages.create`. No temperature: today's API takes none, variety comes from the prompt."""
    settings = request.settings
    output_config: dict[str, Any] = {}
    if settings.structured_outputs:
        output_config["format"] = {"type": "json_schema", "schema": _get_schema()}
    if settings.effort is not None:
        output_config["effort"] = str(settings.effort)
    payload: dict[str, Any] = {
        "model": settings.model,
        "max_tokens": settings.max_tokens,
        "system": request.prompt.system,
        "messages": [{"role": "user", "content": request.prompt.user}],
    }
    return payload | ({"output_config": output_config} if output_config else {})


@cache
def _get_schema() -> dict[str, Any]:
    """Make the schema once: it takes longer than all else of a payload. Nobody changes it."""
    return conversation_json_schema()


def keep_raw(status_code: int, headers: Mapping[str, str], body: bytes) -> RawResponse:
    """Keep a response whole, except for headers that carry secrets."""
    kept = {name.lower(): value for name, value in headers.items() if name.lower() not in SECRET_HEADERS}
    return RawResponse(status_code=status_code, headers=kept, body=body)


def hide_secret(raw: RawResponse, secret: str) -> RawResponse:
    """Return the response without a secret that a server echoes. A short value is not a secret and may occur by chance."""
    if len(secret) < SHORTEST_SECRET:
        return raw
    headers = {name: value.replace(secret, HIDDEN) for name, value in raw.headers.items()}
    return raw.model_copy(update={"headers": headers, "body": raw.body.replace(secret.encode(), HIDDEN.encode())})


def read_reply(raw: RawResponse, message: Mapping[str, object] | None, *, duration_ms: int, simulated: bool) -> Reply:
    """Read a message leniently: if a body holds none, the Reply has no stop_reason, and the verdict fails it.

    The SDK's own parser is not used: it loses stop_reason and usage when the body has another form. A field of the wrong
    type counts as missing and affects no other field: the text has been paid for.
    """
    headers = {name.lower(): value for name, value in raw.headers.items()}
    message = message or {}
    details = read_mapping(message.get("stop_details"))
    usage = read_mapping(message.get("usage"))
    return Reply(
        raw=raw,
        text=_join_texts(message.get("content")),
        stop_reason=_read_name(message.get("stop_reason"), 50),
        refusal_category=_read_name(details.get("category"), 100),
        refusal_explanation=_read_name(details.get("explanation"), 1000),
        usage=TokenUsage(**{name: _read_count(usage.get(name)) for name in TokenUsage.model_fields}),
        model=_read_name(message.get("model"), 100),
        request_id=headers.get(REQUEST_ID_HEADER),
        duration_ms=duration_ms,
        simulated=simulated or headers.get(SIMULATED_HEADER) == "true",
    )


def load_body(body: bytes) -> object | None:
    """Return the JSON of a body, or the message that events build; None if it is neither, or larger than any answer."""
    try:
        text = body.decode(json.detect_encoding(body))
        return assemble_events(text) or parse_json(text)
    except (ValueError, RecursionError):
        return None


def find_message(value: object, levels: int = _MOST_WRAPPERS) -> Mapping[str, object] | None:
    """Return Claude's message in a body, whole or not, however a proxy wrapped it; None if there is none.

    A body with everything that a reply is paid and judged for is a message, whatever it calls itself.
    """
    if isinstance(value, str) and value.lstrip()[:1] in _JSON_BEGINNINGS:
        value = load_body(value.encode(errors="replace"))
    fields = read_mapping(value)
    if may_be_message(fields) or is_complete(fields):
        return fields
    inner = [fields[name] for name in _WRAPPERS if name in fields] or _read_list(value)[:1]
    found = (find_message(item, levels - 1) for item in inner if levels)
    # Wrappers have many fields with these names: inside one only a complete message counts.
    return next((message for message in found if message is not None and is_complete(message)), None)


def is_paid_message(status_code: int, message: Mapping[str, object]) -> bool:
    """Whether a message holds something paid for: enough of it under a success, some text under any status."""
    return is_whole_message(message) and (status_code in SUCCESSES or bool(message["content"]))


def is_reply_with_text(message: Mapping[str, object]) -> bool:
    """Whether a message has its end, and text that tokens were counted for: a reply, whatever is beside it."""
    has_tokens = bool(_read_count(read_mapping(message.get("usage")).get("output_tokens")))
    return is_complete(message) and has_tokens and bool(message["content"])


def is_whole_message(fields: Mapping[str, object]) -> bool:
    """Whether a body has enough of the fields that the API promises of a reply.

    Not all of them: a reply is paid for, and is not lost over a field that a proxy left out or changed.
    """
    has_end = isinstance(fields.get("stop_reason"), str) or isinstance(fields.get("usage"), Mapping)
    is_called_one = has_end and isinstance(fields.get("content"), list) and may_be_message(fields)
    return is_called_one or is_complete(fields)


def is_complete(fields: Mapping[str, object]) -> bool:
    """Whether it has text, end and usage, which only a reply of Claude has together."""
    is_ended = isinstance(fields.get("stop_reason"), str) and isinstance(fields.get("usage"), Mapping)
    is_ours = fields.get("type") != "error" and fields.get("role") != "user"
    return is_ended and is_ours and isinstance(fields.get("content"), list)


def may_be_message(fields: Mapping[str, object]) -> bool:
    """Whether a body calls itself a message of Claude's, whole or not."""
    return fields.get("type") == "message" and fields.get("role") in ("assistant", None)


def _read_list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _join_texts(content: object) -> str:
    blocks = [read_mapping(block) for block in _read_list(content)]
    texts = (block.get("text") for block in blocks if block.get("type") in ("text", None))
    return "".join(text for text in texts if isinstance(text, str))


def _read_name(value: object, longest: int) -> str | None:
    return make_line(value, longest) or None if isinstance(value, str) else None


def _read_count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_TOKENS:
        return None
    return int(value) if value == int(value) else None
