"""HTTP transports for supabase-py towards the embedded API, for its address alone.

The embedded API sends timestamps in PostgreSQL's text form (`2026-11-22 00:17:57.64+00`) in auth and bucket replies, where
supabase-py expects ISO 8601.
"""

import re

import httpx

TEXT_TIMESTAMP = re.compile(rb'"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)\+00"')
CHANGED_HEADERS = frozenset({"content-length", "content-encoding"})
"""They no longer fit: the body is decoded, and grows."""


class IsoTimestamps(httpx.HTTPTransport):
    """For `httpx.Client`."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; rewrite the reply where it needs it."""
        response = super().handle_request(request)
        return _rewrite(response, response.read()) if _needs_rewriting(request) else response


class AsyncIsoTimestamps(httpx.AsyncHTTPTransport):
    """For `httpx.AsyncClient`."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; rewrite the reply where it needs it."""
        response = await super().handle_async_request(request)
        return _rewrite(response, await response.aread()) if _needs_rewriting(request) else response


def _needs_rewriting(request: httpx.Request) -> bool:
    return request.url.path.startswith(("/auth/", "/storage/v1/bucket"))


def _rewrite(response: httpx.Response, body: bytes) -> httpx.Response:
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in CHANGED_HEADERS]
    content = TEXT_TIMESTAMP.sub(rb'"\1T\2+00:00"', body)
    return httpx.Response(response.status_code, headers=headers, content=content, extensions=response.extensions)
