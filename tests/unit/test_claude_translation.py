import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.adapters.claude.answers import read_answer
from core.adapters.claude.events import MOST_EVENTS, assemble_events
from core.adapters.claude.retry_after import LONGEST_SECONDS, read_retry_after_seconds
from core.adapters.claude.translation import build_payload, find_message, is_whole_message, keep_raw, load_body, read_reply
from core.domain.batches.work import CallFailure, CallFailureKind, ChatRequest
from core.domain.scaffolding.prompt import Prompt
from core.domain.verdict.reply import Reply, TokenUsage
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


def json_bodies() -> st.SearchStrategy[bytes]:
    """Anything that is JSON, with the names that errors and replies have."""
    names = st.sampled_from(
        ["type", "error", "message", "detail", "errors", "content", "code", "status", "details", "choices"]
    )
    texts = st.one_of(
        st.text(), st.sampled_from(["error", "message", "api_error", "model not found", "try again in 3 days"])
    )
    leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts)
    values = st.recursive(leaves, lambda inner: st.one_of(st.lists(inner), st.dictionaries(names, inner)), max_leaves=8)
    return values.map(lambda value: json.dumps(value).encode())


def read(body: bytes, **headers: str) -> Any:
    raw = keep_raw(200, {name.replace("_", "-"): value for name, value in headers.items()}, body)
    return read_reply(raw, find_message(load_body(raw.body)), duration_ms=5, simulated=False)


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
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "2026-11-22T12:00:30Z"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "172800"}, 172_800.0),
        ({}, None),
    ],
)
def test_retry_after_is_read_in_each_of_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds == read_retry_after_seconds(headers, NOW)


@pytest.mark.parametrize("header", ["retry-after", "retry-after-ms"])
@pytest.mark.parametrize(
    "value",
    [
        "soon",
        "",
        "nan",
        "inf",
        "-inf",
        "-5",
        "1e999",
        "9" * 400,
        "9999999999999",
        "٩٩٩٩٩٩٩٩٩٩٩٩٩",
        "1_0\x00",
        "Wed, 21 Oct 10000000000 07:28:00 GMT",
        "Wed, 21 Oct 99999 07:28:00 GMT",
        "Wed, 99 Oct 2026 07:28:00 GMT",
        "Wed, 21 Oct 2026 07:28:00 +999999999",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "9999-12-31T23:59:59Z",
    ],
)
def test_wait_that_cannot_be_read_or_kept_counts_as_none(header: str, value: str) -> None:
    assert read_retry_after_seconds({header: value}, NOW) is None


@given(st.text(), st.text())
def test_no_header_raises(seconds: str, milliseconds: str) -> None:
    found = read_retry_after_seconds({"retry-after": seconds, "retry-after-ms": milliseconds}, NOW)

    assert found is None or 0 <= found <= LONGEST_SECONDS


@given(st.integers(min_value=200, max_value=599), st.one_of(st.binary(), json_bodies()), st.text())
def test_no_answer_raises_and_whatever_is_said_of_it_is_a_line(status: int, body: bytes, content_type: str) -> None:
    raw = keep_raw(status, {"content-type": content_type, "retry-after": content_type}, body)

    answer = read_answer(raw, now=NOW, duration_ms=1, simulated=False)

    assert answer.raw is raw
    if isinstance(answer, CallFailure):
        assert len(answer.message) <= 300
        assert answer.message.isprintable()


def test_date_of_return_is_read_from_the_words_or_a_long_wait() -> None:
    def read_return(message: str, **headers: str) -> str | None:
        body = json.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": message}}).encode()
        raw = keep_raw(429, {name.replace("_", "-"): value for name, value in headers.items()}, body)
        answer = read_answer(raw, now=NOW, duration_ms=1, simulated=False)
        assert isinstance(answer, CallFailure)
        return answer.access_returns

    assert read_return("You will regain access on 2026-12-01 at 00:00 UTC.") == "2026-12-01 at 00:00 UTC"
    assert read_return("Limit reached. It resets at 2026-12-01T00:00:00.000Z, ask later.") == "2026-12-01T00:00:00.000Z"
    assert read_return("Please try again in 3 hours.") == "3 hours"
    assert read_return('x: {"message":"You will regain access on 2026-12-01 at 00:00 UTC"}}') == "2026-12-01 at 00:00 UTC"
    assert read_return("x: {'message': 'It resets at 09:00 UTC.'}") == "09:00 UTC"
    assert read_return(r"It resumes on 2026-12-01.\nAsk later.") == "2026-12-01"
    assert read_return("It is paused until Dec. 1, 2026 at 12 a.m. UTC because of you.") == "Dec. 1, 2026 at 12 a.m. UTC"
    assert read_return("It resets Dec 3, 2026, 10:30 p.m. (UTC). Wait.") == "Dec 3, 2026, 10:30 p.m. (UTC)"
    assert read_return("5-hour limit reached ∙ resets 6pm") == "6pm"
    assert read_return("It resets by itself. 5 things are left.") is None
    assert read_return("No.", retry_after="86400") == "2026-11-23 at 12:00 UTC"
    assert read_return("Please try again later.", retry_after="5") is None


