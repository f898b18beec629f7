"""Was this text cut off? Judged from the text alone, one turn at a time.

The rule is an allow-list: a turn must end as finished prose ends, with a sentence end outside every open quotation, bracket
and emphasis, or with one of the few closings that need no full stop. All 216 complete turns of the evaluation set end so;
a paid reply that ends otherwise is cheaper to lose (about four cents) than to train on.

What cannot be known from the text: a cut right behind a full sentence, or inside "4.5" behind the point. For those the
verdict has stop_reason and the JSON around the turn.
"""

from collections.abc import Iterable
from typing import Protocol

from core.domain.record import Record
from core.domain.verdict.closings import (
    CLOSERS,
    COLONS,
    COMMAS,
    TERMINATORS,
    ends_sentence,
    ends_with_blank_to_fill,
    ends_with_emoticon,
    last_line,
    needs_no_full_stop,
    says_that_it_is_cut,
    strip_closing_tags,
)
from core.domain.verdict.conversation import Role
from core.domain.verdict.endings import Ending, classify_unmarked_end, leads_on
from core.domain.verdict.false_stops import weigh_false_stop
from core.domain.verdict.openings import OPENER_PATTERNS, find_opening, last_paragraph
from core.domain.verdict.verdict import Confidence, FailurePattern


class TruncationResult(Record):
    """Whether a text is cut, and how that shows.

    `pattern` is None if the text is complete. `ending` describes the end if nothing is wrong except that no sentence ends
    there.
    """

    is_truncated: bool
    pattern: FailurePattern | None
    details: str
    confidence: Confidence
    ending: Ending | None = None


class SpokenTurn(Protocol):
    """The fields of a turn that the detector needs, so that imported files need not invent emotions."""

    @property
    def role(self) -> Role: ...

    @property
    def content(self) -> str: ...


class TruncatedTurn(Record):
    """A turn that is cut. `turn_index` counts from 0."""

    turn_index: int
    role: Role
    result: TruncationResult


_PATTERNS: dict[FailurePattern, tuple[str, Confidence]] = {
    FailurePattern.ESCAPED_QUOTE: ("Ends with an escaped quote", Confidence.HIGH),
    FailurePattern.LONE_BACKSLASH: ("Ends with a lone backslash, where a quotation was about to open", Confidence.HIGH),
    FailurePattern.MID_WORD: ("Ends in or behind a word, with no end of sentence", Confidence.MEDIUM),
    FailurePattern.TRAILING_COMMA: ("Ends with a comma", Confidence.MEDIUM),
    FailurePattern.TRAILING_COLON: ("Ends with a colon", Confidence.HIGH),
    FailurePattern.OPEN_PAREN: ("A parenthesis is still open", Confidence.MEDIUM),
    FailurePattern.OPEN_BRACKET: ("A square bracket is still open", Confidence.MEDIUM),
    FailurePattern.OPEN_BRACE: ("A brace is still open", Confidence.MEDIUM),
    FailurePattern.LONG_UNCLOSED_STRING: ("A quotation is still open", Confidence.HIGH),
    FailurePattern.OPEN_MARKUP: ("Bold text or a code block is still open", Confidence.MEDIUM),
    FailurePattern.NO_PUNCTUATION: ("Does not end as a sentence ends", Confidence.LOW),
}

_INVISIBLE = " \t\r\n\f\v\u00a0\u200b\u200c\u200d\u2060\ufeff"
_LITERAL_SPACES = ("\\n", "\\r", "\\t")
_APART = ("»", "∎", "□", "■")
"""Closing marks with a blank before them: of French quotations, and of proofs."""
_UNMARKED = (FailurePattern.MID_WORD, FailurePattern.NO_PUNCTUATION)
_TRUNCATED = {
    pattern: TruncationResult(is_truncated=True, pattern=pattern, details=details, confidence=confidence)
    for pattern, (details, confidence) in _PATTERNS.items()
}
_EMPTY = TruncationResult(is_truncated=False, pattern=None, details="Empty content", confidence=Confidence.LOW)
_FINISHED = TruncationResult(
    is_truncated=False, pattern=None, details="Ends with a finished sentence", confidence=Confidence.HIGH
)
_CLOSING = TruncationResult(
    is_truncated=False, pattern=None, details="Ends as a closing that needs no full stop", confidence=Confidence.LOW
)


