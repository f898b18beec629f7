"""Taking an answer in until its time is over."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from core.adapters.claude.answer_limit import limit_answer, note_deadline


class HangingStream(httpx2.AsyncByteStream):
    """Sends a part and waits for ever."""

    def __init__(self, part: bytes) -> None:
        self.part = part
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.part
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        self.is_closed = True


def read(stream: HangingStream) -> bytes:
    async def run() -> bytes:
        request = httpx2.Request("POST", "https://api.example.com", extensions={"timeout": {"read": 0.01}})
        await note_deadline(request)
        response = httpx2.Response(200, stream=stream, request=request)
        await limit_answer(response)
        return await response.aread()

    return asyncio.run(run())


def test_what_came_before_the_time_was_over_is_kept() -> None:
    stream = HangingStream(b'{"type": "message"')

    assert read(stream) == b'{"type": "message"'
    assert stream.is_closed


def test_blanks_that_keep_a_connection_alive_are_no_answer() -> None:
    stream = HangingStream(b" \n ")

    with pytest.raises(httpx2.ReadTimeout):
        read(stream)
    assert stream.is_closed
