"""Conversations as chat `messages`, one JSON object per line, as training tools read them. Pure."""

from datetime import UTC, datetime
from typing import Any

from core.domain.datasets.records import ExportedConversation
from core.domain.datasets.training_formats import encode_line, list_messages


def make_file_name(now: datetime) -> str:
    """Return `conversations-YYYYMMDD-HHMM.jsonl`, in UTC."""
    return f"conversations-{now.astimezone(UTC):%Y%m%d-%H%M}.jsonl"


def make_record(conversation: ExportedConversation) -> dict[str, Any]:
    """Return messages and metadata."""
    return {
        "messages": list_messages(conversation.turns),
        "metadata": conversation.model_dump(mode="json", exclude={"turns"}),
    }


def format_line(conversation: ExportedConversation) -> bytes:
    """Return the record as a line of JSON."""
    return encode_line(make_record(conversation))
