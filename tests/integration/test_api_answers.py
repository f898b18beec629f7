"""Each answer that is no reply, sent by a server and read by the real SDK adapter: what follows, and what is said of it."""

import asyncio
import gzip
import json
import random
import tracemalloc
from collections.abc import Mapping

import pytest

from core.adapters.claude.answer_limit import MOST_BYTES, MOST_COMPRESSED_BYTES
from core.adapters.claude.client import open_claude
from core.domain.batches.retry import GiveUp, RetryDecision, RetryLater, RetryLimits, StopBatch, decide_retry
from core.domain.batches.work import CallFailure, CallFailureKind, ChatRequest
from core.domain.verdict.judgement import judge_reply
from core.domain.verdict.reply import Reply
from core.domain.verdict.verdict import Accepted, Failed, FailureType
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
        {"usage": None},
        {"stop_details": ["x"]},
        {"stop_details": {"category": 7, "explanation": {"x": 1}}},
        {"model": None, "stop_details": "x"},
        {"content": [None, 7, {"type": "thinking"}, {"type": "text", "text": make_conversation_json()}]},
        {"content": [{"type": "thinking", "text": None}, {"type": "text", "text": make_conversation_json()}]},
        {"content": [{"type": "text", "text": None}, {"type": None, "text": make_conversation_json()}]},
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


COMPRESSED = JSON | {"content-encoding": "gzip"}
TOLD = JSON | {"content-type": "text/event-stream"}


def make_events(text: str, *, is_ended: bool = True) -> bytes:
    message = json.loads(make_message()) | {"content": [], "stop_reason": None}
    told: list[dict[str, object]] = [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
    ]
    told += [{"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": letter}} for letter in text]
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 900}}
    told += [end, {"type": "message_stop"}] if is_ended else []
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in told).encode()


SECRETLY_WORDS = "my API key is invalid, the credit balance is too low"
WITHOUT_TYPE = {name: value for name, value in json.loads(make_message()).items() if name not in ("type", "role")}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=200, headers=COMPRESSED, body=gzip.compress(make_message())),
        Answer(status=200, headers=COMPRESSED, body=make_message()),
        Answer(status=200, headers=JSON, body=gzip.compress(make_message())),
        Answer(status=200, headers=JSON | {"content-encoding": "br, gzip"}, body=make_message()),
        Answer(status=200, headers=JSON, body=make_message(), ends_early=True),
        Answer(status=200, headers=COMPRESSED, body=gzip.compress(make_message())[:-8], ends_early=True),
        Answer(status=500, headers=JSON, body=make_message()),
        Answer(status=429, headers=JSON, body=make_message()),
        Answer(status=200, headers=JSON, body=make_message(role=None)),
        Answer(status=200, headers=JSON, body=make_message(content=[{"text": make_conversation_json()}])),
        Answer(status=200, headers=JSON, body=json.dumps(WITHOUT_TYPE).encode()),
        *(
            Answer(status=200, headers=JSON, body=json.dumps({name: json.loads(make_message())}).encode())
            for name in ("data", "response", "result")
        ),
        Answer(status=200, headers=JSON, body=json.dumps({"status": 200, "body": make_message().decode()}).encode()),
        Answer(status=200, headers=TOLD, body=make_events(make_conversation_json())),
    ],
)
def test_whole_message_that_was_paid_for_is_a_reply_however_it_came(answer: Answer) -> None:
    reply = ask(answer)

    assert isinstance(reply, Reply)
    assert (make_conversation_json(), "end_turn") == (reply.text, reply.stop_reason)
    assert reply.usage.output_tokens in (20, 900)
    assert isinstance(judge_reply(reply), Accepted)


@pytest.mark.parametrize(
    "beside",
    [
        {"error": {"code": 0, "message": "success"}},
        {"error": {"code": None, "message": None}},
        {"errors": {"count": 0}},
        {"error": "none"},
        {"errors": [{}]},
        {"Error": "No"},
        {"fault": {"code": 200}},
    ],
)
@pytest.mark.parametrize("status", [200, 500])
def test_error_that_names_nothing_costs_no_reply(beside: Mapping[str, object], status: int) -> None:
    assert isinstance(ask(Answer(status=status, headers=JSON, body=make_message(**beside))), Reply)
    wrapped = json.dumps({"data": json.loads(make_message()), **beside}).encode()
    assert isinstance(ask(Answer(status=status, headers=JSON, body=wrapped)), Reply)


