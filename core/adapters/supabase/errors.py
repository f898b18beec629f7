"""Translates exceptions of supabase-py and httpx into our errors, once."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import httpx
from postgrest.exceptions import APIError
from storage3.exceptions import StorageApiError
from supabase_auth.errors import AuthApiError, AuthError, AuthRetryableError

from core.errors import DatabaseRejected, DatabaseUnavailable, NotSignedIn

_TOO_LONG = "statement timeout"
# PostgreSQL classes 08 (connection), 40 (rolled back: deadlock, serialization), 53 (resources), 55P03 (lock not available),
# 57 (operator intervention, statement timeout), 58 (system), PostgREST's connection errors, and the bare HTTP codes of a
# gateway that is busy or whose database is away: all may go well a moment later.
_AWAY_CODE = re.compile(r"08\w{3}|40\w{3}|53\w{3}|55P03|57\w{3}|58\w{3}|PGRST0\d\d|408|429|5\d\d")
_AWAY_MESSAGE = re.compile(
    r"PostgresError: (?:deadlock detected|could not serialize|terminating connection|the database system is|"
    r"sorry, too many clients|remaining connection slots|canceling statement due to lock timeout)"
)
"""The same where the API of this machine names no code but its own."""
_JWT_CODES = {"PGRST301", "PGRST302", "PGRST303", "401"}
_AWAY_WORDS = (
    "econnrefused",
    "connect_timeout",
    "connection terminated",
    "connection_closed",
    "connection_ended",
    "econnreset",
)


@contextmanager
def translate_errors() -> Generator[None]:
    """Turn a failed call into DatabaseUnavailable, NotSignedIn or DatabaseRejected."""
    try:
        yield
    except httpx.TransportError as error:
        raise DatabaseUnavailable(f"The Supabase API does not answer ({_describe(error)}). {_ADVICE}") from error
    except AuthRetryableError as error:
        raise DatabaseUnavailable(f"Supabase Auth does not answer ({_describe(error)}). {_ADVICE}") from error
    except AuthApiError as error:
        if error.status >= 500:  # noqa: PLR2004 - an HTTP status
            raise DatabaseUnavailable(f"Supabase Auth does not answer ({_describe(error)}). {_ADVICE}") from error
        if error.status == 429:  # noqa: PLR2004 - an HTTP status
            raise NotSignedIn(f"Sign-in was refused: {error.message}.") from error
        raise NotSignedIn(f"Sign-in was refused: {error.message}. Check e-mail and password.") from error
    except AuthError as error:
        raise NotSignedIn(f"The session has ended ({_describe(error)}). Sign in again.") from error
    except StorageApiError as error:
        raise DatabaseRejected(f"Supabase Storage refused: {error.message}") from error
    except APIError as error:
        raise _translate_api_error(error) from error


_ADVICE = "On this machine: `brightrun doctor`. Hosted: check SUPABASE_URL and the project's status."


def _translate_api_error(error: APIError) -> DatabaseUnavailable | NotSignedIn | DatabaseRejected:
    code = str(error.code or "")
    message = error.message or str(error)
    if code in _JWT_CODES or "jwt expired" in message.lower():
        return NotSignedIn(f"Supabase did not accept the key or the session ({message}). Sign in again, or check the keys.")
    text = f"{message} {error.details or ''}".lower()
    if _TOO_LONG in text:
        return DatabaseUnavailable(
            "The database took longer for this than it allows, so it stopped. Ask for less (filters, a smaller selection), "
            "or ask again when it is less busy."
        )
    is_away = _AWAY_CODE.fullmatch(code) or (code == "SUP" and _AWAY_MESSAGE.match(message))
    if is_away or any(word in text for word in _AWAY_WORDS):
        return DatabaseUnavailable(f"The database behind Supabase does not answer ({message}). {_ADVICE}")
    return DatabaseRejected(f"The database refused ({code or 'no code'}): {message} {error.details or ''}".rstrip())


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
