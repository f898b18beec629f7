import httpx
import pytest

from core.embedded.transport import AsyncIsoTimestamps, IsoTimestamps

BODY = b'{"created_at":"2026-11-22 00:17:57.64+00","text":"on 2026-11-22 00:17:57+00 it"}'
ISO = {"created_at": "2026-11-22T00:17:57.64+00:00", "text": "on 2026-11-22 00:17:57+00 it"}


@pytest.fixture
def replies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let both transports answer BODY without a network."""

    async def answer(self: object, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=BODY, headers={"content-type": "application/json"})

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", lambda self, request: httpx.Response(200, content=BODY))
    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answer)


@pytest.mark.usefixtures("replies")
def test_auth_and_bucket_replies_become_iso_and_others_stay() -> None:
    with httpx.Client(transport=IsoTimestamps()) as client:
        assert client.get("http://api/auth/v1/user").json() == ISO
        assert client.get("http://api/storage/v1/bucket/a").json() == ISO
        assert client.get("http://api/rest/v1/t").content == BODY


@pytest.mark.usefixtures("replies")
async def call_async() -> None:
    async with httpx.AsyncClient(transport=AsyncIsoTimestamps()) as client:
        assert (await client.get("http://api/auth/v1/user")).json() == ISO


@pytest.mark.usefixtures("replies")
def test_the_same_for_the_async_client() -> None:
    import asyncio  # noqa: PLC0415

    asyncio.run(call_async())
