"""The call itself: one request, without hidden retries."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import structlog

from core.adapters.claude.answer_limit import AnswerTooLarge
from core.adapters.claude.answers import read_answer
from core.adapters.claude.clients import ClaudeClients
from core.adapters.claude.translation import build_payload, hide_secret, keep_raw
from core.domain.batches.work import CallFailure, CallFailureKind, ChatRequest
from core.domain.diagnosis.error_stack import describe_error
from core.domain.message_line import make_line
from core.domain.verdict.reply import RawResponse, Reply

MESSAGES = "v1/messages"
COUNT_TIMEOUT_SECONDS = 5.0
"""An analyst is waiting for the count."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class ClaudeModel:
    """Implements ChatModel, for all calls of one event loop."""

    clients: ClaudeClients
    timeout_seconds: float
    simulated: bool

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        """Make one call; errors of the provider or the network are returned as a CallFailure, never raised."""
        begun = time.monotonic()
        if not _can_be_sent(self.clients.api_key):
            # The library's own error would quote the key.
            message = "The API key is empty or holds a character that no key has, such as a line break. Nothing was sent."
            return self._describe(CallFailureKind.BAD_KEY, message, begun)
        try:
            async with asyncio.timeout(self.timeout_seconds):
                raw = await self._send(MESSAGES, build_payload(request))
        except (httpx2.TimeoutException, TimeoutError):
            message = f"Claude did not answer within {self.timeout_seconds:g} s."
            return self._describe(CallFailureKind.TIMEOUT, message, begun)
        except (httpx2.HTTPError, AnswerTooLarge) as error:
            kind, message = describe_broken_call(error)
            return self._describe(kind, message, begun)
        return read_answer(raw, now=datetime.now(UTC), duration_ms=_elapsed_ms(begun), simulated=self.simulated)

    async def count_tokens(self, request: ChatRequest) -> int | None:
        """Return how many input tokens a request takes; None if Claude does not say."""
        payload = build_payload(request)
        del payload["max_tokens"]
        try:
            async with asyncio.timeout(COUNT_TIMEOUT_SECONDS):
                raw = await self._send(f"{MESSAGES}/count_tokens", payload)
            return int(json.loads(raw.body)["input_tokens"])
        except Exception as error:  # noqa: BLE001 - a page that waits can do without the count, whatever came instead of it
            log.warning("tokens_not_counted", error=type(error).__name__)
            return None

    async def _send(self, path: str, payload: dict[str, Any]) -> RawResponse:
        """Return the response whole, whatever its status, without our key, which a server may echo."""
        with self.clients.take() as client:
            response = await client.post(path, json=payload)
        return hide_secret(keep_raw(response.status_code, response.headers, response.content), self.clients.api_key)

    def _describe(self, kind: CallFailureKind, message: str, begun: float) -> CallFailure:
        return CallFailure(kind=kind, message=make_line(message), duration_ms=_elapsed_ms(begun), simulated=self.simulated)


def describe_broken_call(error: Exception) -> tuple[CallFailureKind, str]:
    """Say why a call ended without a response: most causes pass, some last until a setting is changed."""
    said = describe_error(error)
    if isinstance(error, AnswerTooLarge):
        return CallFailureKind.WRONG_ADDRESS, str(error)
    if isinstance(error, httpx2.UnsupportedProtocol):
        return CallFailureKind.WRONG_ADDRESS, f"ANTHROPIC_BASE_URL is not an http(s) address ({said})"
    if isinstance(error, httpx2.ProxyError) and not str(error).startswith("5"):
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
    """Open Claude for one event loop; raises ConfigurationError for a base URL that is none."""
    async with ClaudeClients.open(api_key=api_key, base_url=base_url, timeout_seconds=timeout_seconds) as clients:
        yield ClaudeModel(clients=clients, timeout_seconds=timeout_seconds, simulated=simulated)


def _can_be_sent(key: str) -> bool:
    return key != "" and key.isascii() and key.isprintable() and " " not in key


def _elapsed_ms(begun: float) -> int:
    return round((time.monotonic() - begun) * 1000)
