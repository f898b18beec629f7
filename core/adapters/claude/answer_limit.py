"""How much of an answer is taken in: a server that never ends must not fill the worker's memory."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2

MOST_BYTES = 8 * 1024 * 1024
"""Some ten times the longest reply of any model."""
MOST_COMPRESSED_BYTES = 512 * 1024
"""Compressed, a reply is a tenth as long; what is no reply may grow a thousandfold."""


class AnswerTooLarge(Exception):
    """More came than any reply of Claude has."""


async def limit_answer(response: httpx2.Response) -> None:
    """Make reading a response end where no reply of Claude is as long; a hook of the HTTP client."""
    most = MOST_COMPRESSED_BYTES if "content-encoding" in response.headers else MOST_BYTES
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _LimitedStream(response.stream, most)


class _LimitedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    @property
    def elapsed(self) -> timedelta | None:
        """Return what the client's own stream measured."""
        return getattr(self._stream, "elapsed", None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        taken = 0
        async for chunk in self._stream:
            taken += len(chunk)
            if taken > self._most:
                message = f"The answer is longer than {self._most // 1024} KB, which no reply of Claude is"
                raise AnswerTooLarge(message)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
