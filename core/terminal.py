"""Text on a terminal."""


def escape_controls(text: str) -> str:
    """Text that can do nothing to a terminal: whatever is no printable character is written as its escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def escape_lines(text: str) -> str:
    """Likewise of several lines, which stay lines."""
    return "\n".join(map(escape_controls, text.split("\n")))
