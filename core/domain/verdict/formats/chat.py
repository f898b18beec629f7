"""Messages: turns from a list of them, under the names that various tools use."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import cast

from core.domain.verdict.bounded_json import parse_json, read_mapping
from core.domain.verdict.formats.entries import ImportedTurn, Part
from core.domain.verdict.formats.parts import CALL_KEYS, read_content, write_data
from core.domain.verdict.formats.repeated_keys import build_object, find_repeated_key
from core.domain.verdict.formats.roles import RoleNames, Voice
from core.domain.verdict.formats.stops import read_record_stop
from core.domain.verdict.formats.tool_data import find_calls
from core.domain.verdict.limits import LONGEST_LABEL, MOST_TURNS

ROLE_KEYS = ("role", "from", "speaker", "sender", "author")
CONTENT_KEYS = ("content", "value", "text", "message", "parts", "utterance", "data")
CHAT_KEYS = (
    "messages",
    "conversations",
    "conversation",
    "turns",
    "chat_messages",
    "contents",
    "dialog",
    "dialogue",
    "chat",
    "chat_history",
    "items",
    "data",
    "conversation_a",
    "conversation_b",
)
"""Members of a record that hold messages. The first one present is the conversation; the others are alternative answers."""
KNOWN_ROLES = RoleNames()
_ID_KEYS = ("custom_id", "id", "conversation_id", "uuid", "_id", "conversation_hash", "prompt_id", "message_tree_id")
_ID_HOLDERS = ("metadata", "conversation_metadata")
_LARGEST_ID = 2**63
_PLAIN_MEMBERS = 2
"""How many members a message has that is only a role and a content."""
_OTHER_LISTS = re.compile(
    "prompt|completion|chosen|reject|preferred|non_preferred|dispreferred|response|output|answer|history|replies|target|generation|"
    "choices|candidates|solution"
)
"""Members that hold an answer or its context, not the conversation."""
_SAID_KEYS = frozenset(("input", "prompt", "question", "query", "instruction", "q"))
_ANSWERED_KEYS = frozenset(("output", "response", "answer", "completion", "reply", "a"))


class TooManyTurns(Exception):
    """A conversation with more turns than are judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """The turns of a list of messages, and the number of system messages among them, which are not turns."""

    turns: tuple[ImportedTurn, ...] = ()
    system_messages: int = 0


def find_messages(value: object) -> list[object] | None:
    """Return the messages in a value; None if it has none.

    A list of them, perhaps as JSON text, or columns of roles and contents. An empty list is a conversation without turns. A
    list of other things (log lines, places, texts without a speaker) is not a chat.
    """
    if isinstance(value, str):
        value = parse_list(value)
    if isinstance(value, dict):
        members = cast("dict[str, object]", value)
        inner = members.get("messages")
        wrapped = find_messages(cast("object", inner)) if isinstance(inner, list) else None
        return wrapped or _zip_columns(members) or ([members] if is_message(members) else None)
    if not isinstance(value, list):
        return None
    items = cast("list[object]", value)
    if items and "kwargs" in read_mapping(items[0]):
        items = [_unwrap_dump(item) for item in items]
    if not items or any(map(is_message, items)):
        return items
    return _split_pairs(items)


def _unwrap_dump(item: object) -> object:
    """Return a message that LangChain wrote as an object: the last name of its class is the speaker."""
    members = read_mapping(item)
    names = members.get("id")
    if "kwargs" not in members or not isinstance(names, list) or not names:
        return item
    return {**read_mapping(members["kwargs"]), "type": cast("list[object]", names)[-1]}


def find_chats(record: Mapping[str, object]) -> dict[str, list[object]]:
    """Return the lists of messages in a record, by their names.

    Under an unknown name only a list whose items all have a speaker counts.
    """
    found = {key: messages for key in CHAT_KEYS if (messages := find_messages(record.get(key))) is not None}
    if found:
        return found
    unknown = {
        key: cast("list[object]", value)
        for key, value in record.items()
        if isinstance(value, list) and value and not _OTHER_LISTS.match(key)
    }
    return {key: items for key, items in unknown.items() if all(map(_is_known_message, items))}


def _is_known_message(value: object) -> bool:
    return is_message(value) and KNOWN_ROLES.find(_find_role(cast("Mapping[str, object]", value))) is not None


def is_message(value: object) -> bool:
    """Whether the value is one message of a conversation, not a conversation."""
    if not isinstance(value, dict):
        return False
    members = cast("Mapping[str, object]", value)
    has_content = any(key in members for key in CONTENT_KEYS) or any(members.get(key) for key in CALL_KEYS)
    return has_content and (any(key in members for key in ROLE_KEYS) or _find_typed_role(members) is not None)


def read_turns(messages: Sequence[object], names: RoleNames = KNOWN_ROLES) -> tuple[ImportedTurn, ...]:
    """Return all turns but the system messages; an unreadable one becomes a turn with a problem. Raises TooManyTurns."""
    return read_talk(messages, names).turns