WHOLE: dict[str, Any] = json.loads(make_message())


@pytest.mark.parametrize(
    ("changes", "is_whole"),
    [
        ({}, True),
        ({"error": None}, True),
        ({"role": None}, True),
        ({"role": None, "stop_reason": None}, True),
        ({"role": "user"}, False),
        ({"type": "completion"}, True),
        ({"type": "completion", "usage": None}, False),
        ({"type": "error"}, False),
        ({"content": None}, False),
        ({"content": "text"}, False),
        ({"usage": None}, True),
        ({"stop_reason": None}, True),
        ({"stop_reason": None, "usage": None}, False),
    ],
)
def test_message_is_told_by_the_fields_that_the_api_promises(changes: dict[str, Any], *, is_whole: bool) -> None:
    assert is_whole == is_whole_message(WHOLE | changes)
    assert is_whole_message({name: value for name, value in WHOLE.items() if name != "role"})


def answer(body: object) -> Any:
    raw = keep_raw(200, {"content-type": "application/json"}, json.dumps(body).encode())
    return read_answer(raw, now=NOW, duration_ms=1, simulated=False)


@pytest.mark.parametrize("error", ["Overloaded", ["Overloaded"], {"type": "overloaded_error", "message": "Overloaded"}])
@pytest.mark.parametrize("name", ["error", "errors"])
def test_error_beside_a_message_is_an_error_and_what_was_paid_for_is_counted(name: str, error: object) -> None:
    failure = answer(WHOLE | {"stop_reason": None, name: error})

    assert isinstance(failure, CallFailure)
    assert failure.kind is CallFailureKind.OVERLOADED
    assert TokenUsage(input_tokens=0, output_tokens=12) == failure.usage


@pytest.mark.parametrize(
    "error",
    [
        "Overloaded",
        {"type": "fallback", "message": "served by fallback after timeout of first try"},
        {"status": 500, "message": "logging callback failed"},
        {"type": "notice", "message": "Your credit balance is too low"},
        [{"message": "Rate limit reached; served from fallback"}],
    ],
)
@pytest.mark.parametrize("name", ["error", "errors"])
def test_error_beside_a_reply_that_has_its_text_its_end_and_its_tokens_costs_no_reply(name: str, error: object) -> None:
    assert isinstance(answer(WHOLE | {name: error}), Reply)
    assert isinstance(answer({"data": WHOLE, name: error}), Reply)


def test_more_events_than_any_reply_has_are_not_read() -> None:
    assert assemble_events("data: {}\n\n" * MOST_EVENTS + 'data: {"error": "late"}\n\n') == {}


@pytest.mark.parametrize("error", [None, {}, [], "", False])
def test_error_that_says_nothing_costs_no_reply(error: object) -> None:
    assert isinstance(answer(WHOLE | {"error": error}), Reply)


@pytest.mark.parametrize(
    "body",
    [
        {"role": "user", "type": "message", "content": [{"type": "text", "text": "the prompt"}], "stop_reason": "end_turn"},
        {name: value for name, value in WHOLE.items() if name not in ("type", "usage")},
        {"success": False},
        {"code": 1001, "data": None},
    ],
)
def test_json_that_is_no_message_stops_the_batch_with_its_words(body: dict[str, Any]) -> None:
    failure = answer(body)

    assert isinstance(failure, CallFailure)
    assert failure.kind is CallFailureKind.WRONG_ADDRESS
    assert json.dumps(body)[:100] in failure.message


@pytest.mark.parametrize("content", [None, "text", {}])
def test_message_of_odd_content_is_not_asked_for_again_and_its_tokens_count(content: object) -> None:
    reply = answer(WHOLE | {"content": content})

    assert isinstance(reply, Reply)
    assert ("", 12) == (reply.text, reply.usage.output_tokens)


def test_cut_message_is_not_asked_for_again_whatever_its_text_quotes() -> None:
    body = make_message(content=[{"type": "text", "text": "{'error': {'type': 'overloaded_error', 'message': 'x'}}"}])[:-40]
    raw = keep_raw(200, {}, body)

    assert isinstance(read_answer(raw, now=NOW, duration_ms=1, simulated=False), Reply)
