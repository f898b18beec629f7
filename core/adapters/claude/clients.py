"""The SDK's clients of one event loop, each with few connections: it looks through all of its own at every call."""

import ssl
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import anthropic
import httpx2
from anthropic import AsyncAnthropic

from core.adapters.claude.answer_limit import ACCEPTED_ENCODING, limit_answer, note_deadline
from core.errors import ConfigurationError

CALLS_OF_A_CLIENT = 20
"""Measured at 200 calls in flight: 2.0 ms of processor time a call instead of 2.7 with one client (docs/measurements.md)."""


@dataclass(kw_only=True)
class ClaudeClients:
    """Opens a client where all others are busy, so that a small batch has one. They live until the event loop ends."""

    api_key: str
    base_url: str | None
    timeout: httpx2.Timeout
    _opened: AsyncExitStack = field(default_factory=AsyncExitStack)
    _clients: list[AsyncAnthropic] = field(default_factory=list[AsyncAnthropic])
    _calls: list[int] = field(default_factory=list[int])
    """How many calls each client has in flight."""
    _authorities: ssl.SSLContext = field(default_factory=httpx2.create_ssl_context)

    @classmethod
    @asynccontextmanager
    async def open(cls, *, api_key: str, base_url: str | None, timeout_seconds: float) -> AsyncGenerator["ClaudeClients"]:
        """Open the first client; raises ConfigurationError for a base URL that is none."""
        timeout = httpx2.Timeout(connect=10.0, read=timeout_seconds, write=60.0, pool=30.0)
        clients = cls(api_key=api_key.strip(), base_url=base_url, timeout=timeout)
        async with clients._opened:
            clients._open_client()
            yield clients

    @contextmanager
    def take(self) -> Generator[AsyncAnthropic]:
        """Lend a client for one call."""
        number = next((number for number, calls in enumerate(self._calls) if calls < CALLS_OF_A_CLIENT), None)
        if number is None:
            number = self._open_client()
        self._calls[number] += 1
        try:
            yield self._clients[number]
        finally:
            self._calls[number] -= 1

    def _open_client(self) -> int:
        # Everything is kept alive: a connection that is opened anew costs a handshake.
        limits = httpx2.Limits(
            max_connections=CALLS_OF_A_CLIENT, max_keepalive_connections=CALLS_OF_A_CLIENT, keepalive_expiry=60.0
        )
        # Redirects are not followed: they could take the key to another host, and usually end at a sign-in page.
        http_client = anthropic.DefaultAsyncHttpxClient(
            limits=limits,
            timeout=self.timeout,
            follow_redirects=False,
            verify=self._authorities,
            headers={"accept-encoding": ACCEPTED_ENCODING},
            event_hooks={"request": [note_deadline], "response": [limit_answer]},
        )
        self._opened.push_async_callback(http_client.aclose)
        try:
            client = AsyncAnthropic(
                api_key=self.api_key, base_url=self.base_url, max_retries=0, timeout=self.timeout, http_client=http_client
            )
        except httpx2.InvalidURL as error:
            raise ConfigurationError(f"ANTHROPIC_BASE_URL is not an address: {error}. Correct or remove it.") from error
        self._clients.append(client)
        self._calls.append(0)
        return len(self._clients) - 1
