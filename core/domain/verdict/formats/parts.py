"""The contents of a message: text under any of its names, and parts that are counted but not judged."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from core.domain.verdict.bounded_json import read_mapping
from core.domain.verdict.formats.entries import Part

_TEXT_KEYS = ("text", "value", "content", "input_text", "output_text", "refusal", "markdown", "message")
_KINDS: Mapping[str, Part] = {
    **dict.fromkeys(
        ("image", "imageurl", "inputimage", "outputimage", "imagefile", "inlinedata", "imageassetpointer", "imagepath"),
        Part.IMAGE,
    ),
    **dict.fromkeys(("audio", "inputaudio", "audiourl", "outputaudio"), Part.AUDIO),
    **dict.fromkeys(("video", "videourl", "inputvideo"), Part.VIDEO),
    **dict.fromkeys(("file", "inputfile", "document", "filedata", "attachment", "containerupload"), Part.FILE),
    **dict.fromkeys(
        ("thinking", "redactedthinking", "reasoning", "reasoningcontent", "reasoningtext", "thought", "thoughts"),
        Part.THINKING,
    ),
    **dict.fromkeys(
        ("tooluse", "servertooluse", "mcptooluse", "toolcall", "functioncall", "customtoolcall", "executablecode"),
        Part.TOOL_CALL,
    ),
    **dict.fromkeys(
        ("toolresult", "toolresponse", "functionresponse", "functioncalloutput", "codeexecutionresult"), Part.TOOL_RESULT
    ),
}
_RESULT_ENDING = "toolresult"
_THINKING_KEYS = ("reasoning_content", "reasoning", "thinking", "thoughts", "reasoning_details", "complex_cot", "cot")
_FILE_KEYS: Mapping[str, Part] = {
    **dict.fromkeys(("images", "image"), Part.IMAGE),
    **dict.fromkeys(("audios", "audio"), Part.AUDIO),
    **dict.fromkeys(("videos", "video"), Part.VIDEO),
    **dict.fromkeys(("files", "attachments"), Part.FILE),
}
CALL_KEYS = ("tool_calls", "function_call", "toolCalls", "functionCall")
_BESIDE_KEYS = frozenset((*_THINKING_KEYS, *_FILE_KEYS, *CALL_KEYS))
_FILE_COLUMNS = frozenset((*_THINKING_KEYS, *_FILE_KEYS))
_ARGUMENT_KEYS = ("arguments", "args", "input", "parameters")
_MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The content of a message. `text` is None if nothing of it can be read as text or counted as something else."""

    text: str | None
    parts: tuple[Part, ...] = ()
    data: tuple[str, ...] = ()
    is_open_ended: bool = False


def read_content(content: object, message: Mapping[str, object]) -> Content:
    """Read a content of any shape, with the other members of the message."""
    inner = _read_inner(content)
    beside, data = _read_beside(message)
    calls = Part.TOOL_CALL in beside
    return Content(
        text=inner.text,
        parts=(*inner.parts, *beside)[:_MOST_COUNTED],
        data=(*inner.data, *data),
        is_open_ended=inner.is_open_ended or calls,
    )


def _read_inner(content: object) -> Content:
    if isinstance(content, str):
        return Content(text=content)
    if content is None:
        return Content(text="")
    if isinstance(content, dict):
        return _read_blocks([cast("object", content)])
    if isinstance(content, list):
        return _read_blocks(cast("list[object]", content))
    return Content(text=None)


def _read_blocks(blocks: Sequence[object]) -> Content:
    texts: list[str] = []
    parts: list[Part] = []
    data: list[str] = []
    is_open_ended = is_unknown = False
    for block in blocks:
        kind, text = _read_block(block)
        if text is not None and kind is None:
            texts.append(text)
            is_open_ended = is_open_ended and not text.strip()
            continue
        if kind is None:
            is_unknown = True
        part = kind or Part.OTHER
        parts.append(part)
        if part is Part.TOOL_CALL:
            data.extend(_find_arguments(block))
        elif part is Part.TOOL_RESULT:
            data.extend(_find_result(block))
        is_open_ended = part is not Part.THINKING
    text = "".join(texts) if texts or not is_unknown else None
    return Content(text=text, parts=tuple(parts), data=tuple(data), is_open_ended=is_open_ended)


def _read_block(block: object) -> tuple[Part | None, str | None]:
    """Return the kind of part, or its text; neither if it is unknown."""
    if isinstance(block, str):
        return None, block
    if not isinstance(block, dict):
        return None, None
    members = cast("Mapping[str, object]", block)
    name = next((members[key] for key in ("type", "content_type") if isinstance(members.get(key), str)), None)
    if name is None:
        named = next((part for key in members if (part := _find_kind(key)) is not None and members[key]), None)
        return (named, None) if named is not None else (None, _find_text(members))
    kind = _find_kind(cast("str", name))
    if kind is not None:
        return kind, None
    return None, _find_text(members)


def _find_kind(name: str) -> Part | None:
    plain = name.lower().replace("_", "").replace("-", "")
    return Part.TOOL_RESULT if plain.endswith(_RESULT_ENDING) else _KINDS.get(plain)


def _find_text(members: Mapping[str, object]) -> str | None:
    for key in _TEXT_KEYS:
        value = members.get(key)
        if isinstance(value, dict):
            value = cast("Mapping[str, object]", value).get("value")
        if isinstance(value, str):
            return value
    pieces = members.get("parts")
    if isinstance(pieces, list):
        texts = [text for piece in cast("list[object]", pieces) if (text := _read_block(piece)[1]) is not None]
        return "".join(texts) if texts or not pieces else None
    return None


def _read_beside(message: Mapping[str, object]) -> tuple[list[Part], list[str]]:
    """Return the parts in other members of the message: tool calls, thinking, files."""
    parts: list[Part] = []
    data: list[str] = []
    if _BESIDE_KEYS.isdisjoint(message):
        return parts, data
    for key in CALL_KEYS:
        value = message.get(key)
        calls = cast("list[object]", value if isinstance(value, list) else [value] if isinstance(value, dict) else [])
        parts += [Part.TOOL_CALL] * len(calls)
        for call in calls:
            data.extend(_find_arguments(call))
    parts += [Part.THINKING for key in _THINKING_KEYS if message.get(key)]
    for key, part in _FILE_KEYS.items():
        value = message.get(key)
        parts += [part] * (len(cast("list[object]", value)) if isinstance(value, list) else int(bool(value)))
    return parts, data


def count_files(record: Mapping[str, object]) -> list[Part]:
    """What columns of a record hold beside the conversation: files and thinking."""
    return _read_beside({key: record[key] for key in _FILE_COLUMNS & record.keys()})[0]


def _find_result(block: object) -> list[str]:
    """The text that a tool answered, within a block."""
    text = _read_inner(read_mapping(block).get("content")).text
    return [text] if text else []


def _find_arguments(call: object) -> list[str]:
    """Return the arguments of a call, if they are JSON within text."""
    if not isinstance(call, dict):
        return []
    members = cast("Mapping[str, object]", call)
    holders = (members, *(members.get(key) for key in ("function", "functionCall", "tool_call", "function_call")))
    found = [
        value
        for holder in holders
        if isinstance(holder, dict)
        for key in _ARGUMENT_KEYS
        if isinstance(value := cast("Mapping[str, object]", holder).get(key), str)
    ]
    return [text for text in found if text.strip()]


def write_data(content: object) -> object:
    """A tool's content that is an object is complete; it is written as text to be shown."""
    return json.dumps(content, ensure_ascii=False, default=str) if isinstance(content, dict) else content
