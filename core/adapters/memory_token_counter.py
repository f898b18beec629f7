"""A TokenCounter that answers what it is told to, for unit tests."""

from dataclasses import dataclass

from core.domain.work import ChatRequest


@dataclass(kw_only=True)
class MemoryTokenCounter:
    """`tokens` is the answer; None: nobody answers in time."""

    tokens: int | None = None

    def count_tokens(self, request: ChatRequest) -> int | None:  # noqa: ARG002 - the port's
        return self.tokens
