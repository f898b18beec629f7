"""The call itself, over the SDK's async client with its hidden retries turned off."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import anthropic
import httpx2
import structlog
from anthropic import AsyncAnthropic

from core.adapters.claude.answer_limit import ACCEPTED_ENCODING, AnswerTooLarge, limit_answer, note_deadline
from core.adapters.claude.answers import read_answer
from core.adapters.claude.translation import build_payload, hide_secret, keep_raw
from core.domain.batches.work import CallFailure, CallFailureKind, ChatRequest
from core.domain.diagnosis.error_stack import describe_error
from core.domain.message_line import make_line
from core.domain.verdict.reply import RawResponse, Reply
from core.errors import ConfigurationError

MAX_CONNECTIONS = 220
"""The largest concurrency of a batch, and a few more."""
COUNT_TIMEOUT_SECONDS = 5.0
"""An analyst is waiting for the count."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ClaudeModel:
    """Implements ChatModel. One client, shared by all calls of one event loop."""

    client: AsyncAnthropic
    timeout_seconds: float
    simulated: bool

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        """Make one call; errors of the provider or the network are returned as a CallFailure, never raised."""
        begun = time.monotonic()
        if not _can_be_sent(self.client.api_key or ""):
            # The library's own error would quote the key.
            message = "The API key is empty or holds a character that no key has, such as a line break. Nothing was sent."
            return self._describe(CallFailureKind.BAD_KEY, message, begun)
        try:
            async with asyncio.timeout(self.timeout_seconds):
                raw = await self._send(self.client.messages.with_raw_response.create, build_payload(request))
        except (anthropic.APITimeoutError, TimeoutError):
            message = f"Claude did not answer within {self.timeout_seconds:g} s."
            return self._describe(CallFailureKind.TIMEOUT, message, begun)
        except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
            kind, message = describe_broken_call(error)
            return self._describe(kind, message, begun)
        return read_answer(raw, now=datetime.now(UTC), duration_ms=_elapsed_ms(begun), simulated=self.simulated)

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """Return how many input tokens a request takes; None if Claude does not say."""
        payload = build_payload(request)
        del payload["max_tokens"]
        try:
            async with asyncio.timeout(COUNT_TIMEOUT_SECONDS):
                raw = await self._send(self.client.messages.with_raw_response.count_tokens, payload)
            return int(json.loads(raw.body)["input_tokens"])
        except Exception as error:  # noqa: BLE001 - a page that waits can do without the count, whatever came instead of it
            log.warning("tokens_not_counted", error=type(error).__name__)
            return None

    async def _send(self, call: object, payload: dict[str, Any]) -> RawResponse:
        """Return the response whole, whatever its status, without our key, which a server may echo."""
        # The SDK's overloads cannot take a mapping; the payload is built, and tested, in one place.
        send = cast("Callable[..., Awaitable[Any]]", call)
        try:
            response: httpx2.Response = (await send(**payload)).http_response
        except anthropic.APIStatusError as error:
            response = error.response
        return hide_secret(keep_raw(response.status_code, response.headers, response.content), self.client.api_key or "")

    def _describe(self, kind: CallFailureKind, message: str, begun: float) -> CallFailure:
        return CallFailure(kind=kind, message=make_line(message), duration_ms=_elapsed_ms(begun), simulated=self.simulated)


def describe_broken_call(error: Exception) -> tuple[CallFailureKind, str]:
    """Say why a call ended without a response: most causes pass, some last until a setting is changed."""
    cause = error.__cause__ or error
    said = describe_error(cause)
    if isinstance(cause, AnswerTooLarge):
        return CallFailureKind.WRONG_ADDRESS, str(cause)
    if isinstance(cause, httpx2.UnsupportedProtocol):
        return CallFailureKind.WRONG_ADDRESS, f"ANTHROPIC_BASE_URL is not an http(s) address ({said})"
    if isinstance(cause, httpx2.ProxyError) and not str(cause).startswith("5"):
        return CallFailureKind.PROXY, f"The proxy does not let the call through ({said})"
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return CallFailureKind.PROXY, f"The certificate is not trusted; a proxy in between may have put in its own ({said})"
    if "WRONG_VERSION_NUMBER" in said or "HTTP_REQUEST" in said:
        return CallFailureKind.WRONG_ADDRESS, f"The address does not speak https ({said})"
    return CallFailureKind.CONNECTION, f"The connection to Claude broke: {said}"


@asynccontextmanager
async def open_claude(
    *, api_key: str, base_url: str | None, timeout_seconds: float, simulated: bool
) -> AsyncGenerator[ClaudeModel]:
    """Open the client for one event loop."""
    # The default keeps 100 connections alive, so calls above that would each open a new one.
    limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=60.0)
    timeout = httpx2.Timeout(connect=10.0, read=timeout_seconds, write=60.0, pool=30.0)
    # Redirects are not followed: they could take the key to another host, and usually end at a sign-in page.
    http_client = anthropic.DefaultAsyncHttpxClient(
        limits=limits,
        timeout=timeout,
        follow_redirects=False,
        headers={"accept-encoding": ACCEPTED_ENCODING},
        event_hooks={"request": [note_deadline], "response": [limit_answer]},
    )
    try:
        claude = AsyncAnthropic(
            api_key=api_key.strip(), base_url=base_url, max_retries=0, timeout=timeout, http_client=http_client
        )
    except httpx2.InvalidURL as error:
        raise ConfigurationError(f"ANTHROPIC_BASE_URL is not an address: {error}. Correct or remove it.") from error
    async with claude as client:
        yield ClaudeModel(client=client, timeout_seconds=timeout_seconds, simulated=simulated)


def _can_be_sent(key: str) -> bool:
    return key != "" and key.isascii() and key.isprintable() and " " not in key


def _elapsed_ms(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
