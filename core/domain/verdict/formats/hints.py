"""What an unreadable value looks like, and what to do with it."""

from collections.abc import Callable, Mapping
from typing import cast

from core.domain.verdict.bounded_json import read_mapping
from core.domain.verdict.formats.chat import CHAT_KEYS, is_message
from core.domain.verdict.formats.envelopes import is_request
from core.domain.verdict.limits import LONGEST_LABEL

PLAIN_TEXT = "looks like plain text, which does not say who speaks: write it as `messages`, or as `prompt` and `completion`"
UNKNOWN_FORMAT = "no known format of conversations (see docs/scan.md)"
_SHOWN_KEYS = 8
_TEXT_KEYS = ("text", "content", "body", "raw", "markdown")


def describe_unknown(value: object) -> str:
    """Say what a value looks like; it is not read as a conversation."""
    if isinstance(value, list):
        return _describe_list(cast("list[object]", value))
    if not isinstance(value, dict):
        return f"{UNKNOWN_FORMAT}: {_name_type(value)}"
    record = cast("Mapping[str, object]", value)
    found = next((hint for applies, hint in _HINTS if applies(record)), None)
    if found is not None:
        return f"{found}; it is not read"
    return f"{UNKNOWN_FORMAT}; it has {_list_keys(record)}" if record else UNKNOWN_FORMAT


def _describe_list(items: list[object]) -> str:
    if items and all(isinstance(item, str) for item in items):
        return "looks like a list of texts, which do not say who speaks: write each as {role, content}; it is not read"
    return f"{UNKNOWN_FORMAT}: a list of something else than messages"


def _find_other_list(record: Mapping[str, object]) -> str | None:
    """A known name for messages with something else under it."""
    return next((key for key in CHAT_KEYS if isinstance(record.get(key), list | str | dict)), None)


def _is_texts(record: Mapping[str, object]) -> bool:
    key = _find_other_list(record)
    value = record.get(key) if key else None
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value))


def _is_python(record: Mapping[str, object]) -> bool:
    values = (record.get(key) for key in (*CHAT_KEYS, "chosen", "rejected", "prompt", "completion"))
    return any(isinstance(value, str) and value.lstrip().startswith(("[{'", "{'", "[array(")) for value in values)


def _is_columns(record: Mapping[str, object]) -> bool:
    """Pandas writes a table as columns, each an object with row numbers as keys."""
    return bool(record) and all("0" in read_mapping(column) for column in record.values())


def _is_chunk(record: Mapping[str, object]) -> bool:
    return record.get("object") == "chat.completion.chunk" or record.get("type") in ("content_block_delta", "message_start")


def _is_text(record: Mapping[str, object]) -> bool:
    return any(isinstance(record.get(key), str) for key in _TEXT_KEYS)


_HINTS: tuple[tuple[Callable[[Mapping[str, object]], bool], str], ...] = (
    (is_request, "looks like a request of a batch, which has no reply: scan the batch's results"),
    (_is_chunk, "looks like a piece of a streamed reply: put the pieces together and scan the whole replies"),
    (_is_columns, 'looks like a table by columns, as pandas writes it: use to_json(orient="records", lines=True)'),
    (_is_python, "looks like a list in Python's notation: write the column as JSON (json.dumps)"),
    (is_message, "looks like one message that does not say to which conversation it belongs: add a conversation_id to each"),
    (_is_texts, "looks like a list of texts, which do not say who speaks: write each as {role, content}"),
    (
        lambda record: "question" in record and "context" in record,
        "looks like questions about passages (SQuAD): write the answers as `prompt` and `completion`",
    ),
    (
        lambda record: "label" in record or "labels" in record,
        "looks like texts with labels: write them as `prompt` and `completion` if labels are to be learnt as replies",
    ),
    (
        lambda record: bool({"positive", "negative", "pos", "neg", "anchor", "embedding"} & record.keys()),
        "looks like pairs for a search model, which holds no replies",
    ),
    (_is_text, PLAIN_TEXT),
)


def _list_keys(record: Mapping[str, object]) -> str:
    keys = [str(key)[:40] for key in record]
    more = f" and {len(keys) - _SHOWN_KEYS} more" if len(keys) > _SHOWN_KEYS else ""
    key = _find_other_list(record)
    other = "" if key is None else f", and `{key}` holds no messages"
    return f"the members {', '.join(keys[:_SHOWN_KEYS])}{more}{other}"[: 3 * LONGEST_LABEL]


def _name_type(value: object) -> str:
    match value:
        case str():
            return "a text"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case _:
            return "null"
