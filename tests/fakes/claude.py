"""A Claude that answers what a test scripts, and a pace board for one process."""

from collections.abc import Callable
from dataclasses import dataclass, field

from core.domain.batches.pacing import Pace
from core.domain.batches.work import CallFailure, ChatRequest
from core.domain.verdict.reply import Reply


@dataclass(kw_only=True)
class ScriptedModel:
    """A ChatModel that answers from a function of the request and the number of the call, counted from 1."""

    answer: Callable[[ChatRequest, int], Reply | CallFailure]
    requests: list[ChatRequest] = field(default_factory=list[ChatRequest])

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        self.requests.append(request)
        return self.answer(request, len(self.requests))


@dataclass(kw_only=True)
class ScriptedPaceBoard:
    """Keeps what it is told."""

    paces: dict[str, Pace] = field(default_factory=dict[str, Pace])

    async def read(self, model: str) -> Pace | None:
        return self.paces.get(model)

    async def write(self, model: str, pace: Pace) -> None:
        self.paces[model] = pace