def detect_truncated_content(text: str, speaker: Role | None = None) -> TruncationResult:
    """Judge the content of one turn. The speaker only affects the confidence: people ask without full stops.

    Blank text counts as not truncated: an empty turn is a failure of its own, which the verdict finds.
    """
    visible = _strip_blank_end(text)
    if not visible:
        return _EMPTY
    pattern = _escape_at_end(visible)
    if pattern is not None:
        return _TRUNCATED[pattern]

    if says_that_it_is_cut(visible):
        return _mark(FailurePattern.NO_PUNCTUATION, Confidence.HIGH)
    prose = _resolve_literal_escapes(visible)
    paragraph = last_paragraph(prose)
    pattern = _opener_at_end(paragraph)
    if pattern is not None:
        return _TRUNCATED[pattern]
    pattern, confidence = _find_unfinished_end(prose, paragraph)
    if pattern is not None and pattern not in _UNMARKED:
        is_lead = pattern is FailurePattern.TRAILING_COLON and speaker is Role.USER and leads_on(prose)
        return _mark(pattern, Confidence.LOW) if is_lead else _TRUNCATED[pattern]
    opening = find_opening(prose, paragraph)
    if pattern is None:
        return _FINISHED if opening is None else _TRUNCATED[opening]
    is_closing = needs_no_full_stop(prose)
    if opening is not None:  # An end that needs no full stop still has everything closed before it.
        return _TRUNCATED[opening] if is_closing else _mark(pattern, _TRUNCATED[opening].confidence)
    if is_closing:
        return _CLOSING
    if confidence is not None:
        return _mark(pattern, confidence)
    ending = classify_unmarked_end(prose, asks=speaker is Role.USER)
    return _TRUNCATED[pattern].model_copy(update={"confidence": ending.confidence, "ending": ending})


def detect_truncated_turns(turns: Iterable[SpokenTurn]) -> tuple[TruncatedTurn, ...]:
    """Return all cut turns, user turns too: a third of the predecessor's cut turns were the user's."""
    results = ((index, turn.role, detect_truncated_content(turn.content)) for index, turn in enumerate(turns))
    return tuple(
        TruncatedTurn(turn_index=index, role=role, result=result) for index, role, result in results if result.is_truncated
    )


def truncation_summary(result: TruncationResult) -> str:
    """One line for a log or a table."""
    if not result.is_truncated:
        return "✓ Content appears complete"
    sign = "⚠️" if result.confidence is Confidence.HIGH else "⚡"
    return f"{sign} Truncated: {result.details} ({result.confidence} confidence)"


def _strip_blank_end(text: str) -> str:
    """Return the text without blanks at either end, and without the literal line breaks that over-escaped text ends with."""
    end = len(text)
    while end > 0:
        if text[end - 1].isspace() or text[end - 1] in _INVISIBLE:
            end -= 1
        elif text.endswith(_LITERAL_SPACES, 0, end):
            end -= 2
        else:
            break
    return text[:end].lstrip(_INVISIBLE).lstrip()


def _escape_at_end(visible: str) -> FailurePattern | None:
    if visible.endswith('\\"'):
        return None if _closes_escaped_quotation(visible) else FailurePattern.ESCAPED_QUOTE
    if visible.endswith("\\"):
        return FailurePattern.LONE_BACKSLASH
    return None


def _closes_escaped_quotation(visible: str) -> bool:
    """Over-escaped speech that ends where its quotation ends is corrupted, but it is whole."""
    paragraph = last_paragraph(_resolve_literal_escapes(visible))
    return visible[-3:-2] in tuple(TERMINATORS) and paragraph.count('"') % 2 == 0


def _resolve_literal_escapes(text: str) -> str:
    """Over-escaped text is corruption, but not truncation: read it as it was meant."""
    if "\\" not in text:
        return text
    return text.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\n").replace('\\"', '"')


def _opener_at_end(paragraph: str) -> FailurePattern | None:
    last, before = paragraph[-1], paragraph[-2:-1]
    stands_free = before == "" or before.isspace()
    if (last in "([" and ends_with_emoticon(paragraph)) or ends_with_blank_to_fill(paragraph):
        return None
    closes = last == "“" and paragraph.count("„") >= paragraph.count("“")  # „So schließt Deutsch“
    if last in OPENER_PATTERNS and not closes and not (last in "“«" and before in tuple(TERMINATORS)):
        return OPENER_PATTERNS[last]
    if last in "\"'" and (stands_free or before in "([{"):
        return FailurePattern.LONG_UNCLOSED_STRING
    if last in "*_`" and _stands_free(paragraph, paragraph.rstrip("*_`")):
        return FailurePattern.OPEN_MARKUP if "```" not in last_line(paragraph) else None
    return None


def _stands_free(paragraph: str, stripped: str) -> bool:
    return len(stripped) < len(paragraph) and (stripped == "" or stripped[-1].isspace())


def _find_unfinished_end(prose: str, paragraph: str) -> tuple[FailurePattern | None, Confidence | None]:
    """Whether the last words, apart from closing quotes and brackets, end no sentence, and how sure a dot makes it."""
    if ends_with_emoticon(prose):
        return None, None
    bare = strip_closing_tags(paragraph).rstrip(CLOSERS)
    if paragraph.endswith(_APART):
        bare = bare.rstrip()
    last = bare[-1:]
    if not last:
        return FailurePattern.NO_PUNCTUATION, None
    if last in COMMAS:
        return FailurePattern.TRAILING_COMMA, None
    if last in COLONS:
        return FailurePattern.TRAILING_COLON, None
    if ends_sentence(bare):
        confidence = weigh_false_stop(bare)
        return None if confidence is None else FailurePattern.NO_PUNCTUATION, confidence
    # Behind a closing mark the word is whole, but the sentence is not.
    return FailurePattern.MID_WORD if last.isalpha() and bare == paragraph else FailurePattern.NO_PUNCTUATION, None


def _mark(pattern: FailurePattern, confidence: Confidence) -> TruncationResult:
    return _TRUNCATED[pattern].model_copy(update={"confidence": confidence})
