"""Was this text cut off? Judged from the text alone, one turn at a time.

The rule is an allow-list: a turn must end as finished prose ends, with a sentence end outside every open quotation, bracket
and emphasis, or with one of the few closings that need no full stop. All 216 complete turns of the evaluation set end so;
a paid reply that ends otherwise is cheaper to lose (about four cents) than to train on.

What cannot be known from the text: a cut right behind a full sentence, or inside "4.5" behind the point. For those the
verdict has stop_reason and the JSON around the turn.
"""

import re
from collections.abc import Iterable
from typing import Protocol

from core.domain.record import Record
from core.domain.verdict.closings import (
    CLOSERS,
    TERMINATORS,
    ends_with_emoticon,
    fences_are_closed,
    last_line,
    needs_no_full_stop,
)
from core.domain.verdict.conversation import Role
from core.domain.verdict.verdict import Confidence, FailurePattern


class TruncationResult(Record):
    """Whether a text is cut, and how that shows. `pattern` is None where the text is whole."""

    is_truncated: bool
    pattern: FailurePattern | None
    details: str
    confidence: Confidence


class SpokenTurn(Protocol):
    """What the detector needs of a turn, so that imported files need not invent emotions."""

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
_OPENER_PATTERNS = {
    "(": FailurePattern.OPEN_PAREN,
    "[": FailurePattern.OPEN_BRACKET,
    "{": FailurePattern.OPEN_BRACE,
    "“": FailurePattern.LONG_UNCLOSED_STRING,
    "‘": FailurePattern.LONG_UNCLOSED_STRING,
    "«": FailurePattern.LONG_UNCLOSED_STRING,
}
_BRACKET_PAIRS = {"(": ")", "[": "]", "{": "}"}
_OPENERS = {closer: opener for opener, closer in _BRACKET_PAIRS.items()}
# Marks that only open or only close. German opens with „ and closes with what opens in English.
_QUOTATION_PAIRS = (("«", "»"), ("「", "」"), ("『", "』"), ("（", "）"))
_EMOTICON_EYES = frozenset(":;=")

_LONGEST_ABBREVIATION = 12
_PARAGRAPH_BREAK = re.compile(r"\n[ \t]*\n")
_MARKS = re.compile(r"[\"„“”(){}\[\]]|\*\*+")

_LIST_MARKER = re.compile(r"[ \t>*_-]*(?:\d{1,3}|[A-Za-z])\.\Z")
# Behind these a full stop ends no sentence; "etc.", "Inc." and "p.m." can end one, and so can "Part D." and "Plan B.".
# A single letter is half of "e.g.", "a.m." or "U.S.", while "I." and "Plan A." end sentences.
_ABBREVIATION = re.compile(
    r"(?:(?<![\w.])(?:(?i:e\.g|i\.e|vs|cf|viz|approx|incl|esp|mr|mrs|ms|dr|prof|messrs|dept|jan|feb|aug|sept|oct|nov)|[eiapU])|(?<=\d)[ap]|\bwww)\.\Z"
)
_HEADING = re.compile(r" {0,3}#{1,6}\s")


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


def detect_truncated_content(text: str) -> TruncationResult:
    """Judge the content of one turn, whoever speaks.

    Blank text counts as not truncated: that nothing was said is a failure of its own, which the verdict finds.
    """
    visible = _strip_blank_end(text)
    if not visible:
        return _EMPTY
    pattern = _escape_at_end(visible)
    if pattern is not None:
        return _TRUNCATED[pattern]

    prose = _resolve_literal_escapes(visible)
    paragraph = _last_paragraph(prose)
    pattern = _opener_at_end(paragraph)
    if pattern is not None:
        return _TRUNCATED[pattern]
    pattern = _unfinished_end(paragraph)
    if pattern is not None and needs_no_full_stop(prose):
        return _CLOSING
    pattern = pattern or _still_open(prose, paragraph)
    return _FINISHED if pattern is None else _TRUNCATED[pattern]


def detect_truncated_turns(turns: Iterable[SpokenTurn]) -> tuple[TruncatedTurn, ...]:
    """All turns that are cut, user turns too: a third of the predecessor's cut turns were the user's."""
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
    """Without blanks at either end, and without the literal line breaks that over-escaped text ends with."""
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
    paragraph = _last_paragraph(_resolve_literal_escapes(visible))
    return visible[-3:-2] in tuple(TERMINATORS) and paragraph.count('"') % 2 == 0


def _resolve_literal_escapes(text: str) -> str:
    """Over-escaped text is corruption, but not truncation: read it as it was meant."""
    if "\\" not in text:
        return text
    return text.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\n").replace('\\"', '"')


