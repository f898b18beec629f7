"""Synthetic cuts: every prefix of a complete turn, and whether it happens to end where a sentence ends.

This file does not ask the detector what a sentence end is: it looks at both sides of the cut, which a detector cannot.
"""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

_CLOSERS = "\"'”’»)]}*_~`"
_TERMINATORS = ".!?…"
_BLANK_END = re.compile(r"(?:\s|\\[nrt])*")
_LINE_BREAK = re.compile(r"\n|\\n")
_NUMBER_OF_LIST = re.compile(r"[ \t>*_-]*\d{1,3}\.\Z")
_NO_END_BEHIND = re.compile(r"(?:^|[\s(\"'“])(?:e\.g|i\.e|vs|mr|mrs|ms|dr)\.\Z", re.IGNORECASE)


class Boundary(StrEnum):
    """Where a turn is cut."""

    WORD = "word"
    CHARACTER = "character"


class Cut(NamedTuple):
    """A prefix of a turn. `at_sentence_end`: the reader of the whole turn sees a sentence end there."""

    text: str
    boundary: Boundary
    at_sentence_end: bool


def cut_everywhere(text: str, boundary: Boundary) -> Iterator[Cut]:
    """Every prefix that ends at such a boundary, holds something, and lacks something of the turn."""
    whole = len(_without_blank_end(text))
    for position in _positions(text, whole, boundary):
        prefix = text[:position]
        if _without_blank_end(prefix):
            yield Cut(text=prefix, boundary=boundary, at_sentence_end=is_sentence_end(text, position))


def is_sentence_end(text: str, position: int) -> bool:
    """Whether the cut falls behind a whole sentence with all its closing marks.

    A dot inside a number, an abbreviation, a web address or an ellipsis is none, nor is one before a closing quote that is
    still to come, nor a mark after which the sentence goes on in lower case.
    """
    prefix = _without_blank_end(text[:position])
    bare = prefix[-200:].replace('\\"', '"').rstrip(_CLOSERS)
    if not bare or bare[-1] not in _TERMINATORS:
        return False
    line = _LINE_BREAK.split(bare[-40:])[-1]
    if _NUMBER_OF_LIST.fullmatch(line) or _NO_END_BEHIND.search(bare[-12:]):
        return False
    rest = text[len(prefix) :]
    blank = _BLANK_END.match(rest)
    following = rest[blank.end() :] if blank else rest
    if not following:
        return True
    return following != rest and not following[0].islower()


def _positions(text: str, whole: int, boundary: Boundary) -> Iterator[int]:
    if boundary is Boundary.CHARACTER:
        yield from range(1, whole)
        return
    for word in re.finditer(r"(?:(?!\\[nrt])\S)+", text):
        if word.end() < whole:
            yield word.end()


def _without_blank_end(text: str) -> str:
    stripped = text.rstrip()
    while stripped.endswith(("\\n", "\\r", "\\t")):
        stripped = stripped[:-2].rstrip()
    return stripped
