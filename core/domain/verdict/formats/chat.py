"""Chat records: one conversation as a list of messages, under the names that various tools give to the parts."""

from collections.abc import Mapping, Sequence
from typing import cast

from core.domain.verdict.conversation import Role
from core.domain.verdict.formats.entries import ImportedTurn
from core.domain.verdict.formats.recognition import CHAT_KEYS, CONTENT_KEYS, ROLE_KEYS
from core.domain.verdict.limits import LONGEST_LABEL, MOST_TURNS

_ROLES = {
    "user": Role.USER,
    "human": Role.USER,
    "prompter": Role.USER,
    "assistant": Role.ASSISTANT,
    "gpt": Role.ASSISTANT,
    "chatgpt": Role.ASSISTANT,
    "model": Role.ASSISTANT,
    "bot": Role.ASSISTANT,
}
_SYSTEM_ROLES = frozenset({"system", "developer"})
_ID_KEYS = ("id", "conversation_id")
_ID_HOLDERS = ("metadata", "conversation_metadata")
_LARGEST_ID = 2**63


class TooManyTurns(Exception):
    """A conversation of more turns than are judged."""


def read_chat_turns(record: object) -> tuple[ImportedTurn, ...]:
    """The turns of a chat record, which is a list of messages or holds one."""
    if isinstance(record, list):
        return read_turns(cast("list[object]", record))
    members = cast("Mapping[str, object]", record)
    messages = next(members[key] for key in CHAT_KEYS if isinstance(members.get(key), list))
    return read_turns(cast("list[object]", messages))


def read_turns(messages: Sequence[object]) -> tuple[ImportedTurn, ...]:
    """All but the system's messages; one that cannot be read becomes a turn with a problem. Raises TooManyTurns."""
    if len(messages) > MOST_TURNS:
        raise TooManyTurns(f"more than {MOST_TURNS:,} turns in one conversation")
    turns = (_read_turn(message) for message in messages)
    return tuple(turn for turn in turns if turn is not None)


def make_turn(role_name: str, content: object) -> ImportedTurn:
    """A turn from a role's name in any tool's words and a content in any shape."""
    role_name = role_name[:LONGEST_LABEL]
    role = _ROLES.get(role_name.strip().lower())
    text = _read_text(content)
    problem = "its content is not text" if text is None else None
    return ImportedTurn(
        role=role, role_name=role_name if role is None else str(role), content="" if text is None else text, problem=problem
    )


def read_record_id(record: object) -> str | int | None:
    """The id that the record or its metadata gives, if any; of a very long one the beginning."""
    if not isinstance(record, dict):
        return None
    members = cast("Mapping[str, object]", record)
    for holder in (members, *(members.get(key) for key in _ID_HOLDERS)):
        if not isinstance(holder, dict):
            continue
        for key in _ID_KEYS:
            value = cast("Mapping[str, object]", holder).get(key)
            if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
                is_number = isinstance(value, int) and abs(value) < _LARGEST_ID
                return value if is_number else str(value)[:LONGEST_LABEL]
    return None


def _read_turn(message: object) -> ImportedTurn | None:
    if not isinstance(message, dict):
        return ImportedTurn(role=None, role_name="", content="", problem="it is not a message")
    members = cast("Mapping[str, object]", message)
    role = next((members[key] for key in ROLE_KEYS if key in members), None)
    content_key = next((key for key in CONTENT_KEYS if key in members), None)
    role_name = role if isinstance(role, str) else ""
    if role_name.strip().lower() in _SYSTEM_ROLES:
        return None
    return make_turn(role_name, None if content_key is None else members[content_key])


def _read_text(content: object) -> str | None:
    """Text as it is or in text blocks; no content is no text, and anything else is not readable as text."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if not isinstance(content, list):
        return None
    texts = [_block_text(block) for block in cast("list[object]", content)]
    return None if None in texts else "".join(text for text in texts if text is not None)


def _block_text(block: object) -> str | None:
    if isinstance(block, str):
        return block
    if isinstance(block, dict):
        text = cast("Mapping[str, object]", block).get("text")
        return text if isinstance(text, str) else None
    return None
