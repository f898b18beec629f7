import base64
import json

import pytest

from core.adapters.supabase.work_payload import encode_attempt, encode_failure, encode_result
from core.domain.batches.work import ItemReleased, encode_body
from core.domain.storable_text import clean_text
from core.domain.verdict.reply import RawResponse, TokenUsage
from tests.factories import make_attempt, make_failed, make_item


def test_zero_tokens_are_zero_and_not_null() -> None:
    payload = encode_attempt(make_attempt(usage=TokenUsage(input_tokens=0, output_tokens=0), cost_usd="0"))

    assert (0, 0, "0") == (payload["input_tokens"], payload["output_tokens"], payload["cost_usd"])
    assert payload["temperature"] is None


@pytest.mark.parametrize("body", [b"plain", "héllo \N{WAVING HAND SIGN}".encode(), b"\xff\x00\x01", b"with \x00 nul", b""])
def test_raw_body_comes_back_byte_for_byte(body: bytes) -> None:
    text, encoding = encode_body(RawResponse(status_code=200, headers={}, body=body))

    assert body == (base64.b64decode(text) if encoding == "base64" else text.encode())
    assert "\0" not in text


def test_raw_response_is_json_where_it_is_json_and_whole_where_it_is_not() -> None:
    assert {"a": 1} == encode_failure(make_failed(b'{"a": 1}'))["raw_response"]["body"]
    assert '{"a": ' == encode_failure(make_failed(b'{"a": '))["raw_response"]["body"]
    assert "base64" == encode_failure(make_failed(b"\xff"))["raw_response"]["body_encoding"]


def test_json_that_postgresql_cannot_hold_stays_text() -> None:
    assert "utf-8" == encode_failure(make_failed(b'{"a": "\\u0000"}'))["raw_response"]["body_encoding"]
    assert "utf-8" == encode_failure(make_failed(b'{"a": "\\ud800"}'))["raw_response"]["body_encoding"]


@pytest.mark.parametrize("body", [b'{"a":' * 5_000, b"[" * 500 + b"]" * 500, b'{"a": NaN}', b'{"a": [1e999]}', b"9" * 5_000])
def test_body_that_would_break_whoever_reads_it_as_json_stays_text(body: bytes) -> None:
    described = encode_failure(make_failed(body))["raw_response"]

    assert ("utf-8", body.decode()) == (described["body_encoding"], described["body"])
    json.dumps(described, allow_nan=False)


def test_no_text_of_an_attempt_holds_what_postgresql_cannot() -> None:
    raw = RawResponse(status_code=200, headers={"x": "a\0b"}, body=b"")
    attempt = make_attempt(raw=raw, stop_reason="s\0", model="m\0", error_message="\0", request_id="\0", error_type="\0")

    assert "\\u0000" not in json.dumps(encode_attempt(attempt))


def test_stack_goes_with_the_failure() -> None:
    failed = make_failed(b"{}").model_copy(update={"error_stack": "Traceback\0"})

    assert encode_failure(failed)["error_stack"] == "Traceback\ufffd"


def test_text_is_cleaned_of_what_postgresql_cannot_hold() -> None:
    assert "a\ufffdb\ufffd" == clean_text("a\0b\ud800")


def test_released_item_says_how_long_it_waits() -> None:
    payload = encode_result(ItemReleased(item=make_item(), delay_seconds=2.5))

    assert ("release", None, 2.5) == (payload["kind"], payload["attempt"], payload["delay_seconds"])