def _last_paragraph(prose: str) -> str:
    """Where an open quotation or bracket counts.

    Emphasis and brackets do not outlive a paragraph, and a quotation that runs over several is opened again in each.
    """
    start = 0
    for found in _PARAGRAPH_BREAK.finditer(prose):
        start = found.end()
    return prose[start:]


def _opener_at_end(paragraph: str) -> FailurePattern | None:
    last, before = paragraph[-1], paragraph[-2:-1]
    stands_free = before == "" or before.isspace()
    if last in "([" and ends_with_emoticon(paragraph):
        return None
    if last in _OPENER_PATTERNS and not (last in "“«" and before in tuple(TERMINATORS)):  # „So schließt Deutsch.“
        return _OPENER_PATTERNS[last]
    if last in "\"'" and (stands_free or before in "([{"):
        return FailurePattern.LONG_UNCLOSED_STRING
    if last in "*_`" and _stands_free(paragraph, paragraph.rstrip("*_`")):
        return FailurePattern.OPEN_MARKUP if "```" not in last_line(paragraph) else None
    return None


def _stands_free(paragraph: str, stripped: str) -> bool:
    return len(stripped) < len(paragraph) and (stripped == "" or stripped[-1].isspace())


def _unfinished_end(paragraph: str) -> FailurePattern | None:
    """Whether the last words, apart from closing quotes and brackets, end no sentence."""
    bare = paragraph.rstrip(CLOSERS)
    if paragraph.endswith("»"):
        bare = bare.rstrip()  # French puts a blank before it.
    if not bare:
        return FailurePattern.NO_PUNCTUATION
    last = bare[-1]
    if last in TERMINATORS:
        return FailurePattern.NO_PUNCTUATION if _is_false_stop(bare) else None
    if last in ",，、":
        return FailurePattern.TRAILING_COMMA
    if last in ":：":
        return FailurePattern.TRAILING_COLON
    # Behind a closing mark the word is whole, but the sentence is not.
    return FailurePattern.MID_WORD if last.isalpha() and bare == paragraph else FailurePattern.NO_PUNCTUATION


def _is_false_stop(bare: str) -> bool:
    """The dot belongs to a list number, an abbreviation or half an ellipsis, or to a heading with nothing under it."""
    tail, line = bare[-_LONGEST_ABBREVIATION:], last_line(bare)
    return (
        (tail.endswith("..") and not tail.endswith("..."))
        or _ABBREVIATION.search(tail) is not None
        or _LIST_MARKER.fullmatch(line) is not None
        or _HEADING.match(line) is not None
    )


def _still_open(prose: str, paragraph: str) -> FailurePattern | None:
    """The innermost construct that the last paragraph opens and does not close, though it ends with a sentence."""
    if "```" in prose and not fences_are_closed(prose):
        return FailurePattern.OPEN_MARKUP
    opened = dict.fromkeys(_BRACKET_PAIRS, 0)
    in_quotation = in_bold = False
    is_german = "„" in paragraph
    last = len(paragraph)
    for found in _MARKS.finditer(paragraph):
        start, end = found.span()
        mark = paragraph[start]
        before = paragraph[start - 1] if start else ""
        after = paragraph[end] if end < last else ""
        if mark in opened:
            if before not in _EMOTICON_EYES:
                opened[mark] += 1
        elif mark in _OPENERS:
            if opened[_OPENERS[mark]]:
                opened[_OPENERS[mark]] -= 1
        elif mark == "*":
            in_bold = _opens_bold(before, after, in_bold=in_bold)
        else:
            in_quotation = mark == "„" or _opens_quotation(
                mark, before, after, in_quotation=in_quotation, closes_german=is_german
            )
    if in_quotation or any(paragraph.count(opener) > paragraph.count(closer) for opener, closer in _QUOTATION_PAIRS):
        return FailurePattern.LONG_UNCLOSED_STRING
    unclosed = next((bracket for bracket, depth in opened.items() if depth), None)
    if unclosed is not None:
        return _OPENER_PATTERNS[unclosed]
    return FailurePattern.OPEN_MARKUP if in_bold else None


def _opens_quotation(mark: str, before: str, after: str, *, in_quotation: bool, closes_german: bool) -> bool:
    """Whether a quotation is open behind this mark.

    A straight mark opens behind a blank or a bracket. Behind a dash or a star it does what is due, and behind anything
    else it closes, or is an inch mark.
    """
    if mark != '"':
        return mark == "“" and not closes_german
    if after == "" or after.isspace():
        return False
    if before == "" or before.isspace() or before in "([{>‘":
        return True
    return before in "—–-/*_'" and not in_quotation


def _opens_bold(before: str, after: str, *, in_bold: bool) -> bool:
    """`**` opens before a character and closes behind one; between blanks, or inside a formula, it is neither."""
    if in_bold:
        return before == "" or before.isspace()
    is_opening = after != "" and not after.isspace()
    return is_opening and not before.isalnum() and before != ")"
