"""Which failure stands behind an error answer: by its words first, whatever its status says.

Spend limits come as 400, 403 and 429, used-up credit as an invalid request, an overloaded Claude as 200. The words were
collected from what Anthropic, its resellers (Bedrock, Vertex, OpenRouter) and proxies (LiteLLM, nginx, Envoy) really send.
"""

import re

from core.adapters.claude.error_forms import (
    ACCOUNT_WORDS,
    FIELD,
    NETWORK_WORDS,
    PASSING_WORDS,
    PER_MOMENT,
    QUOTED_PROMPT,
    REGION,
    REQUEST_WORDS,
    SIGN_IN,
    STATEMENTS,
)
from core.domain.batches.work import CallFailureKind
from core.domain.record import Record

K = CallFailureKind


class ErrorWords(Record):
    """What an error body says, in its parts."""

    message: str
    error_type: str | None = None
    error_code: str | None = None
    status: int | None = None
    """The status given in the body."""
    is_envelope: bool = True
    """In the form of Claude's API, from Claude or from a proxy that imitates it."""
    page: str | None = None
    """The visible text of the page that the message was; None if it was plain text."""


_LONGEST_READ = 20_000
"""How many characters of a message are searched."""
_PASSING_KINDS = frozenset({K.RATE_LIMITED, K.OVERLOADED, K.TIMEOUT, K.SERVER_ERROR})

_KIND_BY_TYPE = {
    "authentication_error": K.BAD_KEY,
    "auth_error": K.BAD_KEY,
    "invalid_api_key": K.BAD_KEY,
    "unauthenticated": K.BAD_KEY,
    "unrecognizedclientexception": K.BAD_KEY,
    "expiredtokenexception": K.BAD_KEY,
    "invalidsignatureexception": K.BAD_KEY,
    "permission_error": K.FORBIDDEN,
    "permission_denied": K.FORBIDDEN,
    "accessdeniedexception": K.FORBIDDEN,
    "forbidden": K.FORBIDDEN,
    "billing_error": K.NO_CREDIT,
    "rate_limit_error": K.RATE_LIMITED,
    "rate_limit_exceeded": K.RATE_LIMITED,
    "throttling_error": K.RATE_LIMITED,
    "throttlingexception": K.RATE_LIMITED,
    "resource_exhausted": K.RATE_LIMITED,
    "overloaded_error": K.OVERLOADED,
    "unavailable": K.OVERLOADED,
    "serviceunavailableexception": K.OVERLOADED,
    "timeout_error": K.TIMEOUT,
    "deadline_exceeded": K.TIMEOUT,
    "modeltimeoutexception": K.TIMEOUT,
    "request_too_large": K.INVALID_REQUEST,
    "context_length_exceeded": K.INVALID_REQUEST,
}
_KIND_BY_GENERAL_TYPE = {
    "invalid_request_error": K.INVALID_REQUEST,
    "invalid_argument": K.INVALID_REQUEST,
    "validationexception": K.INVALID_REQUEST,
    "api_error": K.SERVER_ERROR,
    "internal": K.SERVER_ERROR,
    "internalserverexception": K.SERVER_ERROR,
    "internal_server_error": K.SERVER_ERROR,
    "server_error": K.SERVER_ERROR,
}
"""Types that say little; a more specific status is preferred to them."""
_KIND_BY_STATUS = {
    401: K.BAD_KEY,
    402: K.NO_CREDIT,
    403: K.FORBIDDEN,
    407: K.PROXY,
    408: K.TIMEOUT,
    409: K.SERVER_ERROR,
    429: K.RATE_LIMITED,
    451: K.REGION_BLOCKED,
    504: K.TIMEOUT,
    511: K.PROXY,
    522: K.TIMEOUT,
    524: K.TIMEOUT,
    529: K.OVERLOADED,
}
_STRANGER_BY_STATUS = {
    **_KIND_BY_STATUS,
    401: K.PROXY,
    403: K.PROXY,
    413: K.INVALID_REQUEST,
    414: K.INVALID_REQUEST,
    431: K.INVALID_REQUEST,
    501: K.WRONG_ADDRESS,
    505: K.WRONG_ADDRESS,
}
"""What a status means from a server that does not speak Claude's API: it says nothing about key or model."""
_SPEND_LIMIT_CODES = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
_BAD_REQUEST, _LEGAL_REASONS = 400, 451
_FIRST_SERVER_STATUS, _FIRST_CLIENT_STATUS, _NOT_FOUND = 500, 400, 404
_UNPROCESSABLE = frozenset({400, 422})
_PROXY_STATUSES = frozenset({407, 511})
"""Whatever the text says: only a proxy or a network's gateway answers with these."""
_BLAMED = frozenset({K.BAD_KEY, K.FORBIDDEN, K.UNKNOWN_MODEL, K.INVALID_REQUEST})
"""What only Claude can say. A page in its place, even within its own form, cannot say it."""


