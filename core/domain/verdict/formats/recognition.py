"""Which format is a value in? Told by its content, never by the name of its file."""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import cast

CHAT_KEYS = ("messages", "conversations", "conversation", "turns")
ROLE_KEYS = ("role", "from", "speaker")
CONTENT_KEYS = ("content", "value", "text")


class RecordKind(StrEnum):
    """What a JSON value is."""

    CHAT = "chat"  #: one conversation as a list of messages: TRL, ShareGPT, our exports
    WRITTEN = "written"  #: the conversation JSON that Claude was asked for
    API_MESSAGE = "api_message"  #: the API's envelope around what Claude wrote
    API_ERROR = "api_error"  #: the API's refusal to answer
    PAIRS = "pairs"  #: one conversation as a list of training pairs
    PAIR = "pair"  #: one training pair
    HEADER = "header"  #: the first line of a JSONL file of training pairs


_EVIDENT_REPLY = re.compile(
    r'(?:(?:```+|~~~+)\s*(?:json)?\s*)?\{\s*"(?:conversation_(?:m|$)|turns"\s*:\s*\[)|\{\s*"(?:id"\s*:\s*"msg_|type"\s*:\s*"message")',
    re.IGNORECASE,
)


def recognise_record(value: object) -> RecordKind | None:
    """Name the format; None where it is none that is known."""
    if isinstance(value, list):
        return RecordKind.CHAT if _are_messages(cast("list[object]", value)) else None
    if not isinstance(value, dict):
        return None
    record = cast("Mapping[str, object]", value)
    if record.get("type") == "message" and "content" in record:
        return RecordKind.API_MESSAGE
    if record.get("type") == "error" and isinstance(record.get("error"), dict):
        return RecordKind.API_ERROR
    if isinstance(record.get("training_pairs"), list):
        return RecordKind.PAIRS
    if "target_response" in record or record.keys() >= {"conversation_history", "current_user_input"}:
        return RecordKind.PAIR
    if any(isinstance(record.get(key), list) for key in ("messages", "conversations", "conversation")):
        return RecordKind.CHAT
    if "conversation_metadata" in record or _are_written_turns(record.get("turns")):
        return RecordKind.WRITTEN
    if isinstance(record.get("turns"), list):
        return RecordKind.CHAT
    return RecordKind.HEADER if "_meta" in record else None


def is_message(value: object) -> bool:
    """Whether the value is one message of a conversation, not a conversation."""
    if not isinstance(value, dict):
        return False
    keys = cast("Mapping[str, object]", value).keys()
    return any(key in keys for key in ROLE_KEYS) and any(key in keys for key in CONTENT_KEYS)


def is_evident_reply(text: str) -> bool:
    """Whether text that is no JSON began as a reply of Claude, so that it is cut or malformed and not something else."""
    return _EVIDENT_REPLY.match(text.lstrip("\ufeff\u00a0 \t\r\n")) is not None


def _are_messages(items: list[object]) -> bool:
    return len(items) > 0 and all(is_message(item) for item in items)


def _are_written_turns(turns: object) -> bool:
    """Other tools have `turns` too, but only Claude was asked for the emotion of each."""
    if not isinstance(turns, list):
        return False
    items = cast("list[object]", turns)
    return any(isinstance(item, dict) and "emotional_context" in item for item in items)