@pytest.mark.parametrize(
    ("answer", "came"),
    [
        (Answer(status=200, headers=JSON, body=make_message()[:-40], ends_early=True), make_message()[:-40]),
        (Answer(status=200, headers=JSON, body=b'{"type":', ends_early=True), b'{"type":'),
        (Answer(status=200, headers=COMPRESSED, body=make_message()[:90]), make_message()[:90]),
        (Answer(status=200, headers=JSON, body=b")]}'\n" + make_message()), b")]}'\n" + make_message()),
        (Answer(status=500, headers=JSON, body=make_message()[:-40]), make_message()[:-40]),
        *(
            (Answer(status=200, headers=TOLD, body=body), body)
            for body in (make_events(SECRETLY_WORDS, is_ended=False), make_events(SECRETLY_WORDS)[:-400])
        ),
    ],
)
def test_reply_that_is_cut_keeps_its_bytes_fails_by_its_verdict_and_is_not_asked_for_again(
    answer: Answer, came: bytes
) -> None:
    reply = ask(answer)

    assert isinstance(reply, Reply)
    assert came == reply.raw.body
    assert isinstance(judge_reply(reply), Failed)


def test_words_of_a_streamed_reply_are_no_words_of_an_error_and_its_usage_is_kept() -> None:
    told = ask(Answer(status=200, headers=TOLD, body=make_events(SECRETLY_WORDS)))
    headless = ask(Answer(status=200, headers=TOLD, body=make_events(SECRETLY_WORDS).partition(b"\n\n")[2]))

    assert isinstance(told, Reply)
    assert isinstance(headless, Reply)
    assert SECRETLY_WORDS == told.text == headless.text
    assert told.usage.input_tokens == 10
    failure = fail(
        Answer(status=200, headers=TOLD, body=b'data: {"choices": [{"delta": {"content": "credit balance"}}]}\n\n')
    )
    assert failure.kind is CallFailureKind.WRONG_ADDRESS


def test_error_that_is_compressed_or_cut_is_read() -> None:
    compressed = gzip.compress(make_error("overloaded_error", "Overloaded"))
    cut = make_error("overloaded_error", "Overloaded")[:-20]

    assert fail(Answer(status=529, headers=COMPRESSED, body=compressed)).kind is CallFailureKind.OVERLOADED
    assert fail(Answer(status=529, headers=JSON, body=cut, ends_early=True)).kind is CallFailureKind.OVERLOADED


def test_nothing_at_all_is_a_broken_connection() -> None:
    for body in (b"", b" \n"):
        assert fail(Answer(status=200, headers=JSON, body=body, ends_early=True)).kind is CallFailureKind.CONNECTION


def test_what_cannot_be_unpacked_is_kept_as_it_came() -> None:
    inner = gzip.compress(b"x")
    for body in (b"\x1f\x8bnot gzip", gzip.compress(inner)):
        failure = fail(Answer(status=200, headers=COMPRESSED, body=body))

        assert failure.kind is CallFailureKind.WRONG_ADDRESS
        assert failure.raw is not None
        assert failure.raw.body in (body, inner)


BOMB = gzip.compress(bytes(MOST_BYTES * 40))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=200, headers=JSON, body=b" " * (MOST_BYTES + 1)),
        Answer(status=500, headers=HTML, body=b"x" * (MOST_BYTES + 1)),
        Answer(status=200, headers=COMPRESSED, body=gzip.compress(random.Random(5).randbytes(MOST_COMPRESSED_BYTES))),
        Answer(status=200, headers=COMPRESSED, body=BOMB),
        Answer(status=200, headers=JSON | {"content-encoding": "br, gzip"}, body=BOMB),
    ],
)
def test_answer_without_end_is_not_taken_in(answer: Answer) -> None:
    failure = fail(answer)

    assert failure.raw is None
    assert failure.kind is CallFailureKind.WRONG_ADDRESS


def test_no_answer_takes_more_memory_than_the_longest_one_has() -> None:
    nested = gzip.compress(BOMB)
    tracemalloc.start()
    try:
        fail(Answer(status=200, headers=COMPRESSED, body=BOMB))
        fail(Answer(status=200, headers=JSON | {"content-encoding": "gzip, gzip"}, body=nested))
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert most_bytes < 4 * MOST_BYTES


def test_only_the_encoding_that_is_undone_is_asked_for() -> None:
    asked: list[str] = []

    def note(_number: int, headers: Mapping[str, str]) -> Answer:
        asked.append(headers["accept-encoding"])
        return Answer(status=200, headers=JSON, body=make_message())

    with answering_server(note) as server:
        ask_at(server.base_url)

    assert asked == ["gzip"]


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
