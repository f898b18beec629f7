"""What an HTML page says, in a few words: servers and proxies answer with pages, and nobody wants to read their markup."""

from html.parser import HTMLParser

READ_AT_MOST = 65_536
"""Characters of a page that are looked at; titles stand at its top."""
_UNSEEN = frozenset({"script", "style", "noscript", "template", "svg"})
_PAGE_BEGINNINGS = ("<!doctype html", "<html", "<head", "<body", "<title", "<h1", "<center", "<!--", "<?xml")


def is_page(text: str, content_type: str) -> bool:
    """Whether a body is a page for a browser, whatever its content type says."""
    beginning = text[:200].lstrip("\ufeff \t\r\n").lower()
    return beginning.startswith(_PAGE_BEGINNINGS) or ("html" in content_type.lower() and beginning.startswith("<"))


def read_page(text: str) -> str:
    """Return the title of a page, else its first heading, else its text; empty where it says nothing."""
    reader = _PageReader()
    reader.feed(text[:READ_AT_MOST])
    return next((found for found in map(_join, (reader.title, reader.heading, reader.text)) if found), "")


class _PageReader(HTMLParser):
    """Collects the words of a page by where they stand."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title: list[str] = []
        self.heading: list[str] = []
        self.text: list[str] = []
        self._inside: str | None = None
        self._unseen: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the library's signature
        if tag in _UNSEEN:
            self._unseen = self._unseen or tag
        elif tag in ("title", "h1", "h2"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
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


def _join(parts: list[str]) -> str:
    return " ".join("".join(parts).split())
