"""Foreign text as one short line without control characters."""

LONGEST_LINE = 300


def make_line(text: str, longest: int = LONGEST_LINE) -> str:
    """Return the text on one line of at most `longest` characters; what was cut off is marked."""
    # More than this cannot be shown, and a page of megabytes shall cost nothing.
    shown = "".join(sign if sign.isprintable() else " " for sign in text[: longest * 20])
    line = " ".join(shown.split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"
