"""Clients: an analyst's, with their JWT, and the worker's, with the secret key."""

import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from uuid import UUID

import httpx
from supabase import AsyncClient, AsyncClientOptions, Client, ClientOptions, acreate_client, create_client
from supabase_auth.types import AuthResponse, Session

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.reading import UnreadableRows
from core.certificates import load_authorities
from core.errors import NotSignedIn

REFRESH_BEFORE_SECONDS = 60.0
TIMEOUT_SECONDS = 30.0
"""For the worker's calls."""
READ_SECONDS = 10.0
"""For an analyst's calls: the database ends them after 8 s, so an API that takes longer hangs, and a page should say so."""
WRITE_SECONDS = 60.0
LONG_CALLS = {
    "submit_batch": WRITE_SECONDS,
    "retry_failed_items": WRITE_SECONDS,
    "create_experiment": WRITE_SECONDS,
    "stage_import": WRITE_SECONDS,
    "finish_import": 300.0,
}
"""Functions that write a lot in one call, with the time that the database gives them."""


@dataclass(kw_only=True)
class Analyst:
    """A signed-in user's client. Row-level security decides what it sees; the token is refreshed when it nears its end."""

    _client: Client
    _http_client: httpx.Client
    _session: Session = field(repr=False)
    unreadable: UnreadableRows = field(default_factory=UnreadableRows)
    """The rows that this analyst's last readings could not validate."""
    _refreshing: threading.Lock = field(default_factory=threading.Lock, repr=False)
    """Tabs may share an analyst, and a refresh token can be used only once."""

    @property
    def user_id(self) -> UUID:
        """The id that owns everything this analyst creates."""
        return UUID(self._session.user.id)

    @property
    def email(self) -> str:
        """The sign-in name."""
        return self._session.user.email or ""

    @property
    def client(self) -> Client:
        """The client, with a token that is still valid for a while; raises NotSignedIn when the session has ended."""
        with self._refreshing:
            if (self._session.expires_at or 0) - time.time() < REFRESH_BEFORE_SECONDS:
                with translate_errors():
                    response = self._client.auth.refresh_session(self._session.refresh_token)
                self._session = _require_session(response.session)
        return self._client

    def close(self) -> None:
        """Close the connections; the session itself ends when its token expires."""
        self._http_client.close()


class PatientTransport(httpx.BaseTransport):
    """Waits longer for functions that write a lot than for reads."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request with the time limit of the function that it calls."""
        if seconds := LONG_CALLS.get(request.url.path.rpartition("/rpc/")[2]):
            request.extensions = {**request.extensions, "timeout": httpx.Timeout(seconds).as_dict()}
        return self._transport.handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


def sign_in(url: str, publishable_key: str, email: str, password: str) -> Analyst:
    """Sign an analyst in; raises NotSignedIn or DatabaseUnavailable. Close it when it is no longer needed."""
    return open_analyst(
        url, publishable_key, lambda client: client.auth.sign_in_with_password({"email": email, "password": password})
    )


def open_analyst(url: str, publishable_key: str, begin: Callable[[Client], AuthResponse]) -> Analyst:
    """Open a client and begin a session with it; raises what sign_in does."""
    transport = PatientTransport(httpx.HTTPTransport(verify=load_authorities()))
    http_client = httpx.Client(timeout=READ_SECONDS, transport=transport)
    try:
        with translate_errors():
            client = create_client(url, publishable_key, _make_options(http_client, READ_SECONDS))
            response = begin(client)
        return Analyst(_client=client, _http_client=http_client, _session=_require_session(response.session))
    except BaseException:
        http_client.close()
        raise


@contextmanager
def open_service(url: str, secret_key: str) -> Generator[Client]:
    """Open a client with the service role's rights, for seeding and reconciling."""
    with httpx.Client(timeout=TIMEOUT_SECONDS, verify=load_authorities()) as http_client:
        yield create_client(url, secret_key, _make_options(http_client, TIMEOUT_SECONDS))


@asynccontextmanager
async def open_worker_client(url: str, secret_key: str) -> AsyncGenerator[AsyncClient]:
    """Open the worker's client. It belongs to the running event loop."""
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, verify=load_authorities()) as http_client:
        options = AsyncClientOptions(
            auto_refresh_token=False,
            persist_session=False,
            postgrest_client_timeout=TIMEOUT_SECONDS,
            httpx_client=http_client,
        )
        yield await acreate_client(url, secret_key, options)


def _make_options(http_client: httpx.Client, timeout_seconds: float) -> ClientOptions:
    return ClientOptions(
        auto_refresh_token=False,  # supabase-py's own refresh is a timer thread for each client
        persist_session=False,
        postgrest_client_timeout=timeout_seconds,
        httpx_client=http_client,
    )


def _require_session(session: Session | None) -> Session:
    if session is None:
        raise NotSignedIn("Supabase opened no session. Is the e-mail address confirmed?")
    return session
