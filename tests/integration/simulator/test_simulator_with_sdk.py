"""The real SDK against the running simulator: every fault has the shape that Claude's own would have."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message

from core.certificates import load_authorities
from core.domain.scaffolding.prompt import Prompt
from core.domain.verdict.conversation import Conversation
from core.embedded.simulator.faults import FaultKind
from core.scaffolding_data import load_emotional_arcs
from tests.support.simulator import make_prompt, running_simulator

SCHEMA = {
    "type": "object",
    "properties": {"turns": {"type": "array", "items": {"type": "string"}}},
    "required": ["turns"],
    "additionalProperties": False,
}


def open_sdk(base_url: str, timeout_seconds: float = 20.0) -> anthropic.AsyncAnthropic:
    http_client = anthropic.DefaultAsyncHttpxClient(verify=load_authorities(), timeout=timeout_seconds)
    return anthropic.AsyncAnthropic(
        api_key="any", base_url=base_url, max_retries=0, timeout=timeout_seconds, http_client=http_client
    )


async def ask_raw(
    base_url: str, prompt: Prompt | None = None, *, structured: bool = True, timeout_seconds: float = 20.0, **changes: Any
) -> Any:
    prompt = prompt or make_prompt()
    arguments = {
        "model": "claude-sonnet-5-5",
        "max_tokens": 24_576,
        "system": prompt.system,
        "messages": [{"role": "user", "content": prompt.user}],
    } | changes
    if structured:
        arguments["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}
    async with open_sdk(base_url, timeout_seconds) as client:
        return await client.messages.with_raw_response.create(**arguments)


def ask(base_url: str, prompt: Prompt | None = None, **changes: Any) -> Message:
    async def run() -> Any:
        return await (await ask_raw(base_url, prompt, **changes)).parse()

    return asyncio.run(run())


def ask_all(base_url: str, questions: list[str]) -> list[Message]:
    """One after the other through one client, without structured output."""

    async def run() -> Any:
        async with open_sdk(base_url) as client:
            return [
                await client.messages.create(
                    model="claude-sonnet-5-5", max_tokens=8_000, messages=[{"role": "user", "content": question}]
                )
                for question in questions
            ]

    return asyncio.run(run())


def ask_with_fault(kind: FaultKind, **changes: Any) -> Message:
    with running_simulator(f"{kind}=1") as base_url:
        return ask(base_url, **changes)


def read_conversation(message: Message) -> Conversation:
    return Conversation.model_validate_json(message.content[0].text)


def read_stats(base_url: str) -> dict[str, Any]:
    return httpx2.get(f"{base_url}/stats").json()


def test_a_good_reply_has_the_real_shape_and_is_marked_simulated() -> None:
    with running_simulator() as base_url:
        raw = asyncio.run(ask_raw(base_url))
        message = asyncio.run(raw.parse())
        stats = read_stats(base_url)

    assert (message.type, message.role, message.model, message.stop_reason) == (
        "message",
        "assistant",
        "claude-sonnet-5-5",
        "end_turn",
    )
    assert message.id.startswith("msg_")
    assert message._request_id == raw.headers["request-id"]
    assert message.usage.output_tokens == pytest.approx(len(message.content[0].text) / 4, abs=1)
    assert message.usage.input_tokens > 1_000
    assert raw.headers["x-brightrun-simulated"] == "true"
    assert raw.headers["anthropic-organization-id"]
    for name in ("requests", "tokens", "input-tokens", "output-tokens"):
        limit = int(raw.headers[f"anthropic-ratelimit-{name}-limit"])
        assert 0 < int(raw.headers[f"anthropic-ratelimit-{name}-remaining"]) <= limit
        assert raw.headers[f"anthropic-ratelimit-{name}-reset"].endswith("Z")
    assert (stats["requests"], stats["invalid"], stats["in_flight"], stats["by_fault"]) == (1, 0, 0, {})


@pytest.mark.parametrize("arc_key", [arc.arc_key for arc in load_emotional_arcs() if arc.is_active])
def test_every_template_gets_a_whole_conversation(arc_key: str) -> None:
    with running_simulator() as base_url:
        conversation = read_conversation(ask(base_url, make_prompt(arc_key)))

    assert conversation.turns[0].role == "user"
    assert conversation.turns[-1].role == "assistant"
    assert "Marcus" in conversation.conversation_metadata.client_persona


def test_without_structured_output_some_replies_come_in_a_fence() -> None:
    with running_simulator() as base_url:
        messages = ask_all(base_url, [make_prompt(topic_number=n).user for n in range(40)])
    texts = [message.content[0].text for message in messages]

    fenced = [text for text in texts if text.startswith("```json\n") and text.endswith("\n```")]
    assert 0 < len(fenced) < 25
    assert all(json.loads(text.removeprefix("```json\n").removesuffix("\n```"))["turns"] for text in texts)


def test_the_same_order_of_requests_gives_the_same_answers_after_a_restart() -> None:
    def collect() -> list[dict[str, Any]]:
        with running_simulator("refusal=0.3,cut_string=0.3", seed=7) as base_url:
            return [message.model_dump() for message in ask_all(base_url, [f"Talk {n % 4}" for n in range(12)])]

    assert collect() == collect()


def test_another_seed_gives_another_conversation() -> None:
    texts = set()
    for seed in (1, 2):
        with running_simulator(seed=seed) as base_url:
            texts.add(ask(base_url).content[0].text)

    assert len(texts) == 2


def test_a_small_max_tokens_really_cuts() -> None:
    with running_simulator() as base_url:
        message = ask(base_url, max_tokens=100)

    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens == 100
    assert len(message.content[0].text) == 400


@pytest.mark.parametrize(
    ("kind", "stop_reason"),
    [
        (FaultKind.MAX_TOKENS, "max_tokens"),
        (FaultKind.CONTEXT_WINDOW, "model_context_window_exceeded"),
        (FaultKind.CUT_JSON, "end_turn"),
        (FaultKind.PAUSE_TURN, "pause_turn"),
        (FaultKind.STOP_SEQUENCE, "stop_sequence"),
    ],
)
def test_a_cut_reply_is_no_json_and_says_why_it_stopped(kind: FaultKind, stop_reason: str) -> None:
    message = ask_with_fault(kind)

    assert message.stop_reason == stop_reason
    with pytest.raises(json.JSONDecodeError):
        json.loads(message.content[0].text)
    assert (message.stop_sequence is not None) == (kind is FaultKind.STOP_SEQUENCE)
    if kind is FaultKind.MAX_TOKENS:
        assert message.usage.output_tokens == 24_576


def test_cut_string_is_valid_json_whose_turn_ends_on_a_backslash() -> None:
    message = ask_with_fault(FaultKind.CUT_STRING)
    conversation = read_conversation(message)

    assert message.stop_reason == "end_turn"
    assert any(turn.content.endswith(" \\") for turn in conversation.turns)
    assert 400 < message.usage.output_tokens < 1_500


def test_cut_mid_word_is_valid_json_whose_turn_lacks_an_end() -> None:
    message = ask_with_fault(FaultKind.CUT_MID_WORD)

    assert message.stop_reason == "end_turn"
    assert sum(turn.content[-1].isalpha() for turn in read_conversation(message).turns) == 1


def test_wrong_roles_do_not_alternate() -> None:
    roles = [turn.role for turn in read_conversation(ask_with_fault(FaultKind.WRONG_ROLES)).turns]

    assert roles[0] == "assistant" or any(one == other for one, other in pairwise(roles))


def test_escaped_text_holds_two_character_escapes() -> None:
    turns = read_conversation(ask_with_fault(FaultKind.ESCAPED_TEXT)).turns

    assert any("\\n" in turn.content for turn in turns)
    assert any('\\"' in turn.content for turn in turns)


def test_refusal_has_details_and_no_content() -> None:
    message = ask_with_fault(FaultKind.REFUSAL)

    assert message.stop_reason == "refusal"
    assert message.content == []
    assert message.stop_details.type == "refusal"
    assert message.stop_details.category in {"general_harms", "frontier_llm", None}


def test_tool_use_is_a_tool_block() -> None:
    message = ask_with_fault(FaultKind.TOOL_USE)

    assert message.stop_reason == "tool_use"
    assert message.content[0].type == "tool_use"


def test_empty_has_no_text() -> None:
    message = ask_with_fault(FaultKind.EMPTY)

    assert message.stop_reason == "end_turn"
    assert "".join(block.text for block in message.content) == ""


def test_malformed_is_a_200_that_is_no_json() -> None:
    with pytest.raises(json.JSONDecodeError):
        ask_with_fault(FaultKind.MALFORMED)


@pytest.mark.parametrize(
    ("kind", "error", "error_type"),
    [
        (FaultKind.RATE_LIMIT, anthropic.RateLimitError, "rate_limit_error"),
        (FaultKind.OVERLOADED, anthropic.InternalServerError, "overloaded_error"),
        (FaultKind.SERVER_ERROR, anthropic.InternalServerError, "api_error"),
        (FaultKind.BAD_KEY, anthropic.AuthenticationError, "authentication_error"),
        (FaultKind.NO_CREDIT, anthropic.BadRequestError, "invalid_request_error"),
        (FaultKind.USAGE_LIMIT, anthropic.BadRequestError, "invalid_request_error"),
        (FaultKind.CONTENT_FILTER, anthropic.BadRequestError, "invalid_request_error"),
    ],
)
def test_an_error_status_raises_the_sdk_error_with_its_type(
    kind: FaultKind, error: type[anthropic.APIStatusError], error_type: str
) -> None:
    with pytest.raises(error) as caught:
        ask_with_fault(kind)

    assert caught.value.body["error"]["type"] == error_type
    assert caught.value.body["request_id"] == caught.value.request_id
    assert caught.value.response.headers["x-brightrun-simulated"] == "true"
    assert caught.value.response.headers.get("retry-after") == ("1" if kind is FaultKind.RATE_LIMIT else None)


def test_overloaded_is_status_529_and_no_credit_says_so() -> None:
    with pytest.raises(anthropic.APIStatusError) as overloaded:
        ask_with_fault(FaultKind.OVERLOADED)
    with pytest.raises(anthropic.APIStatusError, match="credit balance is too low"):
        ask_with_fault(FaultKind.NO_CREDIT)

    assert overloaded.value.status_code == 529


def test_timeout_never_answers_and_ends_when_the_client_leaves() -> None:
    with running_simulator("timeout=1") as base_url:
        with pytest.raises(anthropic.APITimeoutError):
            ask(base_url, timeout_seconds=0.3)
        deadline = time.monotonic() + 5
        while (stats := read_stats(base_url))["in_flight"] and time.monotonic() < deadline:
            time.sleep(0.02)

    assert stats["in_flight"] == 0
    assert stats["by_fault"] == {"timeout": 1}


def test_disconnect_breaks_the_body_off() -> None:
    with pytest.raises(anthropic.APIConnectionError):
        ask_with_fault(FaultKind.DISCONNECT)


def test_a_retry_of_the_same_request_may_succeed() -> None:
    with running_simulator("overloaded=0.5") as base_url:
        statuses = []
        for _ in range(12):
            try:
                ask(base_url)
                statuses.append(200)
            except anthropic.APIStatusError as error:
                statuses.append(error.status_code)

    assert set(statuses) == {200, 529}


def test_a_scoped_fault_leaves_other_requests_alone() -> None:
    with running_simulator("refusal@shame_to_acceptance+structured=1,overloaded@claude-opus-5-5=1") as base_url:
        assert ask(base_url).stop_reason == "refusal"
        assert ask(base_url, structured=False).stop_reason == "end_turn"
        assert ask(base_url, make_prompt("fear_to_confidence")).stop_reason == "end_turn"
        with pytest.raises(anthropic.APIStatusError):
            ask(base_url, make_prompt("fear_to_confidence"), model="claude-opus-5-5")


def test_stats_count_every_fault_that_was_given() -> None:
    with running_simulator("refusal=0.4,max_tokens=0.3") as base_url:
        messages = ask_all(base_url, [f"Talk {number}" for number in range(30)])
        stats = read_stats(base_url)

    stop_reasons = [message.stop_reason for message in messages]
    assert stats["requests"] == 30
    assert stats["by_fault"] == {kind: stop_reasons.count(kind) for kind in ("max_tokens", "refusal")}
    assert all(stats["by_fault"].values())


def test_invalid_requests_are_refused_like_the_api_does() -> None:
    with running_simulator() as base_url:
        with pytest.raises(anthropic.NotFoundError):
            ask(base_url, model="gpt-9")
        with pytest.raises(anthropic.BadRequestError, match="temperature"):
            ask(base_url, extra_body={"temperature": 0.7})
        unsigned = httpx2.post(f"{base_url}/v1/messages", json={})
        missing = httpx2.get(f"{base_url}/v1/nothing")
        stats = read_stats(base_url)

    assert (unsigned.status_code, unsigned.json()["error"]["type"]) == (401, "authentication_error")
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "not_found_error")
    assert stats["invalid"] == 3


def test_tokens_are_counted() -> None:
    async def run(base_url: str) -> Any:
        async with open_sdk(base_url) as client:
            messages = [{"role": "user", "content": "x" * 400}]
            return await client.messages.count_tokens(model="claude-sonnet-5-5", messages=messages)

    with running_simulator() as base_url:
        assert asyncio.run(run(base_url)).input_tokens == 100


def test_latency_is_near_its_mean() -> None:
    with running_simulator(latency_seconds=0.05) as base_url:
        started = time.monotonic()
        ask_all(base_url, [f"Talk {number}" for number in range(10)])
        seconds = time.monotonic() - started

    assert seconds > 0.25


def test_calls_are_told_with_their_times_and_none_is_shorter_than_a_latency_without_spread() -> None:
    with running_simulator(latency_seconds=0.05, latency_spread=0.0) as base_url:
        began = time.time()
        ask_all(base_url, [f"Talk {number}" for number in range(4)])
        calls = httpx2.get(f"{base_url}/calls").json()

    assert len(calls) == 4
    for arrived, answered in calls:
        assert began <= arrived
        assert answered - arrived >= 0.049  # a timer may fire a little early


def test_the_command_serves_until_it_is_stopped() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "core.embedded.simulator", "--port", str(port), "--faults", "refusal=1"]
    )
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                health = httpx2.get(f"http://127.0.0.1:{port}/healthz")
                break
            except httpx2.TransportError:
                time.sleep(0.05)
        assert health.status_code == 200
        assert ask(f"http://127.0.0.1:{port}").stop_reason == "refusal"
        foreign = httpx2.get(f"http://127.0.0.1:{port}/stats", headers={"host": "evil.example"})
        assert foreign.status_code == 400
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.parametrize("faults", ["typhoon=0.1", "refusal=lots"])
def test_the_command_refuses_a_wrong_specification_with_exit_code_2(faults: str) -> None:
    command = [sys.executable, "-m", "core.embedded.simulator", "--port", "1", "--faults", faults]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 2
    assert "Correct --faults" in result.stderr
    assert "Traceback" not in result.stderr
