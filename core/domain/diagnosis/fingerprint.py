"""The fingerprint of a failure: a key that is the same for all failures that end alike, so a thousand read as five.

Failures with a text are grouped by the shape of its end; calls without a reply, refusals and wrong structures by their
message without numbers, ids and quotations. The key is stored with the failure; its label is derived from the key.
"""

import re
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from core.domain.diagnosis.plain_names import NONE, name_failure_type, name_pattern, name_stop_reason
from core.domain.record import Record
from core.domain.verdict.closings import TERMINATORS
from core.domain.verdict.formats.replies import recover_turns
from core.domain.verdict.reply import StopReason
from core.domain.verdict.verdict import FailureType

KEY_LENGTH = 160
_MESSAGE_LENGTH = 110
_CONSIDERED_LENGTH = 2_000
"""Characters of a message that are considered: the search for a closing mark takes time by their number."""
_SEPARATOR = "|"

_NORMAL_FORMS = (
    (re.compile(r"https?://\S+"), "<url>"),
    (re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\b(?:req|msg|batch|org|key)_\w+"), "<id>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{12,}\b", re.IGNORECASE), "<id>"),
    (re.compile(r"\"[^\"]*\"|“[^”]*”|`[^`]*`|(?<!\w)'[^']*'(?!\w)"), "<text>"),
    (re.compile(r"(?<![\w<])[-+]?\d+(?:[.,:]\d+)*(?:ms|s|k)?\b"), "<n>"),
    (re.compile(r"\s+"), " "),
)


class LastToken(StrEnum):
    """What stands at the very end of a text."""

    NOTHING = "nothing"
    BACKSLASH = "backslash"
    ESCAPED_QUOTE = "escaped_quote"
    LITERAL_ESCAPE = "literal_escape"
    OPENING_QUOTE = "opening_quote"
    CLOSING_QUOTE = "closing_quote"
    OPENING_BRACKET = "opening_bracket"
    CLOSING_BRACKET = "closing_bracket"
    SENTENCE_END = "sentence_end"
    COMMA = "comma"
    COLON = "colon"
    DASH = "dash"
    MARKUP = "markup"
    NUMBER = "number"
    WORD = "word"
    OTHER = "other"


_TOKEN_WORDS = {
    LastToken.NOTHING: "with nothing said",
    LastToken.BACKSLASH: "at a lone backslash, where a quotation would open",
    LastToken.ESCAPED_QUOTE: "at an escaped quotation mark",
    LastToken.LITERAL_ESCAPE: "at a literal escape sequence",
    LastToken.OPENING_QUOTE: "at an opening quotation mark",
    LastToken.CLOSING_QUOTE: "after a quotation",
    LastToken.OPENING_BRACKET: "at an opening bracket",
    LastToken.CLOSING_BRACKET: "after a closing bracket",
    LastToken.SENTENCE_END: "after a full sentence",
    LastToken.COMMA: "at a comma",
    LastToken.COLON: "at a colon",
    LastToken.DASH: "at a dash",
    LastToken.MARKUP: "at a mark of emphasis",
    LastToken.NUMBER: "at a number",
    LastToken.WORD: "in or after a word",
    LastToken.OTHER: "at another sign",
}


class TailShape(Record):
    """How a text ends."""

    last: LastToken
    in_quotation: bool = False
    bracket_depth: int = 0


class UnmarkedFailure(Record):
    """A failure without a fingerprint, with the data for one."""

    id: UUID
    failure_type: FailureType
    pattern: str | None = None
    stop_reason: str | None = None
    reply_text: str | None = None
    turn_index: int | None = None
    message: str | None = None


def fingerprint_failure(
    *,
    failure_type: FailureType,
    pattern: str | None,
    stop_reason: str | None,
    reply_text: str | None,
    turn_index: int | None,
    message: str | None,
) -> str:
    """Return the key of a failure. `message` is the error's, or else what the verdict says."""
    match failure_type:
        case FailureType.TRUNCATION if stop_reason in (StopReason.END_TURN, None):
            # Only imported conversations have none: how they end is then all that is known.
            parts = (stop_reason or "none", *_encode_shape(describe_tail(find_failing_text(reply_text or "", turn_index))))
        case FailureType.TRUNCATION:
            # A limit stops anywhere, so the last character says nothing; whether it is inside a turn does.
            parts = (stop_reason or "none", "in_text" if turn_index is not None else "between_texts")
        case FailureType.PARSE_ERROR:
            parts = (stop_reason or "none", *_encode_shape(describe_tail(reply_text or "")))
        case FailureType.CORRUPTION:
            parts = (pattern or "none",)
        case FailureType.VALIDATION_ERROR | FailureType.API_ERROR | FailureType.REFUSAL:
            parts = (pattern or "none", normalise_message(message or ""))
        case _:
            assert_never(failure_type)
    return _SEPARATOR.join((failure_type, *parts))[:KEY_LENGTH]


def label_fingerprint(key: str) -> str:
    """Say in words what the failures with this key have in common."""
    failure_type, *parts = key.split(_SEPARATOR, maxsplit=2)
    match failure_type, parts:
        case FailureType.TRUNCATION, [StopReason.END_TURN, shape]:
            return f"Text ends {_label_shape(shape)}; Claude finished normally"
        case FailureType.TRUNCATION, ["none", shape]:
            return f"Text ends {_label_shape(shape)}"
        case FailureType.TRUNCATION, [stop_reason, place]:
            return f"{name_stop_reason(stop_reason)}, {'within a turn' if place == 'in_text' else 'between two turns'}"
        case FailureType.PARSE_ERROR, [_, shape]:
            return f"Not valid JSON; it ends {_label_shape(shape)}"
        case FailureType.CORRUPTION, [pattern]:
            return f"Damaged text: {name_pattern(pattern)}"
        case _, [pattern, message]:
            name = name_failure_type(failure_type) if pattern == NONE else name_pattern(pattern)
            return f"{name}: {message}" if message else name
        case _:
            return name_failure_type(failure_type)


def describe_tail(text: str) -> TailShape:
    """Say how a text ends: its last token, and what is still open in its last paragraph."""
    visible = text.rstrip()
    paragraph = visible.rpartition("\n\n")[2]
    straight = paragraph.count('"') - paragraph.count('\\"')
    in_quotation = straight % 2 == 1 or paragraph.count("“") > paragraph.count("”")
    opened = sum(paragraph.count(bracket) for bracket in "([{") - sum(paragraph.count(bracket) for bracket in ")]}")
    return TailShape(
        last=_classify_end(visible, in_quotation=in_quotation),
        in_quotation=in_quotation,
        bracket_depth=max(0, min(opened, 2)),
    )


def find_failing_text(reply_text: str, turn_index: int | None) -> str:
    """Return the content of the turn that is to blame, else the whole reply."""
    if turn_index is None:
        return reply_text
    turns = recover_turns(reply_text)
    return turns[turn_index].content if turn_index < len(turns) else reply_text


def normalise_message(message: str) -> str:
    """Remove what differs between messages of the same cause: numbers, ids, addresses and quotations."""
    message = message[:_CONSIDERED_LENGTH]
    for form, replacement in _NORMAL_FORMS:
        message = form.sub(replacement, message)
    return message.strip().replace(_SEPARATOR, "/")[:_MESSAGE_LENGTH]


def _classify_end(visible: str, *, in_quotation: bool) -> LastToken:
    if not visible:
        return LastToken.NOTHING
    last = visible[-1]
    if last == "\\":
        return LastToken.BACKSLASH
    if visible.endswith('\\"'):
        return LastToken.ESCAPED_QUOTE
    if visible.endswith(("\\n", "\\t", "\\r")):
        return LastToken.LITERAL_ESCAPE
    if last in "“‘«" or (last in "\"'" and in_quotation):
        return LastToken.OPENING_QUOTE
    return _classify_sign(last)


def _classify_sign(last: str) -> LastToken:
    if last in TERMINATORS:
        return LastToken.SENTENCE_END
    if last.isdigit():
        return LastToken.NUMBER
    if last.isalpha():
        return LastToken.WORD
    for signs, token in _SIGNS:
        if last in signs:
            return token
    return LastToken.OTHER


_SIGNS = (
    ("\"'”’»", LastToken.CLOSING_QUOTE),
    ("([{", LastToken.OPENING_BRACKET),
    (")]}", LastToken.CLOSING_BRACKET),
    (",;，、", LastToken.COMMA),
    (":：", LastToken.COLON),
    ("-–—", LastToken.DASH),
    ("*_`#", LastToken.MARKUP),
)


def _encode_shape(shape: TailShape) -> tuple[str]:
    marks = (shape.last, "quote" if shape.in_quotation else "", f"depth{shape.bracket_depth}" if shape.bracket_depth else "")
    return ("+".join(mark for mark in marks if mark),)


def _label_shape(encoded: str) -> str:
    last, *marks = encoded.split("+")
    try:
        words = _TOKEN_WORDS[LastToken(last)]
    except ValueError:
        return f"at {last}"
    opened = [
        "a quotation is open"
        if mark == "quote"
        else "a bracket is open"
        if mark == "depth1"
        else "several brackets are open"
        for mark in marks
    ]
    return words if not opened else f"{words} ({', '.join(opened)})"
