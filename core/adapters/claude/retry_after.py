"""How long a server asks to wait, in headers or in a message.

The value may come from any server on the way to Claude: what cannot be read is ignored.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 31 * 24 * 3600.0
"""Limits reset within a month; a longer wait is a wrong clock or a wrong unit."""

_LONGEST_SAID = 2000
_MONTHS = "(?:Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)"
_RETURN_TIME = re.compile(
    r"\b(?:(?:regain access|resumes?|be reset|available again|try again|retry|renews?|replenished)\s+(?:on|at|after|in)\s+"
    r"|resets?\s+(?:(?:on|at|after|in)\s+)?|(?:paused|blocked|suspended|disabled|unavailable|limited)\s+until\s+)"
    rf"(?=(?:(?:[^\s.;]+|{_MONTHS}\.)\s){{0,2}}\S{{0,20}}\d)"
    rf"((?:\b[ap]\.m\.|\b{_MONTHS}\.|\.(?=\d)|,(?= \d)|\([A-Z][\w/+:-]{{1,20}}\)"
    r"|(?! (?:as|because|but|if|or|since|so|unless|when)\b)[^.,;()\n\"'\\{}<>]){3,50})",
    re.IGNORECASE,
)
"""A time has a number within its first words, and ends with its sentence or with the quotation around it."""


def find_return_time(said: str) -> str | None:
    """Return when access comes back, according to a message."""
    found = _RETURN_TIME.search(said[:_LONGEST_SAID])
    return None if found is None else found.group(1).strip()


def read_retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of `retry-after-ms` or `retry-after` (seconds or a date); None if neither can be read."""
    lower = {name.lower(): value for name, value in headers.items()}
    milliseconds = _read_number(lower.get("retry-after-ms"))
    if milliseconds is not None and (seconds := _check(milliseconds / 1000)) is not None:
        return seconds
    value = lower.get("retry-after")
    if value is None:
        return None
    number = _read_number(value)
    if number is not None:
        return _check(number)
    moment = _read_date(value)
    return None if moment is None else _check(max((moment - now).total_seconds(), 0.0))


def _check(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) and 0 <= seconds <= LONGEST_SECONDS else None


def _read_number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _read_date(text: str) -> datetime | None:
    """Return an HTTP date or an ISO date."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            moment = read(text.strip())
        except (ValueError, TypeError, OverflowError, IndexError):
            # The library's date parser raises each of these for some text.
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
