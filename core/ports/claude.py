"""Claude."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from core.domain.batches.work import CallFailure, ChatRequest
    from core.domain.verdict.reply import Reply


class TokenCounter(Protocol):
    """Counts the tokens of a prompt without sending it."""

    def count_tokens(self, request: ChatRequest) -> int | None:
        """Return the request's input tokens; None where no worker answers within a few seconds."""
        ...


class ChatModel(Protocol):
    """Claude, or what stands in for it."""

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        """Make one call, without hidden retries. Any answer with HTTP status 200 is a Reply."""
        ...
