"""What is sent to Claude and what comes back, as pure mappings."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from core.domain.parsing import conversation_json_schema
from core.domain.reply import RawResponse, Reply, TokenUsage
from core.domain.work import CallFailureKind, ChatRequest

SIMULATED_HEADER = "x-brightrun-simulated"
SECRET_HEADERS = frozenset({"authorization", "x-api-key", "set-cookie", "cookie", "proxy-authorization"})
REQUEST_ID_HEADER = "request-id"


def build_payload(request: ChatRequest) -> dict[str, Any]:
    """Return the arguments of `messages.create`. No temperature: today's API takes none, variety comes from the prompt."""
    settings = request.settings
    output_config: dict[str, Any] = {}
    if settings.structured_outputs:
        output_config["format"] = {"type": "json_schema", "schema": conversation_json_schema()}
    if settings.effort is not None:
        output_config["effort"] = str(settings.effort)
    payload: dict[str, Any] = {
        "model": settings.model,
        "max_tokens": settings.max_tokens,
        "system": request.prompt.system,
        "messages": [{"role": "user", "content": request.prompt.user}],
    }
    return payload | ({"output_config": output_config} if output_config else {})


def keep_raw(status_code: int, headers: Mapping[str, str], body: bytes) -> RawResponse:
    """Keep a response whole, but for headers that carry secrets."""
    kept = {name.lower(): value for name, value in headers.items() if name.lower() not in SECRET_HEADERS}
    return RawResponse(status_code=status_code, headers=kept, body=body)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Block(_Lenient):
    type: str
    text: str = ""


class _StopDetails(_Lenient):
    category: str | None = None
    explanation: str | None = None


class _Error(_Lenient):
    message: str


class _ErrorBody(_Lenient):
    error: _Error


class _Message(_Lenient):
    type: str
    model: str | None = None
    content: list[_Block]
    stop_reason: str | None = None
    stop_details: _StopDetails | None = None
    usage: TokenUsage = TokenUsage()


def read_reply(raw: RawResponse, *, duration_ms: int, simulated: bool) -> Reply:
    """Read an HTTP 200 leniently: a body that holds no message gives a Reply without stop_reason, for the verdict to fail.

    The SDK's own parsing is not used: it loses stop_reason and usage where the body is not what it expects.
    """
    headers = {name.lower(): value for name, value in raw.headers.items()}
    message = _read_message(raw.body)
    details = None if message is None else message.stop_details
    return Reply(
        raw=raw,
        text="" if message is None else "".join(block.text for block in message.content if block.type == "text"),
        stop_reason=None if message is None else message.stop_reason,
        refusal_category=None if details is None else details.category,
        refusal_explanation=None if details is None else details.explanation,
        usage=TokenUsage() if message is None else message.usage,
        model=None if message is None else message.model,
        request_id=headers.get(REQUEST_ID_HEADER),
        duration_ms=duration_ms,
        simulated=simulated or headers.get(SIMULATED_HEADER) == "true",
    )


def _read_message(body: bytes) -> _Message | None:
    try:
        message = _Message.model_validate(json.loads(body))
    except (ValueError, ValidationError, RecursionError):
        return None
    return message if message.type == "message" else None


def read_error_message(body: object) -> str | None:
    """Return what the API says in an error body, without the envelope around it; None where it is no such body."""
    try:
        return _ErrorBody.model_validate(body).error.message
    except ValidationError:
        return None


_KIND_BY_STATUS = {
    401: CallFailureKind.BAD_KEY,
    402: CallFailureKind.NO_CREDIT,
    403: CallFailureKind.FORBIDDEN,
    404: CallFailureKind.UNKNOWN_MODEL,
    408: CallFailureKind.TIMEOUT,
    409: CallFailureKind.SERVER_ERROR,
    429: CallFailureKind.RATE_LIMITED,
    504: CallFailureKind.TIMEOUT,
    529: CallFailureKind.OVERLOADED,
}
_SPEND_LIMITS = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
_FIRST_SERVER_STATUS = 500


def classify_error(status_code: int, error_type: str | None, error_code: str | None, message: str) -> CallFailureKind:
    """Name the failure behind an HTTP error status.

    A spend limit comes dressed as a 429, and used-up credit as an invalid request; both are fatal, not passing.
    """
    if error_code in _SPEND_LIMITS:
        return CallFailureKind.SPEND_LIMIT
    if "credit balance" in message.lower():
        return CallFailureKind.NO_CREDIT
    if error_type == "overloaded_error":
        return CallFailureKind.OVERLOADED
    other = CallFailureKind.SERVER_ERROR if status_code >= _FIRST_SERVER_STATUS else CallFailureKind.INVALID_REQUEST
    return _KIND_BY_STATUS.get(status_code, other)


def read_retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return what `retry-after-ms` or `retry-after` (seconds or a date) asks for; None where neither can be read."""
    lower = {name.lower(): value for name, value in headers.items()}
    try:
        if "retry-after-ms" in lower:
            return max(float(lower["retry-after-ms"]) / 1000, 0.0)
        value = lower.get("retry-after")
        if value is None:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        moment = parsedate_to_datetime(value)
        return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now.timestamp(), 0.0)
    except ValueError:
        return None
