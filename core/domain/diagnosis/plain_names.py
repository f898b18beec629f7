"""The plain names of failure types, patterns and stop reasons: what pages show; links, files and the API hold the codes."""

from enum import StrEnum
from typing import TypeVar, assert_never

from core.domain.verdict.reply import StopReason
from core.domain.verdict.verdict import FailurePattern, FailureType

NONE = "none"
"""The code of a missing stop_reason or pattern in counts and filters."""
NO_PATTERN, NO_STOP_REASON, NO_REPLY = "No pattern", "No stop reason", "No reply"
Code = TypeVar("Code", bound=StrEnum)


def name_failure_type(code: str) -> str:
    """Return the plain name of a failure type."""
    known = _find_member(FailureType, code)
    return code if known is None else _name_failure_type(known)


def name_pattern(code: str | None) -> str:
    """Return the plain name of a pattern."""
    if code is None or code == NONE:
        return NO_PATTERN
    known = _find_member(FailurePattern, code)
    return code if known is None else _name_pattern(known)


def name_stop_reason(code: str | None) -> str:
    """Return the plain name of a stop_reason; one that only a later API knows is named by its code."""
    if code is None or code == NONE:
        return NO_STOP_REASON
    known = _find_member(StopReason, code)
    return code if known is None else _name_stop_reason(known)


def name_call_end(code: str | None) -> str:
    """Return the plain name of how a call ended: its stop_reason, or that it brought no reply."""
    return NO_REPLY if code is None or code == NONE else name_stop_reason(code)


def add_code(name: str, code: str | None) -> str:
    """Return a plain name with its code, as `Cut mid-word (mid_word)`, for tooltips."""
    return name if code is None or code in (NONE, name) else f"{name} ({code})"


def _find_member(codes: type[Code], code: str) -> Code | None:
    return next((member for member in codes if member.value == code), None)


def _name_failure_type(failure_type: FailureType) -> str:
    match failure_type:
        case FailureType.TRUNCATION:
            return "Cut off"
        case FailureType.PARSE_ERROR:
            return "Not valid JSON"
        case FailureType.VALIDATION_ERROR:
            return "Wrong structure"
        case FailureType.API_ERROR:
            return "No usable reply"
        case FailureType.REFUSAL:
            return "Declined"
        case FailureType.CORRUPTION:
            return "Damaged text"
        case _:
            assert_never(failure_type)


def _name_pattern(pattern: FailurePattern) -> str:  # noqa: PLR0912, C901 - one name for each pattern
    match pattern:
        case FailurePattern.ESCAPED_QUOTE:
            return "Cut at an escaped quote"
        case FailurePattern.LONE_BACKSLASH:
            return "Cut at a quotation"
        case FailurePattern.MID_WORD:
            return "Cut mid-word"
        case FailurePattern.TRAILING_COMMA:
            return "Cut at a comma"
        case FailurePattern.TRAILING_COLON:
            return "Cut at a colon"
        case FailurePattern.OPEN_PAREN:
            return "Open parenthesis"
        case FailurePattern.OPEN_BRACKET:
            return "Open square bracket"
        case FailurePattern.OPEN_BRACE:
            return "Open brace"
        case FailurePattern.LONG_UNCLOSED_STRING:
            return "Open quotation"
        case FailurePattern.OPEN_MARKUP:
            return "Open bold text or code"
        case FailurePattern.NO_PUNCTUATION:
            return "No end of sentence"
        case FailurePattern.UNEXPECTED_STOP_REASON:
            return "Stopped early"
        case FailurePattern.EMPTY:
            return "Nothing said"
        case FailurePattern.ESCAPED_TEXT:
            return "Escape codes in text"
        case FailurePattern.GARBLED_TEXT:
            return "Broken characters"
        case FailurePattern.UNFILLED_PLACEHOLDER:
            return "Unfilled placeholder"
        case FailurePattern.CHAT_MARKUP:
            return "Chat tokens in text"
        case _:
            assert_never(pattern)


def _name_stop_reason(stop_reason: StopReason) -> str:
    match stop_reason:
        case StopReason.END_TURN:
            return "Finished normally"
        case StopReason.MAX_TOKENS:
            return "Reached max tokens"
        case StopReason.STOP_SEQUENCE:
            return "Stop sequence"
        case StopReason.TOOL_USE:
            return "Tool call"
        case StopReason.PAUSE_TURN:
            return "Paused turn"
        case StopReason.REFUSAL:
            return "Declined"
        case StopReason.MODEL_CONTEXT_WINDOW_EXCEEDED:
            return "Context window full"
        case _:
            assert_never(stop_reason)
