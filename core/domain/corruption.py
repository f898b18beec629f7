"""Is the text of a turn damaged, though it may be whole?"""

import re

from core.domain.record import Record
from core.domain.verdict import FailurePattern


class Corruption(Record):
    """Damage in a text: its kind in words, and the place with what stands around it."""

    pattern: FailurePattern
    details: str
    excerpt: str


# JSON's escapes as two characters each: the sign of text that was escaped twice. LaTeX commands start with the same letters
# and are let through; other text with such sequences (a Windows path, a line of code) is so rare here that it may fail.
_ESCAPED_TEXT = re.compile(
    r"\\(?:[\"\\/]|u[0-9a-fA-F]{4}|"
    r"n(?!eq?\b|abla\b|u\b|ot\b|eg\b)|"
    r"t(?!imes\b|ext|heta\b|au\b|o\b|an\b|frac\b|ilde\b|riangle|op\b)|"
    r"r(?!ight|ho\b|angle\b|ceil\b|floor\b|m\b)|"
    r"[bf](?=\s|[A-Z\\]|$))"
)
# Replacement and control characters, and UTF-8 that was read as Latin-1 or Windows-1252.
_BROKEN_CHARACTER = re.compile(r"[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MANGLED_QUOTE = re.compile(r"â€[™œ\x9c\x9d“”¦˜]")
_MANGLED_LETTER = re.compile(r"Ã[©¨¡±¶¼³§]|Â[£\xa0]")
_PLACEHOLDER = re.compile(r"\{\{ ?[\w.]{1,80} ?\}\}")

_BROKEN_ENCODING = "holds characters of a broken encoding"
# Each search needs the sign in the first column, which spares nearly every text the search.
_KINDS = (
    ("\\", _ESCAPED_TEXT, FailurePattern.ESCAPED_TEXT, "holds an escape sequence as plain text"),
    ("", _BROKEN_CHARACTER, FailurePattern.GARBLED_TEXT, _BROKEN_ENCODING),
    ("â€", _MANGLED_QUOTE, FailurePattern.GARBLED_TEXT, _BROKEN_ENCODING),
    ("Ã", _MANGLED_LETTER, FailurePattern.GARBLED_TEXT, _BROKEN_ENCODING),
    ("Â", _MANGLED_LETTER, FailurePattern.GARBLED_TEXT, _BROKEN_ENCODING),
    ("{{", _PLACEHOLDER, FailurePattern.UNFILLED_PLACEHOLDER, "holds a placeholder that was never filled"),
)
_CONTEXT = 30


def find_corruption(text: str) -> Corruption | None:
    """The first damage found, the likeliest kind first."""
    for sign, form, pattern, details in _KINDS:
        found = form.search(text) if sign in text else None
        if found:
            start, end = max(0, found.start() - _CONTEXT), found.end() + _CONTEXT
            return Corruption(pattern=pattern, details=details, excerpt=" ".join(text[start:end].split()))
    return None
