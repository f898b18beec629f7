"""Replies and conversations made for a measurement or a test."""

import json
from collections.abc import Sequence

from core.domain.verdict.conversation import Role
from core.domain.verdict.reply import RawResponse, Reply, StopReason, TokenUsage


def as_reply(text: str, stop_reason: str | None = StopReason.END_TURN) -> Reply:
    """A reply with this text, as it would come from the API."""
    return Reply(
        raw=RawResponse(status_code=200, headers={}, body=text.encode("utf-8", "surrogatepass")),
        text=text,
        stop_reason=stop_reason,
        usage=TokenUsage(),
        model=None,
        request_id=None,
        duration_ms=0,
        simulated=True,
    )


def conversation_document(contents: Sequence[str]) -> str:
    """The JSON of a well-formed conversation with these turns, the user's first."""
    metadata = {
        "client_persona": "Dana, a nurse who has not opened her mail since spring",
        "session_context": "A message late in the evening",
        "conversation_phase": "first_contact",
        "expected_outcome": None,
    }
    turns = [
        {
            "turn_number": number,
            "role": Role.USER if number % 2 else Role.ASSISTANT,
            "content": content,
            "emotional_context": {"primary_emotion": "worry", "secondary_emotion": None, "intensity": 0.5},
        }
        for number, content in enumerate(contents, start=1)
    ]
    return json.dumps({"conversation_metadata": metadata, "turns": turns}, ensure_ascii=False)
