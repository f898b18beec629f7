"""Token counts of prompts before they are sent."""

from dataclasses import dataclass

from core.domain.batches.batch import BatchSettings
from core.domain.batches.work import ChatRequest
from core.domain.scaffolding.prompt import Prompt
from core.errors import QueueUnavailable
from core.ports import TokenCounter


@dataclass(frozen=True, kw_only=True)
class PromptService:
    """Asks Claude for token counts."""

    counter: TokenCounter

    def count_tokens(self, prompt: Prompt, settings: BatchSettings) -> int | None:
        """Return Claude's count of input tokens; None where no worker could ask for it within a few seconds."""
        try:
            return self.counter.count_tokens(ChatRequest(prompt=prompt, settings=settings))
        except QueueUnavailable:
            return None
