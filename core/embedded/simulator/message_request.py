"""Reads a request as the Messages API does, and refuses what the API refuses.

Source of the rules: https://platform.claude.com/docs/en/api/messages and .../api/versioning
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, cast

from core.domain.batches.batch import MAX_OUTPUT_TOKENS
from core.domain.record import Record

LONG_PROMPT_CHARS = 8_700
"""Divides the shipped prompts (8,300 to 9,150 characters): 40 of the 90 of a first core batch are longer."""

_REMOVED_FIELDS = ("temperature", "top_p", "top_k")
_KNOWN_FIELDS = frozenset(
    {
        "model",
        "messages",
        "max_tokens",
        "system",
        "stop_sequences",
        "stream",
        "metadata",
        "service_tier",
        "thinking",
        "tools",
        "tool_choice",
        "output_config",
        "cache_control",
        "container",
        "context_management",
        "diagnostics",
        "inference_geo",
        "speed",
    }
)
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_UNSUPPORTED_BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
)


class ApiError(Record):
    """An error response in the API's own terms."""

    status_code: int
    error_type: str
    message: str
    retry_after_seconds: int | None = None


class MessageRequest(Record):
    """What the simulator needs of a request; `system` and `user` are plain text, whatever form they came in."""

    model: str
    system: str
    user: str
    max_tokens: int
    is_structured: bool
    tool_name: str | None
    stop_sequences: tuple[str, ...]
    input_chars: int

    @property
    def labels(self) -> frozenset[str]:
        """The labels that a fault's scope may use, besides the keys of the scaffolding."""
        length = {"long_prompt"} if len(self.system) + len(self.user) > LONG_PROMPT_CHARS else set[str]()
        return frozenset({self.model, "structured" if self.is_structured else "unstructured"} | length)


