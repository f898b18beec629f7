"""What an answer means: a reply of Claude, or why there is none. Whatever its status, its body has the word."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from core.adapters.claude.error_kinds import ErrorWords, classify_error, classify_stranger
from core.adapters.claude.page_text import is_page, read_page
from core.adapters.claude.retry_after import read_retry_after_seconds
from core.adapters.claude.translation import REQUEST_ID_HEADER, SIMULATED_HEADER, read_mapping, read_message, read_reply
from core.domain.message_line import make_line
from core.domain.reply import RawResponse, Reply
from core.domain.work import CallFailure, CallFailureKind

LONG_WAIT_SECONDS = 900.0
"""From here on a wait is told as a date."""
_LONGEST_BODY_READ = 200_000
"""Bytes of an error body that are read for its words; the whole body is kept."""
_REDIRECTS = range(300, 400)
_SUCCESSES = range(200, 300)
_OTHER_APIS = ("choices", "candidates", "output", "generations", "completion")
_RETURN_TIME = re.compile(
    r"\b(?:regain access|resets?|available again|try again|retry|renews?)\s+(?:on|at|after|in)\s+"
    r"((?=[^.;\n]{0,40}\d)[^;\n]{3,50}?)(?=[.,;)]?\s*$|[.,;)]\s|\n)",
    re.IGNORECASE,
)


def read_answer(raw: RawResponse, *, now: datetime, duration_ms: int, simulated: bool) -> Reply | CallFailure:
    """Read an HTTP response by its words.

    A reply is what came with a success status and holds a message, or holds nothing that says otherwise, for the verdict to
    fail.
    """
    is_success = raw.status_code in _SUCCESSES
    if is_success and read_message(raw.body) is not None:
        return read_reply(raw, duration_ms=duration_ms, simulated=simulated)
    text = raw.body[:_LONGEST_BODY_READ].decode("utf-8", errors="replace")
    value = _load(raw.body)
    words = None if value is None else read_error_words(value)
    if words is not None:
        kind, said = classify_error(raw.status_code, words), words.message
    elif is_success and text.lstrip()[:1] in ("{", "["):
        if any(name in read_mapping(value) for name in _OTHER_APIS):
            kind, said = CallFailureKind.WRONG_ADDRESS, "a reply in the form of another API than Claude's"
        else:
            return read_reply(raw, duration_ms=duration_ms, simulated=simulated)
    else:
        kind, said = _read_stranger(raw, text)
    return _describe(raw, kind, said, words, now=now, duration_ms=duration_ms, simulated=simulated)


def _describe(
    raw: RawResponse,
    kind: CallFailureKind,
    said: str,
    words: ErrorWords | None,
    *,
    now: datetime,
    duration_ms: int,
    simulated: bool,
) -> CallFailure:
    headers = {name.lower(): value for name, value in raw.headers.items()}
    retry_after = read_retry_after_seconds(headers, now)
    error_type = None if words is None or words.error_type is None else make_line(words.error_type, 60)
    return CallFailure(
        kind=kind,
        message=make_line(f"{raw.status_code}{f' {error_type}' if error_type else ''}: {said or 'no message'}"),
        error_type=error_type,
        http_status=raw.status_code,
        request_id=headers.get(REQUEST_ID_HEADER),
        retry_after_seconds=retry_after,
        access_returns=_find_return(said, retry_after, now),
        raw=raw,
        duration_ms=duration_ms,
        simulated=simulated or headers.get(SIMULATED_HEADER) == "true",
    )


def _find_return(said: str, retry_after_seconds: float | None, now: datetime) -> str | None:
    """Return when access comes back: as the message says it, else as `retry-after` does where the wait is long."""
    found = _RETURN_TIME.search(said[:2000])
    if found is not None:
        return make_line(found.group(1), 40)
    if retry_after_seconds is None or retry_after_seconds <= LONG_WAIT_SECONDS:
        return None
    return f"{(now + timedelta(seconds=retry_after_seconds)).astimezone(UTC):%Y-%m-%d at %H:%M} UTC"


def _read_stranger(raw: RawResponse, text: str) -> tuple[CallFailureKind, str]:
    """Name an answer that nobody wrote who speaks Claude's language."""
    headers = {name.lower(): value for name, value in raw.headers.items()}
    if raw.status_code in _REDIRECTS and (target := headers.get("location")):
        # Without what stands behind the path: sign-in addresses carry tokens there.
        shown = target.partition("?")[0].partition("#")[0]
        return classify_stranger(raw.status_code, target), f"a redirect to {shown}"
    if is_page(text, headers.get("content-type", "")):
        said = read_page(text)
        return classify_stranger(raw.status_code, said), f"an HTML page ({said or 'without words'})"
    if not text.strip():
        # Nothing at all under a success is a gateway's slip, as a broken connection is.
        kind = CallFailureKind.SERVER_ERROR if raw.status_code in _SUCCESSES else classify_stranger(raw.status_code, "")
        return kind, "an empty answer"
    words = ErrorWords(message=text, is_envelope=False)
    return classify_error(raw.status_code, words), text


def read_error_words(value: object) -> ErrorWords | None:
    """Return what an error body says, in any of the forms in which APIs and proxies say it; None where it is none."""
    if isinstance(value, list):
        items = cast("list[object]", value)
        return read_error_words(read_mapping(items[0])) if items else None
    fields = read_mapping(value)
    error = fields.get("error")
    if isinstance(error, str) and error:
        more = [fields.get(name) for name in ("message", "error_description", "reason")]
        said = ". ".join([error, *(text for text in more if isinstance(text, str) and text)])
        return ErrorWords(message=said, is_envelope=False)
    if inner := read_mapping(error):
        return _read_fields(read_mapping(inner.get("error")) or inner, is_envelope=True)
    if isinstance(errors := fields.get("errors"), list) and errors:
        return read_error_words({"error": cast("list[object]", errors)[0]})
    if fields.get("type") == "error":
        return _read_fields(fields, is_envelope=True)
    return _read_fields(fields, is_envelope=False) if any(name in fields for name in _MESSAGE_NAMES) else None


_MESSAGE_NAMES = ("message", "Message", "detail", "error_description")


def _read_fields(fields: Mapping[str, object], *, is_envelope: bool) -> ErrorWords:
    message = next((fields[name] for name in _MESSAGE_NAMES if fields.get(name) not in (None, "")), "")
    code = read_mapping(fields.get("details")).get("error_code")
    types = [fields.get(name) for name in ("type", "__type", "status")]
    return ErrorWords(
        message=message if isinstance(message, str) else json.dumps(message)[:2000],
        error_type=next((name for name in types if isinstance(name, str) and name and name != "error"), None),
        error_code=next((name for name in (code, fields.get("code")) if isinstance(name, str) and name), None),
        is_envelope=is_envelope,
    )


def _load(body: bytes) -> object | None:
    try:
        return json.loads(body[: _LONGEST_BODY_READ * 20])
    except (ValueError, RecursionError):
        return None
