"""Each answer that is no reply, sent by a server and read by the real SDK adapter: what follows, and what is said of it."""

import asyncio
import gzip
import json
from collections.abc import Mapping

import pytest

from core.adapters.claude.answer_limit import MOST_BYTES, MOST_COMPRESSED_BYTES
from core.adapters.claude.client import open_claude
from core.domain.judgement import judge_reply
from core.domain.reply import Reply
from core.domain.retry import GiveUp, RetryDecision, RetryLater, RetryLimits, StopBatch, decide_retry
from core.domain.verdict import Failed, FailureType
from core.domain.work import CallFailure, CallFailureKind, ChatRequest
from tests.factories import make_conversation_json, make_settings
from tests.fakes.answering_server import Answer, answering_server
from tests.integration.api_answers import HTML, JSON, ApiCase, Follows, make_error, read_cases
from tests.support.simulator import make_prompt

KEY = "sk-ant-api03-a-key-that-nobody-may-see"
REQUEST = ChatRequest(prompt=make_prompt(), settings=make_settings())
LIMITS = RetryLimits(max_attempts=5, max_seconds=900)
CASES = [pytest.param(case, id=case.name) for case in read_cases()]


def ask(answer: Answer, *, key: str = KEY) -> Reply | CallFailure:
    with answering_server(lambda _number, _headers: answer) as server:
        return ask_at(server.base_url, key=key)


def ask_at(base_url: str, *, key: str = KEY) -> Reply | CallFailure:
    async def run() -> Reply | CallFailure:
        async with open_claude(api_key=key, base_url=base_url, timeout_seconds=20, simulated=False) as model:
            return await model.complete(REQUEST)

    return asyncio.run(run())


def fail(answer: Answer) -> CallFailure:
    failure = ask(answer)
    assert isinstance(failure, CallFailure), failure
    return failure


def decide(failure: CallFailure, attempt_number: int = 1) -> RetryDecision:
    return decide_retry(failure, attempt_number=attempt_number, spent_seconds=0.0, limits=LIMITS, jitter=0.5)


def name_decision(decision: RetryDecision) -> Follows:
    match decision:
        case RetryLater():
            return Follows.RETRY
        case StopBatch():
            return Follows.STOP_BATCH
        case GiveUp(failure_type=FailureType.REFUSAL):
            return Follows.REFUSAL
        case GiveUp():
            return Follows.GIVE_UP


def read_reason(decision: RetryDecision, failure: CallFailure) -> str:
    return failure.message if isinstance(decision, RetryLater) else decision.because


@pytest.mark.parametrize("case", CASES)
def test_answer_means_what_its_words_say_in_one_line_and_is_kept_whole(case: ApiCase) -> None:
    failure = fail(case.answer)

    decision = decide(failure)
    assert (case.kind, case.follows) == (failure.kind, name_decision(decision))
    assert case.says in read_reason(decision, failure)
    for text in (failure.message, read_reason(decision, failure), read_reason(decide(failure, 5), failure)):
        assert len(text) <= 300
        assert text.isprintable()
        assert "<" not in text
    assert failure.raw is not None
    assert (case.answer.body, case.answer.status) == (failure.raw.body, failure.raw.status_code)


@pytest.mark.parametrize("wait", ["Wed, 21 Oct 10000000000 07:28:00 GMT", "nan", "-5", "1e999", "soon"])
def test_wait_that_cannot_be_read_counts_as_none_and_raises_nothing(wait: str) -> None:
    failure = fail(Answer(status=429, headers=JSON | {"retry-after": wait}, body=make_error("rate_limit_error", "x")))

    assert failure.retry_after_seconds is None
    assert isinstance(decide(failure), RetryLater)


def make_message(**changes: object) -> bytes:
    message: dict[str, object] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": make_conversation_json()}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 10, "output_tokens": 20},
    }
    return json.dumps(message | changes).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"error": None},
        {"usage": {"input_tokens": float("nan"), "output_tokens": 10**30}},
        {"usage": "none"},
        {"model": None, "stop_details": "x"},
        {"content": [None, 7, {"type": "thinking"}, {"type": "text", "text": make_conversation_json()}]},
    ],
)
def test_paid_text_is_not_lost_for_a_field_that_is_wrong(changes: Mapping[str, object]) -> None:
    reply = ask(Answer(status=200, headers=JSON, body=make_message(**changes)))

    assert isinstance(reply, Reply)
    assert (make_conversation_json(), "end_turn") == (reply.text, reply.stop_reason)


@pytest.mark.parametrize("content_type", ["text/html", "text/plain; charset=nonsense", ""])
def test_reply_counts_whatever_its_content_type(content_type: str) -> None:
    assert isinstance(ask(Answer(status=200, headers={"content-type": content_type}, body=make_message())), Reply)


