"""What the end of a text opens without closing it: quotations, brackets, emphasis, code blocks and tags."""

import re
from collections import Counter

from core.domain.verdict.closings import fences_are_closed, last_line
from core.domain.verdict.prose import blank_code
from core.domain.verdict.verdict import FailurePattern

OPENER_PATTERNS = {
    "(": FailurePattern.OPEN_PAREN,
    "[": FailurePattern.OPEN_BRACKET,
    "{": FailurePattern.OPEN_BRACE,
    "“": FailurePattern.LONG_UNCLOSED_STRING,
    "‘": FailurePattern.LONG_UNCLOSED_STRING,
    "«": FailurePattern.LONG_UNCLOSED_STRING,
    "（": FailurePattern.OPEN_PAREN,
    "「": FailurePattern.LONG_UNCLOSED_STRING,
    "『": FailurePattern.LONG_UNCLOSED_STRING,
    "《": FailurePattern.LONG_UNCLOSED_STRING,
    "【": FailurePattern.OPEN_BRACKET,
}
# A bracket that was opened in one width may be closed in the other.
_NARROW = dict(zip("（）［］｛｝", "()[]{}", strict=True))
_BRACKET_PAIRS = {"(": ")", "[": "]", "{": "}"}
_OPENERS = {closer: opener for opener, closer in _BRACKET_PAIRS.items()}
# A half-open interval is closed by the other kind: [0, 5) and (0, 5].
_OTHER_OPENER = {")": "[", "]": "("}
# Marks that only open or only close. German opens with „ and closes with what opens in English.
_QUOTATION_PAIRS = (("«", "»"), ("「", "」"), ("『", "』"), ("《", "》"), ("【", "】"), ("〈", "〉"), ("‹", "›"))
_EMOTICON_EYES = frozenset(":;=")
_PARAGRAPH_BREAK = re.compile(r"\n[ \t]*\n")
_MARKS = re.compile(r"[\"„“”(){}\[\]（）［］｛｝]|\*\*+")
_TAG = re.compile(
    r"<(/?)(a|article|b|body|button|code|div|em|form|h[1-6]|head|html|i|ol|p|pre|script|section|select|span|strong|style|table|"
    r"tbody|td|th|thead|tr|u|ul|li)\b[^<>]*(/?)>",
    re.IGNORECASE,
)
_OPTIONAL_CLOSERS = frozenset({"li", "p", "td", "th", "tr", "tbody", "thead"})


def last_paragraph(prose: str) -> str:
    """Where an open quotation or bracket counts.

    Emphasis and brackets do not outlive a paragraph, and a quotation that runs over several is opened again in each.
    """
    start = 0
    for found in _PARAGRAPH_BREAK.finditer(prose):
        start = found.end()
    return prose[start:]


def find_opening(prose: str, paragraph: str) -> FailurePattern | None:
    """Return the innermost construct that the last paragraph of a text opens and does not close."""
    if ("```" in prose or "~~~" in prose) and not fences_are_closed(prose):
        return FailurePattern.OPEN_MARKUP
    if "`" in prose:
        paragraph = last_paragraph(blank_code(prose))
    opened = dict.fromkeys(_BRACKET_PAIRS, 0)
    in_quotation = in_bold = False
    is_german = "„" in paragraph
    last = len(paragraph)
    for found in _MARKS.finditer(paragraph):
        start, end = found.span()
        mark = _NARROW.get(paragraph[start], paragraph[start])
        before = paragraph[start - 1] if start else ""
        after = paragraph[end] if end < last else ""
        if mark in opened:
            if before not in _EMOTICON_EYES:
                opened[mark] += 1
        elif mark in _OPENERS:
            opener = _OPENERS[mark] if opened[_OPENERS[mark]] else _OTHER_OPENER.get(mark, _OPENERS[mark])
            opened[opener] = max(0, opened[opener] - 1)
        elif mark == "*":
            in_bold = _opens_bold(before, after, in_bold=in_bold)
        else:
            in_quotation = mark == "„" or _opens_quotation(
                mark, before, after, in_quotation=in_quotation, closes_german=is_german
            )
    if in_quotation or (not paragraph.isascii() and _leaves_quotation_open(paragraph)):
        return FailurePattern.LONG_UNCLOSED_STRING
    unclosed = next((bracket for bracket, depth in opened.items() if depth), None)
    if unclosed is not None:
        return OPENER_PATTERNS[unclosed]
    is_bold_open = in_bold and paragraph.count("**") % 2 == 1
    return FailurePattern.OPEN_MARKUP if is_bold_open or ("<" in prose and _leaves_tag_open(prose)) else None


def _leaves_quotation_open(paragraph: str) -> bool:
    return any(paragraph.count(opener) > paragraph.count(closer) for opener, closer in _QUOTATION_PAIRS)


def _opens_quotation(mark: str, before: str, after: str, *, in_quotation: bool, closes_german: bool) -> bool:
    """Whether a quotation is open after this mark.

    A straight mark opens after a blank or a bracket. After a dash or a star it does whichever is due, and after anything
    else it closes, or is an inch mark.
    """
    if mark == "“":
        closes_low = in_quotation and before.isalnum() and not after.isalnum()  # “As some keyboards write it“
        return not closes_german and not closes_low
    if mark != '"':
        return False
    if after == "" or after.isspace():
        return False
    if before == "" or before.isspace() or before in "([{>‘（":
        return True
    return before in "—–-/*_':：，、" and not in_quotation


def _opens_bold(before: str, after: str, *, in_bold: bool) -> bool:
    """`**` opens before a character and closes behind one; between blanks, or inside a formula, it is neither."""
    if in_bold:
        return before == "" or before.isspace()
    is_opening = after != "" and not after.isspace()
    return is_opening and not before.isalnum() and before != ")"


def _leaves_tag_open(prose: str) -> bool:
    """HTML as a text, not words about a tag: it begins with one, or its last line closes one."""
    if not (prose.startswith("<") or "</" in last_line(prose)):
        return False
    depth: Counter[str] = Counter()
    for closes, name, closes_itself in _TAG.findall(prose):
        if not closes_itself:
            depth[name.lower()] += -1 if closes else 1
    return any(count > 0 and name not in _OPTIONAL_CLOSERS for name, count in depth.items())