def classify_error(status_code: int, words: ErrorWords) -> CallFailureKind:
    """Classify an error body: first by its message, then by its type, then by its status.

    Under an HTTP success the status given in the body counts.
    """
    is_success = status_code < _FIRST_CLIENT_STATUS
    status = words.status if is_success and words.status is not None else status_code
    if status in _PROXY_STATUSES:
        return K.PROXY
    if status == _LEGAL_REASONS:
        return K.REGION_BLOCKED
    kind = _find_kind(status, words)
    if words.page is None:
        return kind
    stranger = classify_stranger(status, words.message, page=words.page)
    return stranger if kind in _BLAMED or stranger is K.REGION_BLOCKED else kind


def is_known_error(words: ErrorWords) -> bool:
    """Whether this is certainly an error, and not some "success", count or empty form."""
    text = _join_words(words)
    passing = any(found.search(text) for _, found in PASSING_WORDS)
    has_type = any(name in _KIND_BY_TYPE or name in _KIND_BY_GENERAL_TYPE for name in _read_types(words))
    return passing or has_type or words.status is not None or _find_by_words(text, words) is not None


def is_statement(words: ErrorWords) -> bool:
    """Whether the message says explicitly of an account why it gets no reply."""
    return _find_statement(_join_words(words), words) is not None


def classify_stranger(status_code: int, said: str, *, page: str = "") -> CallFailureKind:
    """Classify an answer that is not an error body: a page, some text, or nothing. `said` is the text that is shown of it.

    Of a `page` only a regional block counts, and only under an error status: any home page mentions accounts, keys and
    bills.
    """
    known = _STRANGER_BY_STATUS.get(status_code)
    told = f"{said} {page}" if status_code >= _FIRST_CLIENT_STATUS else said
    if status_code < _FIRST_SERVER_STATUS and REGION.search(told.lower()):
        return K.REGION_BLOCKED
    if known is not None:
        return known
    if status_code >= _FIRST_SERVER_STATUS:
        return K.SERVER_ERROR
    if status_code < _FIRST_CLIENT_STATUS and SIGN_IN.search(said):
        return K.PROXY
    return K.WRONG_ADDRESS


def _find_kind(status: int, words: ErrorWords) -> CallFailureKind:
    """Classify an error: temporary if its type or status is, unless the message explicitly names the account."""
    text = _join_words(words)
    known = _find_by_status(status, text, words)
    by_type = _find_by_type(words)
    if (by_type or known) in _PASSING_KINDS:
        return _find_statement(text, words) or by_type or known
    is_of_field = status == _BAD_REQUEST and FIELD.match(words.message.lower()) is not None
    return (None if is_of_field else _find_by_words(text, words)) or by_type or known


def _join_words(words: ErrorWords) -> str:
    """Return the text that is searched, without prompts that some proxies quote: they mention accounts and money, too."""
    text = f"{words.error_type or ''} {words.error_code or ''} {words.message[:_LONGEST_READ]}".lower()
    return QUOTED_PROMPT.sub("", text).strip()


def _find_statement(text: str, words: ErrorWords) -> CallFailureKind | None:
    if words.error_code in _SPEND_LIMIT_CODES:
        return K.SPEND_LIMIT
    return next((kind for kind, found in STATEMENTS if _says(kind, found, text)), None)


def _says(kind: CallFailureKind, found: re.Pattern[str], text: str) -> bool:
    return found.search(text) is not None and not (kind is K.SPEND_LIMIT and PER_MOMENT.search(text))


def _find_by_words(text: str, words: ErrorWords) -> CallFailureKind | None:
    if words.error_code in _SPEND_LIMIT_CODES:
        return K.SPEND_LIMIT
    network_words = () if words.is_envelope else NETWORK_WORDS
    for kind, found in (*network_words, *ACCOUNT_WORDS, *REQUEST_WORDS):
        if _says(kind, found, text):
            return kind
    return None


def _find_by_type(words: ErrorWords) -> CallFailureKind | None:
    return next((_KIND_BY_TYPE[name] for name in _read_types(words) if name in _KIND_BY_TYPE), None)


def _read_types(words: ErrorWords) -> list[str]:
    """Return code and type as they are listed here: AWS adds a namespace before a type and an address after it."""
    names = [name.lower() for name in (words.error_code, words.error_type) if name is not None]
    return [name.rpartition("#")[2].partition(":")[0] for name in names]


def _find_by_status(status: int, text: str, words: ErrorWords) -> CallFailureKind:
    error_type = (words.error_type or "").lower()
    if status == _NOT_FOUND or error_type in ("not_found_error", "not_found"):
        return K.UNKNOWN_MODEL if words.is_envelope and "model" in text else K.WRONG_ADDRESS
    known = (_KIND_BY_STATUS if words.is_envelope else _STRANGER_BY_STATUS).get(status)
    if known is not None:
        return known
    if status >= _FIRST_SERVER_STATUS:
        return K.SERVER_ERROR
    if error_type in _KIND_BY_GENERAL_TYPE:
        return _KIND_BY_GENERAL_TYPE[error_type]
    passing = next((kind for kind, found in PASSING_WORDS if found.search(text)), None)
    if passing is not None:
        return passing
    if status < _FIRST_CLIENT_STATUS:
        return K.SERVER_ERROR if words.is_envelope else K.WRONG_ADDRESS
    return K.INVALID_REQUEST if words.is_envelope or status in _UNPROCESSABLE else K.WRONG_ADDRESS
