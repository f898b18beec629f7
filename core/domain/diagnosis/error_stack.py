"""The stack of an exception as stored with a failure: functions and lines, never the values of variables."""

import traceback

from core.domain.message_line import make_line
from core.domain.secret_forms import hide_secrets

LONGEST_STACK = 8_000


def describe_error(error: BaseException) -> str:
    """Return an exception in one line: its type and what it says."""
    said = hide_secrets(str(error))
    return make_line(f"{type(error).__name__}: {said}".rstrip(": "))


def describe_stack(error: BaseException) -> str:
    """Return the stack of an exception and of what caused it, the newest call last."""
    lines = traceback.TracebackException.from_exception(error, limit=-40, capture_locals=False, compact=True).format()
    stack = hide_secrets("".join(lines))
    return stack if len(stack) <= LONGEST_STACK else f"…{stack[1 - LONGEST_STACK :]}"
