from uuid import uuid4

import pytest

from core.adapters.supabase.work_payload import clean_text, encode_attempt, encode_failure, encode_result
from core.domain.reply import RawResponse, TokenUsage
from core.domain.verdict import Confidence, Failed, FailureType
from core.domain.work import ItemFailed, ItemReleased, LeasedItem, decode_body, encode_body
from tests.factories import make_attempt, make_settings


def make_item() -> LeasedItem:
    identity = dict.fromkeys(
        ["item_id", "lease_token", "persona_id", "emotional_arc_id", "training_topic_id", "template_id"], uuid4()
    )
    return LeasedItem.model_validate({**identity, "position": 0, "attempt_number": 1})


def make_failed(body: bytes) -> ItemFailed:
    raw = RawResponse(status_code=200, headers={}, body=body)
    failure = Failed(failure_type=FailureType.PARSE_ERROR, confidence=Confidence.HIGH, details="d")
    return ItemFailed(
        item=make_item(), attempt=make_attempt(raw=raw), prompt_text="p", settings=make_settings(), failure=failure
    )


def test_zero_tokens_are_zero_and_not_null() -> None:
    payload = encode_attempt(make_attempt(usage=TokenUsage(input_tokens=0, output_tokens=0), cost_usd="0"))

    assert (0, 0, "0") == (payload["input_tokens"], payload["output_tokens"], payload["cost_usd"])
    assert payload["temperature"] is None


@pytest.mark.parametrize("body", [b"plain", "héllo \N{WAVING HAND SIGN}".encode(), b"\xff\x00\x01", b"with \x00 nul", b""])
def test_raw_body_comes_back_byte_for_byte(body: bytes) -> None:
    assert body == decode_body(*encode_body(RawResponse(status_code=200, headers={}, body=body)))


def test_raw_response_is_json_where_it_is_json_and_whole_where_it_is_not() -> None:
    assert {"a": 1} == encode_failure(make_failed(b'{"a": 1}'))["raw_response"]["body"]
    assert '{"a": ' == encode_failure(make_failed(b'{"a": '))["raw_response"]["body"]
    assert "base64" == encode_failure(make_failed(b"\xff"))["raw_response"]["body_encoding"]


def test_json_that_postgresql_cannot_hold_stays_text() -> None:
    assert "utf-8" == encode_failure(make_failed(b'{"a": "\\u0000"}'))["raw_response"]["body_encoding"]
    assert "utf-8" == encode_failure(make_failed(b'{"a": "\\ud800"}'))["raw_response"]["body_encoding"]


def test_text_is_cleaned_of_what_postgresql_cannot_hold() -> None:
    assert "a\ufffdb?" == clean_text("a\0b\ud800")


def test_released_item_says_how_long_it_waits() -> None:
    payload = encode_result(ItemReleased(item=make_item(), delay_seconds=2.5))

    assert ("release", None, 2.5) == (payload["kind"], payload["attempt"], payload["delay_seconds"])
