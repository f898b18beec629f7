"""The HTTP clients of one event loop, each with few connections: a client looks through all of its own at every call.

The SDK says how a request looks (address, version, authentication); requests are sent by the HTTP client under it, since its
own way there and back takes longer than all else.
"""

import ssl
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache

import anthropic
import httpx2
from anthropic import AsyncAnthropic

from core.adapters.claude.answer_limit import ACCEPTED_ENCODING, limit_answer, note_deadline
from core.errors import ConfigurationError

CALLS_OF_A_CLIENT = 20
"""Measured at 200 calls in flight, in processor time a call: 2.6 ms with one client of the SDK, 2.0 with ten, 1.2 without
its own way there and back (docs/measurements.md)."""


@dataclass(kw_only=True)
class ClaudeClients:
    """Opens a client where all others are busy, so that a small batch has one."""

    api_key: str
    base_url: str
    headers: Mapping[str, str]
    timeout: httpx2.Timeout
    _opened: AsyncExitStack = field(default_factory=AsyncExitStack)
    _clients: list[httpx2.AsyncClient] = field(default_factory=list[httpx2.AsyncClient])
    _calls: list[int] = field(default_factory=list[int])
    """How many calls each client has in flight."""

    @classmethod
    @asynccontextmanager
    async def open(cls, *, api_key: str, base_url: str | None, timeout_seconds: float) -> AsyncGenerator["ClaudeClients"]:
        """Lend clients until the `with` block ends; raises ConfigurationError for a base URL that is none."""
        key = api_key.strip()
        try:
            unused = anthropic.DefaultAsyncHttpxClient(verify=_load_authorities())
            async with AsyncAnthropic(api_key=key, base_url=base_url, http_client=unused) as sdk:
                address, headers = str(sdk.base_url), {**sdk.default_headers, **sdk.auth_headers}
        except httpx2.InvalidURL as error:
            raise ConfigurationError(f"ANTHROPIC_BASE_URL is not an address: {error}. Correct or remove it.") from error
        clients = cls(
            api_key=key,
            base_url=address,
            headers={name: value for name, value in headers.items() if isinstance(value, str)},
            timeout=httpx2.Timeout(connect=10.0, read=timeout_seconds, write=60.0, pool=30.0),
        )
        async with clients._opened:
            yield clients

    @contextmanager
    def take(self) -> Generator[httpx2.AsyncClient]:
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
        client = anthropic.DefaultAsyncHttpxClient(
            base_url=self.base_url,
            limits=limits,
            timeout=self.timeout,
            follow_redirects=False,
            verify=_load_authorities(),
            headers={**self.headers, "accept-encoding": ACCEPTED_ENCODING},
            event_hooks={"request": [note_deadline], "response": [limit_answer]},
        )
        self._opened.push_async_callback(client.aclose)
        self._clients.append(client)
        self._calls.append(0)
        return len(self._clients) - 1


@cache
def _load_authorities() -> ssl.SSLContext:
    """Load them once per process, as core.certificates does for httpx: httpx2 trusts the system's, not certifi's."""
    return httpx2.create_ssl_context()
