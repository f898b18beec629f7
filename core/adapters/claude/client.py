"""The call itself, over the SDK's async client with its hidden retries off."""

import asyncio
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

from core.adapters.claude.translation import (
    REQUEST_ID_HEADER,
    build_payload,
    classify_error,
    keep_raw,
    read_error_message,
    read_reply,
    read_retry_after_seconds,
)
from core.domain.reply import RawResponse, Reply
from core.domain.work import CallFailure, CallFailureKind, ChatRequest

MAX_CONNECTIONS = 220
"""The largest concurrency of a batch, and some."""
COUNT_TIMEOUT_SECONDS = 5.0
"""Whoever asks for a count is looking at a page."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ClaudeModel:
    """Implements ChatModel. One client, shared by all calls of one event loop."""

    client: AsyncAnthropic
    timeout_seconds: float
    simulated: bool

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        """Make one call; what the provider or the network does wrong comes back as a CallFailure, never as an exception."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self.timeout_seconds):
                raw = await self._send(request)
        except anthropic.APIStatusError as error:
            return self._describe_status(error, _elapsed_ms(begun))
        except (anthropic.APITimeoutError, TimeoutError):
            message = f"Claude did not answer within {self.timeout_seconds:g} s."
            return self._describe(CallFailureKind.TIMEOUT, message, _elapsed_ms(begun))
        except (anthropic.APIConnectionError, httpx2.TransportError) as error:
            cause = error.__cause__ or error
            message = f"The connection to Claude broke: {type(cause).__name__}: {cause}"
            return self._describe(CallFailureKind.CONNECTION, message.rstrip(": "), _elapsed_ms(begun))
        return read_reply(raw, duration_ms=_elapsed_ms(begun), simulated=self.simulated)

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """Return how many input tokens a request takes; None where Claude does not say."""
        payload = build_payload(request)
        del payload["max_tokens"]
        count = cast("Callable[..., Awaitable[Any]]", self.client.messages.count_tokens)
        try:
            async with asyncio.timeout(COUNT_TIMEOUT_SECONDS):
                return int((await count(**payload)).input_tokens)
        except (anthropic.APIError, httpx2.TransportError, TimeoutError) as error:
            log.warning("tokens_not_counted", error=str(error))
            return None

    async def _send(self, request: ChatRequest) -> RawResponse:
        # The SDK's overloads cannot take a mapping; the payload is built, and tested, in one place.
        create = cast("Callable[..., Awaitable[Any]]", self.client.messages.with_raw_response.create)
        response: httpx2.Response = (await create(**build_payload(request))).http_response
        return keep_raw(response.status_code, response.headers, response.content)

    def _describe(self, kind: CallFailureKind, message: str, duration_ms: int) -> CallFailure:
        return CallFailure(kind=kind, message=message, duration_ms=duration_ms, simulated=self.simulated)

    def _describe_status(self, error: anthropic.APIStatusError, duration_ms: int) -> CallFailure:
        response = error.response
        code = getattr(error, "error_code", None)
        message = read_error_message(error.body) or str(error.message)
        kind = classify_error(error.status_code, error.type, code if isinstance(code, str) else None, message)
        return CallFailure(
            kind=kind,
            message=f"{error.status_code} {error.type or ''}: {message}".replace(" :", ":"),
            error_type=error.type,
            http_status=error.status_code,
            request_id=response.headers.get(REQUEST_ID_HEADER),
            retry_after_seconds=read_retry_after_seconds(response.headers, datetime.now(UTC)),
            raw=keep_raw(error.status_code, response.headers, response.content),
            duration_ms=duration_ms,
            simulated=self.simulated,
        )


@asynccontextmanager
async def open_claude(
    *, api_key: str, base_url: str | None, timeout_seconds: float, simulated: bool
) -> AsyncGenerator[ClaudeModel]:
    """Open the client for one event loop."""
    # The default keeps 100 connections alive, so calls above that would open a new one each.
    limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS, keepalive_expiry=60.0)
    timeout = httpx2.Timeout(connect=10.0, read=timeout_seconds, write=60.0, pool=30.0)
    http_client = anthropic.DefaultAsyncHttpxClient(limits=limits, timeout=timeout)
    async with AsyncAnthropic(
        api_key=api_key, base_url=base_url, max_retries=0, timeout=timeout, http_client=http_client
    ) as client:
        yield ClaudeModel(client=client, timeout_seconds=timeout_seconds, simulated=simulated)


def _elapsed_ms(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
