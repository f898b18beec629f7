"""Read an answer within limits, and keep whatever arrived: it may have been paid for."""

import asyncio
import zlib
from collections.abc import Mapping
from typing import cast

import httpx2

MOST_BYTES = 8 * 1024 * 1024
"""About ten times the longest reply of any model."""
MOST_COMPRESSED_BYTES = 512 * 1024
"""Compression makes a reply about ten times shorter; a hostile body may expand a thousandfold."""
ACCEPTED_ENCODING = "gzip"
"""The only encoding that is requested. It is undone once, within the limit, and recognised by its bytes, not by a header."""

_GZIP_MARK = b"\x1f\x8b"
_GZIP_WINDOW = zlib.MAX_WBITS | 16
_STEP_BYTES = 16 * 1024
_DEADLINE = "brightrun_deadline"
_SHARE_OF_TIME = 0.95
"""A body must end a little before its call does, so that what arrived is not lost with the call."""


class AnswerTooLarge(Exception):
    """More arrived than any reply of Claude holds."""


async def note_deadline(request: httpx2.Request) -> None:
    """Set the time until which an answer is read; a hook of the HTTP client."""
    timeouts = cast("Mapping[str, float | None]", request.extensions.get("timeout", {}))
    seconds = timeouts.get("read")
    request.extensions[_DEADLINE] = None if seconds is None else asyncio.get_running_loop().time() + seconds * _SHARE_OF_TIME


async def limit_answer(response: httpx2.Response) -> None:
    """Read the body of a response, decompressed; a hook of the HTTP client.

    A body that breaks off counts as far as it arrived: its message, or the reply in it, says more than that it broke off.
    """
    body = expand_body(await _read_body(response))
    response.headers.pop("content-encoding", None)
    response.stream = httpx2.ByteStream(body)


def expand_body(came: bytes) -> bytes:
    """Return what a gzip body holds, as far as it can be decompressed; any other body unchanged."""
    if not came.startswith(_GZIP_MARK):
        return came
    if len(came) > MOST_COMPRESSED_BYTES:
        raise AnswerTooLarge(_describe(MOST_COMPRESSED_BYTES))
    gzip, expanded = zlib.decompressobj(_GZIP_WINDOW), bytearray()
    for start in range(0, len(came), _STEP_BYTES):
        try:
            expanded += gzip.decompress(came[start : start + _STEP_BYTES], MOST_BYTES + 1 - len(expanded))
        except zlib.error:
            break
        if len(expanded) > MOST_BYTES:
            raise AnswerTooLarge(_describe(MOST_BYTES))
    return bytes(expanded) or came


async def _read_body(response: httpx2.Response) -> bytes:
    stream, came = response.stream, bytearray()
    if not isinstance(stream, httpx2.AsyncByteStream):
        return b""
    try:
        async with asyncio.timeout_at(response.request.extensions.get(_DEADLINE)):
            async for chunk in stream:
                came += chunk
                if len(came) > MOST_BYTES:
                    raise AnswerTooLarge(_describe(MOST_BYTES))
    except (httpx2.TransportError, TimeoutError) as error:
        if not came.strip():
            raise error if isinstance(error, httpx2.TransportError) else httpx2.ReadTimeout("no answer") from error
    finally:
        await stream.aclose()
    return bytes(came)


def _describe(most: int) -> str:
    return f"The answer is longer than {most // 1024} KB, which no reply of Claude is"