def read_talk(messages: Sequence[object], names: RoleNames = KNOWN_ROLES) -> Talk:
    """Read the turns, and count the system's messages. Raises TooManyTurns."""
    if len(messages) > MOST_TURNS:
        raise TooManyTurns(f"more than {MOST_TURNS:,} turns in one conversation")
    turns = tuple(turn for message in messages if (turn := _read_turn(message, names)) is not None)
    return Talk(turns=turns, system_messages=len(messages) - len(turns))


def make_turn(role_name: str, content: object, names: RoleNames = KNOWN_ROLES) -> ImportedTurn:
    """Make a turn from any tool's role name and a content of any shape."""
    return _build_turn(role_name, names.find(role_name), content, {})


def read_record_id(record: object) -> str | int | None:
    """Return the id in the record or its metadata, if there is one; only the beginning of a very long one."""
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


def parse_list(text: str) -> object:
    """Return the list or object that a text column holds as JSON."""
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        return parse_json(text, object_pairs_hook=build_object)
    except ValueError:
        return None


def _zip_columns(members: Mapping[str, object]) -> list[object] | None:
    """Messages in two lists, one of roles and one of contents; or one message alone."""
    role = next((key for key in ROLE_KEYS if isinstance(members.get(key), list)), None)
    content = next((key for key in CONTENT_KEYS if isinstance(members.get(key), list)), None)
    if role is None or content is None:
        return None
    columns = (cast("list[object]", members[role]), cast("list[object]", members[content]))
    return [{"role": name, "content": said} for name, said in zip_longest(*columns)]


def _split_pairs(items: Sequence[object]) -> list[object] | None:
    """Messages from a list of questions and answers, such as `input` and `output`, or `human` and `assistant`."""
    messages: list[object] = []
    for item in items:
        if not isinstance(item, dict):
            return None
        members = cast("Mapping[str, object]", item)
        said = _find_spoken(members, _SAID_KEYS, Voice.USER)
        answered = _find_spoken(members, _ANSWERED_KEYS, Voice.ASSISTANT)
        if not isinstance(said, str) or not isinstance(answered, str):
            return None
        messages += [{"role": "user", "content": said}, {"role": "assistant", "content": answered}]
    return messages


def _find_spoken(members: Mapping[str, object], names: frozenset[str], voice: Voice) -> object:
    return next((said for key, said in members.items() if key.lower() in names or KNOWN_ROLES.find(key) is voice), None)


def _read_turn(message: object, names: RoleNames) -> ImportedTurn | None:
    if not isinstance(message, dict):
        return ImportedTurn(role=None, role_name="", content="", problem="it is not a message")
    members = cast("Mapping[str, object]", message)
    role_name = _find_role(members)
    voice = names.find(role_name)
    if voice is Voice.SYSTEM:
        return None
    return _build_turn(role_name, voice, _find_content(members), members)


def _find_role(members: Mapping[str, object]) -> str:
    key = next((key for key in ROLE_KEYS if key in members), None)
    role = _find_typed_role(members) if key is None else members[key]
    if isinstance(role, dict):
        role = cast("Mapping[str, object]", role).get("role")
    return role[:LONGEST_LABEL] if isinstance(role, str) else ""


def _find_typed_role(members: Mapping[str, object]) -> str | None:
    """LangChain's messages name their speaker by their type."""
    kind = members.get("type")
    if not isinstance(kind, str):
        return None
    name = kind.removesuffix("MessageChunk").removesuffix("Message")
    return name if KNOWN_ROLES.find(name) is not None else None


def _find_content(members: Mapping[str, object]) -> object:
    """Return the first content with text: Claude's export has blocks and, if they are missing, only the text."""
    found = [members[key] for key in CONTENT_KEYS if key in members]
    content = next((value for value in found if value not in ("", None, [])), found[0] if found else None)
    return members.get("refusal") if content in ("", None) and isinstance(members.get("refusal"), str) else content


def _build_turn(role_name: str, voice: Voice | None, content: object, message: Mapping[str, object]) -> ImportedTurn:
    role = None if voice is None else voice.role
    is_data = voice in (Voice.TOOL, Voice.TOOL_CALL)
    read = read_content(write_data(content) if is_data else content, message)
    calls = find_calls(read.text) if voice is Voice.ASSISTANT and read.text else []
    is_declined = read.text is not None and read.text == message.get("refusal") != ""
    return ImportedTurn(
        role=role,
        role_name=role_name[:LONGEST_LABEL] if role is None else str(role),
        content=read.text or "",
        problem=None if read.text is not None or is_data else "its content is not text",
        parts=(*read.parts, *[Part.TOOL_CALL] * len(calls)),
        data=(*read.data, *calls),
        is_data=is_data,
        is_open_ended=read.is_open_ended or bool(calls),
        repeated_key=find_repeated_key(message),
        stop="refusal" if is_declined else read_record_stop(message) if len(message) > _PLAIN_MEMBERS else None,
    )
