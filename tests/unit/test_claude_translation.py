import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.adapters.claude.translation import build_payload, classify_error, keep_raw, read_reply, read_retry_after_seconds
from core.domain.prompt import Prompt
from core.domain.reply import TokenUsage
from core.domain.work import CallFailureKind, ChatRequest
from tests.factories import make_settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def make_message(**changes: Any) -> bytes:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "{}"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 0, "output_tokens": 12},
    }
    return json.dumps(message | changes).encode()


def read(body: bytes, **headers: str) -> Any:
    raw = keep_raw(200, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    return read_reply(raw, duration_ms=5, simulated=False)


def test_payload_carries_prompt_limit_schema_and_effort_and_no_temperature() -> None:
    request = ChatRequest(prompt=Prompt(system="s", user="u"), settings=make_settings(effort="high"))

    payload = build_payload(request)

    assert payload["messages"] == [{"role": "user", "content": "u"}]
    assert ("s", 24_576) == (payload["system"], payload["max_tokens"])
    assert payload["output_config"]["format"]["type"] == "json_schema"
    assert payload["output_config"]["effort"] == "high"
    assert "temperature" not in payload


def test_payload_without_schema_or_effort_has_no_output_config() -> None:
    request = ChatRequest(prompt=Prompt(system="s", user="u"), settings=make_settings(structured_outputs=False))

    assert "output_config" not in build_payload(request)


def test_reply_is_read_from_text_blocks_with_stop_reason_usage_and_request_id() -> None:
    reply = read(make_message(), request_id="req_7")

    assert ("{}", "end_turn", "req_7") == (reply.text, reply.stop_reason, reply.request_id)
    assert TokenUsage(input_tokens=0, output_tokens=12) == reply.usage


def test_refusal_brings_its_category() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    reply = read(make_message(content=[], stop_reason="refusal", stop_details=details))

    assert ("refusal", "cyber", "No.") == (reply.stop_reason, reply.refusal_category, reply.refusal_explanation)


def test_stop_reason_that_nobody_knows_is_kept_as_text() -> None:
    assert read(make_message(stop_reason="compaction")).stop_reason == "compaction"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id": "msg_', b"[]", b'{"type": "ping"}', b"\xff\xfe", b"[" * 100_000])
def test_body_that_holds_no_message_gives_a_reply_without_stop_reason_and_keeps_its_bytes(body: bytes) -> None:
    reply = read(body)

    assert (None, "", body) == (reply.stop_reason, reply.text, reply.raw.body)


def test_simulated_reply_is_marked_by_its_header() -> None:
    assert read(make_message(), x_brightrun_simulated="true").simulated


def test_secrets_in_headers_are_not_kept() -> None:
    raw = keep_raw(200, {"Set-Cookie": "s=1", "Authorization": "Bearer x", "Request-Id": "r"}, b"")

    assert {"request-id": "r"} == raw.headers


@pytest.mark.parametrize(
    ("status", "error_type", "code", "message", "kind"),
    [
        (400, "invalid_request_error", None, "Your credit balance is too low", CallFailureKind.NO_CREDIT),
        (400, "invalid_request_error", None, "max_tokens: too large", CallFailureKind.INVALID_REQUEST),
        (401, "authentication_error", None, "invalid key", CallFailureKind.BAD_KEY),
        (402, "billing_error", None, "pay", CallFailureKind.NO_CREDIT),
        (403, "permission_error", None, "no", CallFailureKind.FORBIDDEN),
        (404, "not_found_error", None, "model: x", CallFailureKind.UNKNOWN_MODEL),
        (408, None, None, "", CallFailureKind.TIMEOUT),
        (413, "request_too_large", None, "", CallFailureKind.INVALID_REQUEST),
        (429, "rate_limit_error", None, "slow down", CallFailureKind.RATE_LIMITED),
        (429, "rate_limit_error", "enforced_spend_limit_reached", "limit", CallFailureKind.SPEND_LIMIT),
        (429, "rate_limit_error", "contract_spend_limit_reached", "limit", CallFailureKind.SPEND_LIMIT),
        (500, "api_error", None, "", CallFailureKind.SERVER_ERROR),
        (503, "api_error", None, "", CallFailureKind.SERVER_ERROR),
        (529, "overloaded_error", None, "", CallFailureKind.OVERLOADED),
    ],
)
def test_error_is_named_by_status_code_and_message(
    status: int, error_type: str | None, code: str | None, message: str, kind: CallFailureKind
) -> None:
    assert kind is classify_error(status, error_type, code, message)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds == read_retry_after_seconds(headers, NOW)