def check_headers(headers: Mapping[str, str]) -> ApiError | None:
    """Return the error for a missing key or version, or None."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if not (scheme.lower() == "bearer" and token.strip()) and not headers.get("x-api-key"):
        return ApiError(status_code=401, error_type="authentication_error", message="Authorization header is required")
    if not headers.get("anthropic-version"):
        return _invalid("anthropic-version: header is required")
    return None


def read_message_request(body: bytes, *, needs_max_tokens: bool = True) -> MessageRequest | ApiError:
    """Return the request, or the error that the API would answer with."""
    try:
        decoded = json.loads(body)
    except ValueError as error:
        return _invalid(f"The request body is not valid JSON: {error}")
    if not isinstance(decoded, dict):
        return _invalid("The request body must be a JSON object")
    fields = cast("dict[str, Any]", decoded)
    problem = _check_fields(fields) or _check_model(fields) or _check_messages(fields) or _check_output_config(fields)
    if problem is None and needs_max_tokens:
        problem = _check_max_tokens(fields)
    return problem or _build_request(fields)


def _invalid(message: str) -> ApiError:
    return ApiError(status_code=400, error_type="invalid_request_error", message=message)


def _check_fields(fields: dict[str, Any]) -> ApiError | None:
    for name in _REMOVED_FIELDS:
        if name in fields:
            return _invalid(f"{name}: This parameter is not supported. Remove it from the request.")
    for name in fields:
        if name not in _KNOWN_FIELDS:
            return _invalid(f"{name}: Extra inputs are not permitted")
    if fields.get("stream"):
        return _invalid("stream: The simulated Claude does not stream. Send the request without it.")
    return None


def _check_model(fields: dict[str, Any]) -> ApiError | None:
    model = fields.get("model")
    if not isinstance(model, str) or not model:
        return _invalid("model: Field required")
    if not model.startswith("claude-"):
        return ApiError(status_code=404, error_type="not_found_error", message=f"model: {model}")
    return None


def _check_max_tokens(fields: dict[str, Any]) -> ApiError | None:
    limit = fields.get("max_tokens")
    if limit is None:
        return _invalid("max_tokens: Field required")
    if not isinstance(limit, int) or isinstance(limit, bool):
        return _invalid("max_tokens: Input should be a valid integer")
    if limit < 1:
        return _invalid("max_tokens: Input should be greater than or equal to 1")
    if limit > MAX_OUTPUT_TOKENS:
        return _invalid(
            f"max_tokens: {limit} > {MAX_OUTPUT_TOKENS}, which is the maximum allowed number of output tokens "
            f"for {fields['model']}"
        )
    return None


def _check_messages(fields: dict[str, Any]) -> ApiError | None:
    messages = fields.get("messages")
    if not isinstance(messages, list) or not messages:
        return _invalid("messages: at least one message is required")
    roles: list[object] = []
    for index, message in enumerate(cast("list[object]", messages)):
        row = cast("dict[str, object]", message) if isinstance(message, dict) else {}
        if row.get("role") not in ("user", "assistant"):
            return _invalid(f"messages.{index}.role: Input should be 'user' or 'assistant'")
        if not _read_text(row.get("content")):
            return _invalid(f"messages.{index}.content: text content must be non-empty")
        roles.append(row["role"])
    if roles[0] != "user":
        return _invalid("messages: first message must use the user role")
    if roles[-1] == "assistant":
        return _invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    return None


def _check_output_config(fields: dict[str, Any]) -> ApiError | None:
    config: Any = fields.get("output_config") or {}
    if not isinstance(config, dict):
        return _invalid("output_config: Input should be a valid dictionary")
    options = cast("dict[str, Any]", config)
    if (effort := options.get("effort")) is not None and effort not in _EFFORTS:
        return _invalid(f"output_config.effort: Input should be one of {', '.join(_EFFORTS)}")
    form = options.get("format")
    if form is None:
        return None
    if not isinstance(form, dict) or cast("dict[str, Any]", form).get("type") != "json_schema":
        return _invalid("output_config.format.type: Input should be 'json_schema'")
    schema = cast("dict[str, Any]", form).get("schema")
    if not isinstance(schema, dict):
        return _invalid("output_config.format.schema: Field required")
    problem = _check_schema(json.dumps(schema))
    return _invalid(f"output_config.format.schema: {problem}") if problem else None


@lru_cache(maxsize=64)
def _check_schema(schema: str) -> str | None:
    # Every request of a batch brings the same schema.
    return _find_schema_problem(json.loads(schema))


def _find_schema_problem(node: object) -> str | None:
    if isinstance(node, list):
        return next((problem for item in cast("list[object]", node) if (problem := _find_schema_problem(item))), None)
    if not isinstance(node, dict):
        return None
    schema = cast("dict[str, object]", node)
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    if isinstance(schema.get("type"), str):
        for bound in _UNSUPPORTED_BOUNDS:
            if bound in schema:
                return f"For '{schema['type']}' type, property '{bound}' is not supported"
        if schema.get("minItems") not in (None, 0, 1):
            return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
    return _find_schema_problem(list(schema.values()))


def _build_request(fields: dict[str, Any]) -> MessageRequest:
    system = _read_text(fields.get("system"))
    contents = [_read_text(message["content"]) for message in fields["messages"]]
    config: dict[str, Any] = fields.get("output_config") or {}
    form = config.get("format")
    tools: list[dict[str, Any]] = fields.get("tools") or []
    return MessageRequest(
        model=fields["model"],
        system=system,
        user="\n\n".join(contents),
        max_tokens=fields.get("max_tokens") or MAX_OUTPUT_TOKENS,
        is_structured=form is not None,
        tool_name=str(tools[0].get("name", "tool")) if tools else None,
        stop_sequences=tuple(fields.get("stop_sequences") or ()),
        input_chars=len(system) + sum(map(len, contents)) + (len(json.dumps(form)) if form else 0),
    )


def _read_text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        blocks = cast("list[dict[str, object]]", content)
        return "\n".join(str(block.get("text", "")) for block in blocks if block.get("type") == "text")
    return ""