@pytest.mark.parametrize("body", [make_message()[:-40], b"{}", b'{"type": "ping"}', b"[]"])
def test_body_that_is_cut_or_says_nothing_fails_its_item_and_is_not_asked_for_again(body: bytes) -> None:
    reply = ask(Answer(status=200, headers=JSON, body=body))

    assert isinstance(reply, Reply)
    verdict = judge_reply(reply)
    assert isinstance(verdict, Failed)
    assert verdict.failure_type is FailureType.API_ERROR


def test_compressed_error_is_read_and_a_cut_one_is_a_broken_connection() -> None:
    headers = JSON | {"content-encoding": "gzip"}
    compressed = gzip.compress(make_error("overloaded_error", "Overloaded"))

    assert fail(Answer(status=529, headers=headers, body=compressed)).kind is CallFailureKind.OVERLOADED
    assert fail(Answer(status=200, headers=headers, body=b"\x1f\x8bnot gzip")).kind is CallFailureKind.CONNECTION
    assert fail(Answer(status=200, headers=JSON, body=b'{"type":', ends_early=True)).kind is CallFailureKind.CONNECTION


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=200, headers=JSON, body=b" " * (MOST_BYTES + 1)),
        Answer(status=500, headers=HTML, body=b"x" * (MOST_BYTES + 1)),
        Answer(status=200, headers=JSON | {"content-encoding": "gzip"}, body=b"\x00" * (MOST_COMPRESSED_BYTES + 1)),
    ],
)
def test_answer_without_end_is_not_taken_in(answer: Answer) -> None:
    failure = fail(answer)

    assert failure.raw is None
    assert failure.kind in (CallFailureKind.WRONG_ADDRESS, CallFailureKind.CONNECTION)


def test_redirect_does_not_take_the_key_to_another_host() -> None:
    with answering_server(lambda _number, _headers: Answer(status=200)) as other:
        failure = fail(Answer(status=307, headers={"location": f"{other.base_url}/v1/messages"}))

        assert failure.kind is CallFailureKind.WRONG_ADDRESS
        assert other.calls == 0


def test_key_that_a_server_echoes_is_kept_nowhere() -> None:
    body = make_error("authentication_error", f"Incorrect API key provided: {KEY}.")

    failure = fail(Answer(status=401, headers=JSON | {"x-debug": f"key={KEY}"}, body=body))

    assert failure.kind is CallFailureKind.BAD_KEY
    assert KEY not in repr(failure)


@pytest.mark.parametrize("key", [f"{KEY}\nX-Other: 1", f"“{KEY}”", f"{KEY} {KEY}"])
def test_key_that_cannot_be_sent_is_named_and_not_quoted(key: str) -> None:
    with answering_server(lambda _number, _headers: Answer(status=200)) as server:
        failure = ask_at(server.base_url, key=key)

        assert isinstance(failure, CallFailure)
        assert failure.kind is CallFailureKind.BAD_KEY
        assert "nobody-may-see" not in repr(failure)
        assert server.calls == 0


@pytest.mark.parametrize("base_url", ["ftp://example.com", "example.com", "https://127.0.0.1:9"])
def test_address_that_is_none_is_named(base_url: str) -> None:
    failure = ask_at(base_url)

    assert isinstance(failure, CallFailure)
    expected = CallFailureKind.CONNECTION if base_url.startswith("https") else CallFailureKind.WRONG_ADDRESS
    assert failure.kind is expected


def test_https_to_a_server_that_speaks_none_is_a_wrong_address() -> None:
    with answering_server(lambda _number, _headers: Answer(status=400)) as server:
        failure = ask_at(server.base_url.replace("http:", "https:"))

    assert isinstance(failure, CallFailure)
    assert failure.kind is CallFailureKind.WRONG_ADDRESS, failure.message


def test_tokens_are_not_counted_where_the_answer_is_no_count() -> None:
    async def count(base_url: str) -> int | None:
        async with open_claude(api_key=KEY, base_url=base_url, timeout_seconds=20, simulated=False) as model:
            return await model.count_tokens(REQUEST)

    for body in (b"<html>", b"", b"[]", b'{"input_tokens": null}', b'{"input_tokens": NaN}', b"[" * 100_000):
        with answering_server(lambda _number, _headers, body=body: Answer(status=200, headers=JSON, body=body)) as server:
            assert asyncio.run(count(server.base_url)) is None
    with answering_server(lambda _n, _h: Answer(status=200, headers=JSON, body=b'{"input_tokens": 12}')) as server:
        assert asyncio.run(count(server.base_url)) == 12
