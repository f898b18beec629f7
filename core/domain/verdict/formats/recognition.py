"""Recognises the format of a value by its content, never by the name of its file."""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import cast

from core.domain.verdict.bounded_json import read_mapping
from core.domain.verdict.formats.chat import CHAT_KEYS, KNOWN_ROLES, find_chats, is_message
from core.domain.verdict.formats.envelopes import find_message, find_refused, is_completion, is_request
from core.domain.verdict.formats.spoken import has_answer, read_spoken
from core.domain.verdict.formats.trees import is_row


class RecordKind(StrEnum):
    """What a JSON value is."""

    CHAT = "chat"  #: a list of messages
    SPOKEN = "spoken"  #: messages or columns of what was said and answered: TRL, ShareGPT, Alpaca, preferences, our exports
    ROW = "row"  #: one message that names its conversation
    EXPORT = "export"  #: a conversation of ChatGPT's export: a tree of nodes
    NESTED = "nested"  #: a tree of messages with `replies`
    COMPLETION = "completion"  #: what another API answered
    WRITTEN = "written"  #: the conversation JSON that Claude was asked for
    API_MESSAGE = "api_message"  #: the API's envelope around what Claude wrote
    REFUSED = "refused"  #: the API's refusal to answer
    PAIRS = "pairs"  #: one conversation as a list of training pairs
    PAIR = "pair"  #: one training pair
    HEADER = "header"  #: the first line of a JSONL file of training pairs


_EVIDENT_REPLY = re.compile(
    r'(?:(?:```+|~~~+)\s*(?:json)?\s*)?\{\s*"(?:conversation_(?:m|$)|turns"\s*:\s*\[)|\{\s*"(?:id"\s*:\s*"msg_|type"\s*:\s*"message")',
    re.IGNORECASE,
)
_CUT_CELLS = "truncated_cells"


def unwrap_record(value: object) -> object:
    """Return the record that the Hub's viewer wraps; a record whose cells the viewer has cut says so."""
    members = read_mapping(value)
    if "row_idx" not in members or not isinstance(members.get("row"), dict):
        return value
    row = cast("dict[str, object]", members["row"])
    return {**row, "truncated": True} if members.get(_CUT_CELLS) else row


def fold_names(value: object) -> object:
    """The record with its names as others write them: `Question` and `FINISH_REASON` are `question` and `finish_reason`."""
    record = read_mapping(value)
    if not any(key[:1].isupper() for key in record):
        return value
    folded = {_fold(key): member for key, member in record.items()}
    return {**folded, **{key: member for key, member in record.items() if not key[:1].isupper()}}


def _fold(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_") if name[:1].isupper() else name


def recognise_record(value: object) -> RecordKind | None:
    """Return the format; None if it is unknown."""
    if isinstance(value, list):
        return RecordKind.CHAT if any(map(is_message, cast("list[object]", value))) else None
    if not isinstance(value, dict):
        return None
    record = cast("Mapping[str, object]", value)
    return _recognise_answer(record) or _recognise_object(record)


def _recognise_answer(record: Mapping[str, object]) -> RecordKind | None:
    if find_message(record) is not None:
        return RecordKind.API_MESSAGE
    if find_refused(record) is not None:
        return RecordKind.REFUSED
    if isinstance(record.get("training_pairs"), list):
        return RecordKind.PAIRS
    if "target_response" in record or record.keys() >= {"conversation_history", "current_user_input"}:
        return RecordKind.PAIR
    return RecordKind.COMPLETION if is_completion(record) else None


def _recognise_object(record: Mapping[str, object]) -> RecordKind | None:
    chats = find_chats(record)
    if not chats.keys() - {"turns"} and ("conversation_metadata" in record or _are_written_turns(record.get("turns"))):
        return RecordKind.WRITTEN
    if chats:
        return RecordKind.SPOKEN
    if isinstance(record.get("mapping"), dict):
        return RecordKind.EXPORT
    if is_message(record.get("prompt")) and "replies" in read_mapping(record["prompt"]):
        return RecordKind.NESTED
    if is_row(record):
        return RecordKind.ROW
    if not is_request(record) and not is_message(record) and _has_columns(record):
        return RecordKind.SPOKEN
    return RecordKind.HEADER if "_meta" in record else None


def _has_columns(record: Mapping[str, object]) -> bool:
    return ("prompt" in record or has_answer(record)) and read_spoken(record, KNOWN_ROLES) is not None


def has_known_columns(names: Sequence[str]) -> bool:
    """Whether these are columns of a table of conversations."""
    record = dict.fromkeys(map(_fold, names), "x")
    has_messages = any(key in record for key in CHAT_KEYS)
    return has_messages or (len(names) > 1 and (is_row(record) or _has_columns(record)))


def is_evident_reply(text: str) -> bool:
    """Whether text that is not JSON began as a reply of Claude: it is cut or malformed, and not something else."""
    return _EVIDENT_REPLY.match(text.lstrip("\ufeff\u00a0 \t\r\n")) is not None


def _are_written_turns(turns: object) -> bool:
    """Other tools use `turns` too, but only Claude was asked for the emotion of each."""
    if not isinstance(turns, list):
        return False
    items = cast("list[object]", turns)
    return any(isinstance(item, dict) and "emotional_context" in item for item in items)
