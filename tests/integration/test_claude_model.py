"""Our adapter against the running simulated Claude: each fault ends in the right value, and none in an exception."""

import asyncio

import pytest

from core.adapters.claude.client import ClaudeModel, open_claude
from core.domain.batches.work import CallFailure, CallFailureKind, ChatRequest
from core.domain.verdict.judgement import judge_reply
from core.domain.verdict.reply import Reply
from core.domain.verdict.verdict import Accepted, Failed, FailureType
from tests.factories import make_settings
from tests.support.simulator import make_prompt, running_simulator

REQUEST = ChatRequest(prompt=make_prompt(), settings=make_settings())


def ask(faults: str = "", *, timeout_seconds: float = 20.0, request: ChatRequest = REQUEST) -> Reply | CallFailure:
    async def run(base_url: str) -> Reply | CallFailure:
        async with open_claude(api_key="any", base_url=base_url, timeout_seconds=timeout_seconds, simulated=False) as model:
            assert isinstance(model, ClaudeModel)
            return await model.complete(request)

    with running_simulator(faults) as base_url:
        return asyncio.run(run(base_url))


def test_good_reply_is_accepted_with_everything_kept() -> None:
    reply = ask()

    assert isinstance(reply, Reply)
    assert isinstance(judge_reply(reply), Accepted)
    assert reply.stop_reason == "end_turn"
    assert reply.request_id is not None
    assert reply.usage.output_tokens is not None
    assert reply.raw.body.startswith(b'{"id"')
    assert "anthropic-ratelimit-requests-remaining" in reply.raw.headers
    assert reply.simulated, "the header says so, whatever the settings say"


def test_large_max_tokens_does_not_trip_the_sdks_guard() -> None:
    settings = make_settings(max_tokens=100_000, structured_outputs=False)

    assert isinstance(ask(request=REQUEST.model_copy(update={"settings": settings})), Reply)


@pytest.mark.parametrize(
    ("fault", "failure_type"),
    [
        ("max_tokens", FailureType.TRUNCATION),
        ("context_window", FailureType.TRUNCATION),
        ("cut_string", FailureType.TRUNCATION),
        ("cut_mid_word", FailureType.TRUNCATION),
        ("cut_json", FailureType.PARSE_ERROR),
        ("refusal", FailureType.REFUSAL),
        ("pause_turn", FailureType.TRUNCATION),
        ("tool_use", FailureType.TRUNCATION),
        ("stop_sequence", FailureType.TRUNCATION),
        ("empty", FailureType.VALIDATION_ERROR),
        ("malformed", FailureType.API_ERROR),
        ("wrong_roles", FailureType.VALIDATION_ERROR),
        ("escaped_text", FailureType.CORRUPTION),
    ],
)
def test_faulty_reply_fails_as_what_it_is(fault: str, failure_type: FailureType) -> None:
    reply = ask(f"{fault}=1")

    assert isinstance(reply, Reply)
    verdict = judge_reply(reply)
    assert isinstance(verdict, Failed)
    assert failure_type is verdict.failure_type


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("rate_limit", CallFailureKind.RATE_LIMITED),
        ("overloaded", CallFailureKind.OVERLOADED),
        ("server_error", CallFailureKind.SERVER_ERROR),
        ("disconnect", CallFailureKind.CONNECTION),
        ("bad_key", CallFailureKind.BAD_KEY),
        ("no_credit", CallFailureKind.NO_CREDIT),
        ("usage_limit", CallFailureKind.SPEND_LIMIT),
        ("login_page", CallFailureKind.PROXY),
        ("error_as_200", CallFailureKind.OVERLOADED),
        ("gateway_page", CallFailureKind.SERVER_ERROR),
        ("content_filter", CallFailureKind.CONTENT_FILTERED),
    ],
)
def test_call_without_a_reply_is_named(fault: str, kind: CallFailureKind) -> None:
    failure = ask(f"{fault}=1")

    assert isinstance(failure, CallFailure)
    assert kind is failure.kind


def test_rate_limit_says_how_long_to_wait_and_keeps_the_response() -> None:
    failure = ask("rate_limit=1")

    assert isinstance(failure, CallFailure)
    assert failure.retry_after_seconds == 1.0
    assert failure.raw is not None
    assert failure.raw.status_code == 429


def test_silence_ends_at_the_timeout() -> None:
    failure = ask("timeout=1", timeout_seconds=0.5)

    assert isinstance(failure, CallFailure)
    assert failure.kind is CallFailureKind.TIMEOUT


def test_unknown_model_is_named() -> None:
    settings = make_settings(model="gpt-of-old")

    failure = ask(request=REQUEST.model_copy(update={"settings": settings}))

    assert isinstance(failure, CallFailure)
    assert failure.kind is CallFailureKind.UNKNOWN_MODEL


def test_nobody_listening_is_a_broken_connection() -> None:
    async def run() -> Reply | CallFailure:
        async with open_claude(api_key="any", base_url="http://127.0.0.1:9", timeout_seconds=2, simulated=True) as model:
            return await model.complete(REQUEST)

    failure = asyncio.run(run())

    assert isinstance(failure, CallFailure)
    assert failure.kind is CallFailureKind.CONNECTION
