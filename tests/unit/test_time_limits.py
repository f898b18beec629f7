"""How long an analyst's questions to the API may take."""

import socket

import httpx
import pytest

from core.adapters.supabase import session
from core.adapters.supabase.session import PatientTransport, sign_in
from core.errors import DatabaseUnavailable


def test_what_writes_much_at_once_may_take_as_long_as_the_database_gives_it() -> None:
    limits: dict[str, float] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        limits[request.url.path] = request.extensions["timeout"]["read"]
        return httpx.Response(200)

    with httpx.Client(timeout=10.0, transport=PatientTransport(httpx.MockTransport(answer))) as client:
        for path in (
            "/rest/v1/rpc/watch_batch",
            "/rest/v1/batches",
            "/rest/v1/rpc/submit_batch",
            "/rest/v1/rpc/finish_import",
        ):
            client.get(f"http://api.invalid{path}")

    assert [10.0, 10.0, 60.0, 300.0] == list(limits.values())


def test_an_api_that_hangs_is_said_to_be_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:  # It accepts and never answers.
        url = f"http://127.0.0.1:{server.getsockname()[1]}"

        with pytest.raises(DatabaseUnavailable, match="does not answer"):
            sign_in(url, "sb_publishable_key", "a@b.example", "password")
