"""Values as readers see them: counts, times, and text that must not be read as markdown."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from core.domain.amounts import format_duration
from core.domain.percentages import format_percent

NOTHING = "\N{EN DASH}"
_MARKDOWN = re.compile(r"([\\`*_\[\]#|<>~$:&])")
_COMMAND = re.compile(r"`((?:brightrun|make|python worker\.py)(?: [a-z0-9.-]+)*)`")
_BLOCK_MARK = re.compile(r"^(?:[-+=]|\d+[.)])(?=[-+=\s]|$)")
_REWRITTEN = re.compile(
    r"(?<=http):(?=//)|(?<=https):(?=//)"  # bare addresses become links,
    r"|(?<=www)\."
    r"|(?<=[-.\w+])@(?=[-\w])"  # and so do e-mail addresses;
    r"|:(?=[\w+/-]+:)"  # emoji and icons by name;
    r"|<(?=[-=])|-(?=[->])|[>~](?==)",  # arrows, dashes and signs of comparison.
    re.IGNORECASE,
)
"""What Streamlit rewrites after the escapes are gone, with the first character that must stand by itself to stop it."""
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters; those that change the writing direction would affect the rest of the page, too."""


def format_count(number: int, noun: str, plural: str | None = None) -> str:
    """Return `1 conversation` or `1,200 conversations`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def format_share(share: float | None) -> str:
    """Return a share as a percentage; a dash where there is none yet."""
    return NOTHING if share is None else format_percent(share)


def format_throughput(per_minute: float | None) -> str:
    """Return conversations per minute; a dash where there is no pace yet."""
    return NOTHING if per_minute is None else f"{per_minute:,.1f} / min"


def format_words(key: str) -> str:
    """Return `Cash flow` for `cash_flow`."""
    return key.replace("_", " ").capitalize()


def format_time(moment: datetime, timezone: str | None) -> str:
    """Return day and time in the reader's time zone; in UTC, and saying so, where that is not known."""
    zone, suffix = _find_zone(timezone)
    return f"{moment.astimezone(zone):%d %b %Y, %H:%M}{suffix}"


def localize(moment: datetime, timezone: str | None) -> datetime:
    """Return a time on the reader's clock, without its zone, as charts want it."""
    zone, _ = _find_zone(timezone)
    return moment.astimezone(zone).replace(tzinfo=None)


def format_age(moment: datetime, now: datetime) -> str:
    """Return how long ago something was, as `12 s ago`."""
    return f"{format_duration((now - moment).total_seconds())} ago"


def escape_markdown(text: str) -> str:
    """Return text that Streamlit's markdown shows as it is, on one line, without any link or picture.

    Every text that was not written in this code goes through here before it reaches a page as markdown or as a label;
    `tests/unit/ui/test_markdown_sinks.py` looks for what does not.
    """
    return _escape(_flatten(text))


def escape_message(text: str) -> str:
    """Return a message of ours as markdown: our own commands as code, whatever else is in it as it is."""
    parts = _COMMAND.split(_flatten(text))  # Text and commands in turn.
    return "".join(f"`{part}`" if number % 2 else _escape(part) for number, part in enumerate(parts))


def _flatten(text: str) -> str:
    return _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", " ".join(text.split()))


def _escape(line: str) -> str:
    escaped: list[str] = []
    place = 0
    for found in _REWRITTEN.finditer(line):
        # A span without a style: whatever reads the text piece by piece sees its two sides apart.
        escaped += [_MARKDOWN.sub(r"\\\1", line[place : found.start()]), f":color[\\{found[0]}]{{}}"]
        place = found.end()
    escaped.append(_MARKDOWN.sub(r"\\\1", line[place:]))
    return _BLOCK_MARK.sub(lambda mark: f"{mark[0][:-1]}\\{mark[0][-1]}", "".join(escaped))


def find_zone(timezone: str | None) -> ZoneInfo:
    """Return the reader's time zone; UTC where it is not known."""
    return _find_zone(timezone)[0]


def find_known_zone(timezone: str | None) -> ZoneInfo | None:
    """Return the reader's time zone; None where it is not known."""
    if timezone is None:
        return None
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return None


def _find_zone(timezone: str | None) -> tuple[ZoneInfo, str]:
    zone = find_known_zone(timezone)
    return (ZoneInfo("UTC"), " UTC") if zone is None else (zone, "")
