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
    """What an error body says."""

    message: str
    error_type: str | None = None
    error_code: str | None = None
    status: int | None = None
    """The status that the body gives."""
    is_envelope: bool = True
    """In the form in which Claude, or a proxy that speaks its language, says it."""
    page: str | None = None
    """All that is to be seen on the page that the message was; None where it is words."""


_LONGEST_READ = 20_000
"""Characters of a message that are read for its words."""
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
"""Types that say little; a status that says more goes before them."""
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
"""What a status means from somebody who does not speak Claude's language: it is not Claude's word about key or model."""
_SPEND_LIMIT_CODES = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
_BAD_REQUEST, _LEGAL_REASONS = 400, 451
_FIRST_SERVER_STATUS, _FIRST_CLIENT_STATUS, _NOT_FOUND = 500, 400, 404
_UNPROCESSABLE = frozenset({400, 422})
_PROXY_STATUSES = frozenset({407, 511})
"""Whatever else it says: nobody but a proxy or a network's gate answers so."""
_BLAMED = frozenset({K.BAD_KEY, K.FORBIDDEN, K.UNKNOWN_MODEL, K.INVALID_REQUEST})
"""What Claude alone can say. A page that stands in its place, even within its own form, says nothing of the kind."""


def classify_error(status_code: int, words: ErrorWords) -> CallFailureKind:
    """Name the failure behind an error body: first by its words, then by its type, then by its status.

    Under a success the status that the body gives counts.
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
    """Whether words are of an error for sure, and not some "success", count or empty form."""
    text = _join_words(words)
    passing = any(found.search(text) for _, found in PASSING_WORDS)
    has_type = any(name in _KIND_BY_TYPE or name in _KIND_BY_GENERAL_TYPE for name in _read_types(words))
    return passing or has_type or words.status is not None or _find_by_words(text, words) is not None


def is_statement(words: ErrorWords) -> bool:
    """Whether words say of an account, in so many words, why it gets no reply."""
    return _find_statement(_join_words(words), words) is not None


def classify_stranger(status_code: int, said: str, *, page: str = "") -> CallFailureKind:
    """Name the failure behind an answer that is no error body at all: a page, some text, or nothing.

    `said` is what is shown of it. Of all that a `page` says only a region counts, and only under an error: any home page has
    words about accounts, keys and bills.
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
    """Name a failure: what passes by its type or status does so, unless the account is named in so many words."""
    text = _join_words(words)
    known = _find_by_status(status, text, words)
    by_type = _find_by_type(words)
    if (by_type or known) in _PASSING_KINDS:
        return _find_statement(text, words) or by_type or known
    is_of_field = status == _BAD_REQUEST and FIELD.match(words.message.lower()) is not None
    return (None if is_of_field else _find_by_words(text, words)) or by_type or known


def _join_words(words: ErrorWords) -> str:
    """Return what is searched: without the prompts that some proxies quote, which speak of money and accounts."""
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
    """Return code and type as they are listed here: AWS puts a name space before a type, and an address behind it."""
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
