"""Text as PostgreSQL can hold it: without NUL and without halves of surrogate pairs, which JSON allows."""

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def find_unstorable(text: str) -> str | None:
    """Return the first character that no database holds."""
    found = _UNSTORABLE.search(text)
    return None if found is None else found.group()


def clean_text(text: str) -> str:
    """Put the replacement character in place of whatever no database holds."""
    return _UNSTORABLE.sub("\N{REPLACEMENT CHARACTER}", text)
