"""Conversations as chat `messages`, one JSON object per line, as training tools read them. Pure."""

import json
from datetime import UTC, datetime
from typing import Any

from core.domain.datasets.records import ExportedConversation
from core.domain.verdict.conversation import Role


def make_file_name(now: datetime) -> str:
    """Return `conversations-YYYYMMDD-HHMM.jsonl`, in UTC."""
    return f"conversations-{now.astimezone(UTC):%Y%m%d-%H%M}.jsonl"


def make_record(conversation: ExportedConversation) -> dict[str, Any]:
    """Return messages and metadata; a last, unanswered user turn is dropped."""
    turns = conversation.turns
    if turns and turns[-1].role is Role.USER:
        turns = turns[:-1]
    return {
        "messages": [{"role": turn.role.value, "content": turn.content} for turn in turns],
        "metadata": conversation.model_dump(mode="json", exclude={"turns"}),
    }


def format_line(conversation: ExportedConversation) -> bytes:
    """Return the record as a line of JSON in UTF-8, with its line end."""
    return json.dumps(make_record(conversation), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
