"""Summarise an HTML or XML page in a few words: servers and proxies answer with pages, and nobody wants to read markup."""

import re
from enum import StrEnum
from html import unescape
from html.parser import HTMLParser

from core.domain.record import Record

READ_AT_MOST = 65_536
"""How many characters of a page are read; titles are near its top."""
_INLINE = frozenset({"a", "abbr", "b", "code", "em", "font", "i", "small", "span", "strong", "u"})
_UNSEEN = frozenset({"script", "style", "noscript", "template", "svg"})
_ELEMENTS = (
    "html|head|body|title|meta|link|script|style|noscript|template|base|h[1-6]|p|br|hr|div|span|a|b|i|u|em|strong|small|font|center|pre"
    "|code|blockquote|ul|ol|li|dl|dt|dd|table|thead|tbody|tr|td|th|form|input|button|label|select|option|textarea|img|svg|iframe|object"
    "|embed|video|audio|canvas|header|footer|main|nav|section|article|aside"
)
_HTML = re.compile(rf"<(?:!doctype\s+html|!--|/?(?:{_ELEMENTS})(?=[\s/>]))", re.IGNORECASE)
_WHOLE_PAGE = re.compile(r"<(?:!doctype\s+html|html|head|body|title)\b", re.IGNORECASE)
_XML = re.compile(r"<\?xml\b|<!DOCTYPE\b", re.IGNORECASE)
_ROOT = re.compile(r"<[A-Za-z][\w.:-]*[\s/>]")
_MARK = re.compile(r"<[^<>]{0,200}>|<")
_MOST_ESCAPES = 3
"""How often markup may be escaped by servers that pass it on."""
_JSON_ESCAPE = re.compile(r"\\{1,8}u(003[ce]|0026)", re.IGNORECASE)
_MOST_BEFORE = 200
_MOST_WORDS_BEFORE = 3


class Markup(StrEnum):
    """The markup that a text is written in."""

    PAGE = "an HTML page"
    FRAGMENT = "HTML"
    XML = "an XML document"


class MarkedText(Record):
    """A text with markup: what comes before it, the words to show, and everything that a reader would see."""

    markup: Markup
    before: str
    shown: str
    seen: str

    @property
    def is_answer(self) -> bool:
        """Whether the markup is the answer, after at most a few words of a proxy; a sentence may mention an element."""
        return self.markup is not Markup.FRAGMENT or len(self.before.split()) <= _MOST_WORDS_BEFORE

    def describe(self) -> str:
        """Return the readable text."""
        return f"{self.before} {self.markup} ({self.shown or 'without words'})".lstrip()


def read_marked(text: str) -> MarkedText | None:
    """Read a text that contains HTML or is XML, whatever its content type; None for any other."""
    looked_at = text[:READ_AT_MOST]
    for _ in range(_MOST_ESCAPES):
        if "<" not in looked_at:
            looked_at = _JSON_ESCAPE.sub(lambda found: chr(int(found[1], 16)), unescape(looked_at))
    found = _find_markup(looked_at)
    if found is None:
        return None
    markup, start = found
    marked = looked_at[start:]
    words = _collect_words(marked)
    return MarkedText(
        markup=markup,
        before=" ".join(looked_at[:start].lstrip("\ufeff").split())[-_MOST_BEFORE:],
        shown=words.shown,
        seen=words.seen,
    )


def describe_plainly(text: str) -> str:
    """Return the text, or its readable part if it has markup."""
    marked = read_marked(text)
    return text if marked is None else marked.describe()


def _find_markup(text: str) -> tuple[Markup, int] | None:
    start = len(text) - len(text.lstrip("\ufeff \t\r\n"))
    html = _HTML.search(text)
    if _XML.match(text, start) or _is_document(text, start):
        is_page = _WHOLE_PAGE.search(text[:2000]) is not None
        return (Markup.PAGE if is_page else Markup.XML), start
    if html is None:
        return None
    is_page = _WHOLE_PAGE.search(text, html.start()) is not None or html.group().startswith("<!")
    return (Markup.PAGE if is_page else Markup.FRAGMENT), html.start()


def _is_document(text: str, start: int) -> bool:
    """Whether a text is XML without a declaration: its elements have names that HTML does not have."""
    return _ROOT.match(text, start) is not None and _HTML.match(text, start) is None and ("</" in text or "/>" in text)


class _Words(Record):
    shown: str
    seen: str


def _collect_words(text: str) -> _Words:
    reader = _PageReader()
    reader.feed(text)
    title, heading, seen = (_join(parts) for parts in (reader.title, reader.heading, reader.text))
    return _Words(shown=title or heading or seen, seen=seen)


class _PageReader(HTMLParser):
    """Collects the text of a page by where it is."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.heading: list[str] = []
        self.text: list[str] = []
        self._inside: str | None = None
        self._unseen: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the library's signature
        self._part(tag)
        if tag in _UNSEEN:
            self._unseen = self._unseen or tag
        elif tag in ("title", "h1", "h2"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._part(tag)
        if tag == self._unseen:
            self._unseen = None
        if tag == self._inside:
            self._inside = None

    def handle_data(self, data: str) -> None:
        if self._unseen is not None:
            return
        match self._inside:
            case "title":
                self.title.append(data)
            case "h1" | "h2":
                self.heading.append(data)
            case _:
                pass
        self.text.append(data)

    def _part(self, tag: str) -> None:
        """Separate what a browser would not show as one word."""
        if tag not in _INLINE:
            self.text.append(" ")


def _join(parts: list[str]) -> str:
    """Join the parts; markup that was written as entities is dropped, too."""
    return " ".join(_MARK.sub(" ", "".join(parts)).split())
