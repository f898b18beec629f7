"""Group commit: what waits at the same time is written in one call, and each waits for its own answer."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger(__name__)

MAX_GROUP = 50

Given = TypeVar("Given")
Answer = TypeVar("Answer")


@dataclass(kw_only=True)
class GroupCommit(Generic[Given, Answer]):
    """Writes in the order in which things come. `write` answers for each of a group, in the same order."""

    name: str
    write: Callable[[Sequence[Given]], Awaitable[Sequence[Answer]]]
    linger_seconds: float = 0.0
    """How long a group waits for company, unless one in it is urgent."""
    _waiting: asyncio.Queue[tuple[Given, asyncio.Future[Answer]]] = field(default_factory=asyncio.Queue)
    _urgent: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Run the writer; leaving cancels what still waits, so leave only when every `commit` has returned."""
        writer = asyncio.create_task(self._write_groups(), name=self.name)
        try:
            yield
        finally:
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)

    async def commit(self, given: Given, *, is_urgent: bool = False) -> Answer:
        """Return the answer once it is written; raises what `write` raises for this one alone."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        await self._waiting.put((given, answer))
        if is_urgent:
            self._urgent.set()
        return await answer

    async def _write_groups(self) -> None:
        while True:
            group = [await self._waiting.get()]
            if self.linger_seconds:
                await self._linger()
            while len(group) < MAX_GROUP and not self._waiting.empty():
                group.append(self._waiting.get_nowait())
            if self._waiting.empty():
                self._urgent.clear()
            try:
                answers = await self.write([given for given, _ in group])
            except Exception as error:  # noqa: BLE001 - nothing may end this task: everything would wait for ever
                # One of them fails its group, so each is written alone and only that one fails.
                log.warning("group_not_written", writer=self.name, size=len(group), error=repr(error))
                await self._write_singly(group)
                continue
            for (_, waiting), answer in zip(group, answers, strict=True):
                _resolve(waiting, answer)

    async def _linger(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.linger_seconds):
                await self._urgent.wait()

    async def _write_singly(self, group: list[tuple[Given, asyncio.Future[Answer]]]) -> None:
        for given, waiting in group:
            try:
                (answer,) = await self.write([given])
            except Exception as error:
                log.exception("not_written", writer=self.name)
                if not waiting.done():
                    waiting.set_exception(error)
            else:
                _resolve(waiting, answer)


def _resolve(waiting: asyncio.Future[Answer], answer: Answer) -> None:
    if not waiting.done():
        waiting.set_result(answer)
