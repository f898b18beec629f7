"""An answer of Claude, kept whole before anything is made of it."""

from collections.abc import Mapping
from enum import StrEnum

from core.domain.record import Record


class StopReason(StrEnum):
    """Why Claude stopped. The API may add values, so a reply keeps its own as text.

    Source: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
    """

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_USE = "tool_use"
    PAUSE_TURN = "pause_turn"
    REFUSAL = "refusal"
    MODEL_CONTEXT_WINDOW_EXCEEDED = "model_context_window_exceeded"


class TokenUsage(Record):
    """Tokens as billed. Zero is a value; None means that Claude gave none."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


class RawResponse(Record):
    """The HTTP response as it came, headers without secrets."""

    status_code: int
    headers: Mapping[str, str]
    body: bytes


class Reply(Record):
    """One answer of Claude.

    `text` joins the text blocks (thinking blocks are not content). `stop_reason` is None, and `text` empty, where the body
    did not hold a message at all.
    """

    raw: RawResponse
    text: str
    stop_reason: str | None
    refusal_category: str | None = None
    refusal_explanation: str | None = None
    usage: TokenUsage
    model: str | None
    request_id: str | None
    duration_ms: int
    simulated: bool
