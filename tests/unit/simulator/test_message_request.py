"""What the simulated Claude accepts and refuses, as the API does."""

import json
from typing import Any

import pytest

from core.embedded.simulator.message_request import ApiError, MessageRequest, check_headers, read_message_request


def read(**changes: Any) -> MessageRequest | ApiError:
    fields = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]} | changes
    body = json.dumps({name: value for name, value in fields.items() if value is not None}).encode()
    return read_message_request(body)


def schema_format(schema: dict[str, Any]) -> dict[str, Any]:
    return {"format": {"type": "json_schema", "schema": schema}}


def test_a_plain_request_is_read() -> None:
    request = read(system=[{"type": "text", "text": "Be kind."}])

    assert isinstance(request, MessageRequest)
    assert (request.system, request.user, request.max_tokens) == ("Be kind.", "Hi", 100)
    assert request.labels == {"claude-sonnet-5-5", "unstructured"}


def test_structured_output_and_long_prompts_are_labelled() -> None:
    request = read(system="x" * 8_701, output_config=schema_format({"type": "object", "additionalProperties": False}))

    assert isinstance(request, MessageRequest)
    assert {"structured", "long_prompt"} <= request.labels


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"temperature": 0.7}, 400, "temperature"),
        ({"top_p": 1}, 400, "top_p"),
        ({"max_tokens": None}, 400, "max_tokens: Field required"),
        ({"max_tokens": 0}, 400, "greater than or equal to 1"),
        ({"max_tokens": 128_001}, 400, "128001 > 128000"),
        ({"max_tokens": "many"}, 400, "valid integer"),
        ({"model": "gpt-9"}, 404, "model: gpt-9"),
        ({"model": None}, 400, "model: Field required"),
        ({"messages": []}, 400, "at least one message"),
        ({"messages": ["hello"]}, 400, "role"),
        ({"messages": [{"role": "user", "content": ""}]}, 400, "non-empty"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "{"}]}, 400, "prefill"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, 400, "first message"),
        ({"stream": True}, 400, "does not stream"),
        ({"colour": "red"}, 400, "colour: Extra inputs"),
        ({"output_config": {"effort": "heroic"}}, 400, "effort"),
        ({"output_config": schema_format({"type": "object", "properties": {}})}, 400, "additionalProperties"),
        ({"output_config": schema_format({"type": "array", "minItems": 4})}, 400, "minItems"),
        ({"output_config": schema_format({"type": "number", "maximum": 1})}, 400, "maximum"),
    ],
)
def test_an_invalid_request_is_refused(changes: Any, status: int, message: str) -> None:
    error = read(**changes)

    assert isinstance(error, ApiError)
    assert error.status_code == status
    assert message in error.message


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    error = read_message_request(body)

    assert isinstance(error, ApiError)
    assert error.status_code == 400


def test_a_property_named_maximum_is_no_bound() -> None:
    schema = {"type": "object", "properties": {"maximum": {"type": "string"}}, "additionalProperties": False}

    assert isinstance(read(output_config=schema_format(schema)), MessageRequest)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer "}, {"authorization": "Basic abc"}])
def test_a_missing_key_is_an_authentication_error(headers: dict[str, str]) -> None:
    error = check_headers(headers)

    assert error is not None
    assert (error.status_code, error.error_type) == (401, "authentication_error")
