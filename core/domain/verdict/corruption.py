"""Is the text of a turn damaged, though it may be whole?"""

import re

from core.domain.record import Record
from core.domain.verdict.verdict import FailurePattern


class Corruption(Record):
    """Damage in a text: its kind in words, and the place with what stands around it."""

    pattern: FailurePattern
    details: str
    excerpt: str


# Escapes of JSON and Python as two characters each: the sign of text that was escaped twice. Other text with such sequences
# (a Windows path, a line of code) is so rare here that it may fail.
_ESCAPED_TEXT = re.compile(
    r"\\(?:[\"'\\/]|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[ntr](?![a-z]*[{_^])|[bf](?=\s|[A-Z\\]|$))"
)
# LaTeX commands start with the same letters. They pass in a text with formulas, and with an argument anywhere.
_FORMULA = re.compile(r"\\[(\[]|\$\$|\\begin\{|\$(?=\S)[^$\n]{0,120}\\[a-z]+[^$\n]{0,120}(?<=\S)\$(?!\d)")
_ESCAPED_TEXT_AMONG_FORMULAS = re.compile(
    r"\\(?:[\"'/]|u[0-9a-fA-F]{4}|n(?!eq?\b|abla\b|u\b|ot\b|eg\b)|"
    r"t(?!imes\b|ext|heta\b|au\b|o\b|an\b|frac\b|ilde\b|riangle|op\b)|"
    r"r(?!ight|ho\b|angle\b|ceil\b|floor\b|m\b)|[bf](?=\s|[A-Z]|$))"
)
# Replacement and control characters, and UTF-8 that was read as Latin-1 or Windows-1252.
_BROKEN_CHARACTER = re.compile(r"[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MANGLED_SIGN = re.compile(r"â(?:€|‚¬|\x80)|ðŸ")
# The second byte of a letter as Latin-1 or Windows-1252 reads it.
_MANGLED_LETTER = re.compile(r"[ÃÂ][\x80-\xbfŒœŠšŽžŸƒˆ˜–—‘’‚“”„†‡•…‰‹›€™]")
_PLACEHOLDER = re.compile(r"\{\{\s{0,9}[\w.-]{1,80}\s{0,9}\}\}")
_BARE_PLACEHOLDER = re.compile(r"(?<![\\\w${])\{[a-z]+(?:_[a-z]+)*\}(?!\})")
# An advisor may well dictate a letter with blanks to fill; these are ours.
_BLANK_TO_FILL = re.compile(r"\[(?:INSERT [A-Z ]{2,40}|(?i:(?:client|persona|advisor|user)(?:'s)? name))\](?!\()")

_BROKEN_ENCODING = "holds characters of a broken encoding"
_NEVER_FILLED = "holds a placeholder that was never filled"
# Each search needs the sign in the first column, which spares nearly every text the search.
_KINDS = (
    ("", _BROKEN_CHARACTER, FailurePattern.GARBLED_TEXT, _BROKEN_ENCODING),
    ("â", _MANGLED_SIGN, FailurePattern.GARBLED_TEXT, _BROKEN_ENCODING),
    ("ð", _MANGLED_SIGN, FailurePattern.GARBLED_TEXT, _BROKEN_ENCODING),
    ("Ã", _MANGLED_LETTER, FailurePattern.GARBLED_TEXT, _BROKEN_ENCODING),
    ("Â", _MANGLED_LETTER, FailurePattern.GARBLED_TEXT, _BROKEN_ENCODING),
    ("{{", _PLACEHOLDER, FailurePattern.UNFILLED_PLACEHOLDER, _NEVER_FILLED),
    ("{", _BARE_PLACEHOLDER, FailurePattern.UNFILLED_PLACEHOLDER, _NEVER_FILLED),
    ("[", _BLANK_TO_FILL, FailurePattern.UNFILLED_PLACEHOLDER, _NEVER_FILLED),
)
_CONTEXT = 30


def find_corruption(text: str) -> Corruption | None:
    """The first damage found, the likeliest kind first."""
    if "\\" in text:
        form = _ESCAPED_TEXT_AMONG_FORMULAS if _FORMULA.search(text) else _ESCAPED_TEXT
        found = form.search(text)
        if found:
            return _describe(text, found, FailurePattern.ESCAPED_TEXT, "holds an escape sequence as plain text")
    for sign, form, pattern, details in _KINDS:
        found = form.search(text) if sign in text else None
        if found:
            return _describe(text, found, pattern, details)
    return None


def _describe(text: str, found: re.Match[str], pattern: FailurePattern, details: str) -> Corruption:
    start, end = max(0, found.start() - _CONTEXT), found.end() + _CONTEXT
    return Corruption(pattern=pattern, details=details, excerpt=" ".join(text[start:end].split()))
