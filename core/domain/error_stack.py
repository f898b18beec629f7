"""Where an exception came from, as it is kept with a failure: functions and lines, never the values of variables."""

import re
import traceback

from core.domain.message_line import make_line

LONGEST_STACK = 8_000
_SECRETS = re.compile(
    r"sk-[\w-]{8,}|sb_(?:secret|publishable)_[\w-]+|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*|(?<=://)[^\s/@:]*:[^\s/@]+(?=@)"
    r"|(?i:(?<=bearer )[\w.~+/=-]{8,})|(?i:(?<=header value )b?(?:'[^']*'|\"[^\"]*\"))"
)
"""Keys, tokens, passwords in addresses, and header values that a library quotes."""


def describe_error(error: BaseException) -> str:
    """Return an exception in one line: its type and what it says."""
    said = hide_secrets(str(error))
    return make_line(f"{type(error).__name__}: {said}".rstrip(": "))


def describe_stack(error: BaseException) -> str:
    """Return the stack of an exception and of what caused it, the newest call last."""
    lines = traceback.TracebackException.from_exception(error, limit=-40, capture_locals=False, compact=True).format()
    stack = hide_secrets("".join(lines))
    return stack if len(stack) <= LONGEST_STACK else f"…{stack[1 - LONGEST_STACK :]}"


def hide_secrets(text: str) -> str:
    """Return the text without what looks like a key, a token or a password."""
    return _SECRETS.sub("[hidden]", text)
