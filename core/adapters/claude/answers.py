"""Read an answer: a reply of Claude, or why there is none. The body counts for more than the status."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from core.adapters.claude.error_body import (
    dump_briefly,
    find_error_words,
    find_nested_words,
    read_error_beside,
    read_error_words,
    read_status,
)
from core.adapters.claude.error_kinds import ErrorWords, classify_error, classify_stranger, is_known_error, is_statement
from core.adapters.claude.page_text import Markup, describe_plainly, read_marked
from core.adapters.claude.retry_after import find_return_time, read_retry_after_seconds
from core.adapters.claude.translation import (
    SUCCESSES,
    find_message,
    is_paid_message,
    is_reply_with_text,
    load_body,
    may_be_message,
    read_reply,
)
from core.domain.batches.work import CallFailure, CallFailureKind
from core.domain.message_line import make_line
from core.domain.record import Record
from core.domain.secret_forms import hide_secrets
from core.domain.verdict.bounded_json import read_mapping
from core.domain.verdict.reply import RawResponse, Reply

LONG_WAIT_SECONDS = 900.0
"""From this many seconds on a wait is told as a date."""
_LONGEST_BODY_READ = 200_000
"""Bytes of a body that are searched for a message where it is not JSON; the whole body is kept."""
_HEALED_BY_TIME = frozenset(
    {
        CallFailureKind.RATE_LIMITED,
        CallFailureKind.OVERLOADED,
        CallFailureKind.SERVER_ERROR,
        CallFailureKind.TIMEOUT,
        CallFailureKind.SPEND_LIMIT,
        CallFailureKind.NO_CREDIT,
        CallFailureKind.ACCOUNT_BLOCKED,
    }
)
_LONGEST_SAID = 20_000
_REDIRECTS = range(300, 400)
_JSON_BEGINNINGS = ("{", "[")
_SAYS_NOTHING: tuple[object, ...] = ({}, [])
_CONTENT = '"content"'
_CUT_MESSAGE = re.compile(rb'[^"]{0,100}\{(?=.{0,400}"type"\s*:\s*"message").{0,2000}"content"\s*:\s*\[', re.DOTALL)
"""Begins like a message but cannot be parsed: cut, or with something before or after it."""
_OTHER_APIS = ("choices", "candidates", "output", "generations", "completion")


class _Meaning(Record):
    """Why an answer is not a reply, and its message."""

    kind: CallFailureKind
    said: str
    error_type: str | None = None


def read_answer(raw: RawResponse, *, now: datetime, duration_ms: int, simulated: bool) -> Reply | CallFailure:
    """Read an HTTP response by its content. A reply is a message, whatever surrounds it.

    A reply that is cut or empty counts, too: it may be paid for, so its verdict fails it and the call is not repeated.
    """
    value = load_body(raw.body)
    message = find_message(value)
    reply = read_reply(raw, message, duration_ms=duration_ms, simulated=simulated)
    meaning = _find_failure(raw, value, message)
    return reply if meaning is None else _describe(meaning, reply, now)


def _find_failure(raw: RawResponse, value: object | None, message: Mapping[str, object] | None) -> _Meaning | None:
    """Return why an answer is not a reply; None if it is one. A body that calls itself an error is one."""
    is_success = raw.status_code in SUCCESSES
    fields = read_mapping(value)
    if message is not None and is_paid_message(raw.status_code, message):
        return None if is_reply_with_text(message) else _find_error_beside(raw.status_code, fields, message)
    words = read_error_words(value)
    if words is not None:
        return _read_words(raw.status_code, _prefer_nested(words, value))
    if is_success and isinstance(value, dict | list):
        return _read_strange_json(raw.status_code, cast("object", value))
    if _CUT_MESSAGE.match(raw.body):
        return None
    text = value if isinstance(value, str) else _decode(raw.body[:_LONGEST_BODY_READ])
    return _read_redirect(raw) or _read_page(raw, text) or _read_text(raw.status_code, text)


def _decode(body: bytes) -> str:
    return body.decode(json.detect_encoding(body), errors="replace")


def _prefer_nested(words: ErrorWords, value: object) -> ErrorWords:
    """Return the message nested in an error if it names what the account lacks, or if it has a type and the outer one has
    none.
    """
    if is_statement(words):
        return words
    nested = list(find_nested_words(value))
    chosen = next((found for found in nested if is_statement(found)), None)
    if chosen is None and words.error_type is None:
        chosen = next((found for found in nested if found.is_envelope and found.error_type and is_known_error(found)), None)
    return words if chosen is None else chosen.model_copy(update={"status": chosen.status or words.status})


def _find_error_beside(status_code: int, fields: Mapping[str, object], message: Mapping[str, object]) -> _Meaning | None:
    """Classify the error beside a message that was paid for. An unrecognised error is no reason to lose the reply."""
    words = read_error_beside(fields) or read_error_beside(message)
    return _read_words(status_code, words) if words is not None and is_known_error(words) else None


def _read_words(status_code: int, words: ErrorWords) -> _Meaning:
    return _Meaning(kind=classify_error(status_code, words), said=words.message, error_type=words.error_type)


def _read_strange_json(status_code: int, value: object) -> _Meaning | None:
    """Classify JSON that comes as a success and is neither a whole message nor an error of a known form."""
    fields = read_mapping(value)
    if may_be_message(fields) or value in _SAYS_NOTHING or list(fields) == ["type"]:
        return None
    if any(name in fields for name in _OTHER_APIS):
        return _Meaning(kind=CallFailureKind.WRONG_ADDRESS, said="a reply in the form of another API than Claude's")
    dump = dump_briefly(value)
    said = describe_plainly(dump)
    if _CONTENT in dump:
        # It may be paid for, whatever it says: nothing is called again before somebody has looked.
        return _Meaning(kind=CallFailureKind.WRONG_ADDRESS, said=said)
    return _read_words(status_code, ErrorWords(message=said, status=read_status(fields), is_envelope=False))


def _read_redirect(raw: RawResponse) -> _Meaning | None:
    target = {name.lower(): value for name, value in raw.headers.items()}.get("location")
    if raw.status_code not in _REDIRECTS or not target:
        return None
    # Without the query: sign-in addresses carry tokens there.
    shown = target.partition("?")[0].partition("#")[0]
    return _Meaning(kind=classify_stranger(raw.status_code, target), said=f"a redirect to {describe_plainly(shown)}")


def _read_page(raw: RawResponse, text: str) -> _Meaning | None:
    marked = read_marked(text)
    if marked is None or text.lstrip()[:1] in _JSON_BEGINNINGS:
        return None
    if marked.markup is Markup.XML:
        kind = classify_error(raw.status_code, ErrorWords(message=marked.seen, is_envelope=False))
    else:
        kind = classify_stranger(raw.status_code, marked.shown, page=marked.seen)
    return _Meaning(kind=kind, said=marked.describe())


def _read_text(status_code: int, text: str) -> _Meaning | None:
    """Classify a text: nothing, an error that it quotes or that comes as events, or plain words."""
    is_success = status_code in SUCCESSES
    if not text.strip():
        # An empty success is a gateway's mistake, like a broken connection.
        kind = CallFailureKind.SERVER_ERROR if is_success else classify_stranger(status_code, "")
        return _Meaning(kind=kind, said="an empty answer")
    is_cut = is_success and text.lstrip()[:1] in _JSON_BEGINNINGS
    if is_cut and _CONTENT in text:
        return None
    words = find_error_words(text)
    if words is None and is_cut:
        return None
    return _read_words(status_code, words or ErrorWords(message=describe_plainly(text), is_envelope=False))


def _describe(meaning: _Meaning, reply: Reply, now: datetime) -> CallFailure:
    """Return the failure; `reply` is what could be read of the reply beside it."""
    raw = reply.raw
    retry_after = read_retry_after_seconds(raw.headers, now)
    error_type = make_line(meaning.error_type, 60) if meaning.error_type else None
    said = f"{raw.status_code}{f' {error_type}' if error_type else ''}: {meaning.said or 'no message'}"
    return CallFailure(
        kind=meaning.kind,
        message=make_line(hide_secrets(said[:_LONGEST_SAID])),
        error_type=error_type,
        http_status=raw.status_code,
        request_id=reply.request_id,
        retry_after_seconds=retry_after,
        access_returns=_find_return(meaning, retry_after, now),
        raw=raw,
        usage=reply.usage,
        duration_ms=reply.duration_ms,
        simulated=reply.simulated,
    )


def _find_return(meaning: _Meaning, retry_after_seconds: float | None, now: datetime) -> str | None:
    """Return when access comes back: from the message, or from `retry-after` where the wait is long."""
    if meaning.kind not in _HEALED_BY_TIME:
        return None
    told = find_return_time(meaning.said)
    if told is not None:
        return make_line(told, 40)
    if retry_after_seconds is None or retry_after_seconds <= LONG_WAIT_SECONDS:
        return None
    return f"{(now + timedelta(seconds=retry_after_seconds)).astimezone(UTC):%Y-%m-%d at %H:%M} UTC"
