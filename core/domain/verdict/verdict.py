"""The judgement on a reply: accepted with its conversation, or failed with the diagnosis."""

from enum import StrEnum

from core.domain.record import Record
from core.domain.verdict.conversation import Conversation


class FailureType(StrEnum):
    """The kind of failure."""

    TRUNCATION = "truncation"  #: cut off, by a limit or inside a turn
    PARSE_ERROR = "parse_error"  #: not the JSON that was asked for
    VALIDATION_ERROR = "validation_error"  #: JSON, but not a usable conversation
    API_ERROR = "api_error"  #: no usable reply at all
    REFUSAL = "refusal"  #: Claude declined
    CORRUPTION = "corruption"  #: whole, but its text is damaged: literal escapes, mangled characters, unfilled placeholders


class FailurePattern(StrEnum):
    """The named way in which a reply failed; up to no_punctuation they are ways in which text is cut."""

    ESCAPED_QUOTE = "escaped_quote"
    LONE_BACKSLASH = "lone_backslash"
    MID_WORD = "mid_word"
    TRAILING_COMMA = "trailing_comma"
    TRAILING_COLON = "trailing_colon"
    OPEN_PAREN = "open_paren"
    OPEN_BRACKET = "open_bracket"
    OPEN_BRACE = "open_brace"
    LONG_UNCLOSED_STRING = "long_unclosed_string"
    OPEN_MARKUP = "open_markup"
    NO_PUNCTUATION = "no_punctuation"
    UNEXPECTED_STOP_REASON = "unexpected_stop_reason"
    EMPTY = "empty"
    ESCAPED_TEXT = "escaped_text"
    GARBLED_TEXT = "garbled_text"
    UNFILLED_PLACEHOLDER = "unfilled_placeholder"
    CHAT_MARKUP = "chat_markup"


class Confidence(StrEnum):
    """How sure the judgement is."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    def reaches(self, least: "Confidence") -> bool:
        """Whether it is at least as sure."""
        order = list(Confidence)
        return order.index(self) <= order.index(least)


class Accepted(Record):
    """The reply holds a whole conversation."""

    conversation: Conversation


class Failed(Record):
    """The reply must not reach the training data. `turn_index` counts from 0; None where no single turn is to blame."""

    failure_type: FailureType
    pattern: FailurePattern | None = None
    confidence: Confidence
    details: str
    turn_index: int | None = None


Verdict = Accepted | Failed
