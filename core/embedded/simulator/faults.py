"""Which faults occur, how often and for which requests: `kind[@scope]=rate`, comma separated."""

import re
from collections.abc import Iterable
from enum import StrEnum
from hashlib import blake2b

from core.domain.record import Record


class FaultKind(StrEnum):
    """Every fault that the simulated Claude can produce."""

    MAX_TOKENS = "max_tokens"  #: cut at a token limit
    CONTEXT_WINDOW = "context_window"  #: cut at the context window
    CUT_STRING = "cut_string"  #: a turn stops with a backslash where a quotation would open; the JSON stays valid
    CUT_MID_WORD = "cut_mid_word"  #: a turn stops inside a word; the JSON stays valid
    CUT_JSON = "cut_json"  #: the JSON itself is cut, and yet the stop reason is end_turn
    REFUSAL = "refusal"
    PAUSE_TURN = "pause_turn"
    TOOL_USE = "tool_use"
    STOP_SEQUENCE = "stop_sequence"
    EMPTY = "empty"  #: no content block, or one without text
    MALFORMED = "malformed"  #: HTTP 200 with a body that is not JSON
    WRONG_ROLES = "wrong_roles"  #: two user turns in a row, or the assistant first
    ESCAPED_TEXT = "escaped_text"  #: turns hold a literal backslash-n and backslash-quote
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"  #: never answers
    DISCONNECT = "disconnect"  #: closes the connection before the body that it has promised
    ERROR_AS_200 = "error_as_200"  #: HTTP 200 whose body is an error
    GATEWAY_PAGE = "gateway_page"  #: HTTP 520 with an HTML page, as Cloudflare sends it
    CONTENT_FILTER = "content_filter"  #: an invalid request that says that a filter blocked the output
    BAD_KEY = "bad_key"
    NO_CREDIT = "no_credit"
    USAGE_LIMIT = "usage_limit"  #: an invalid request that says when access returns
    LOGIN_PAGE = "login_page"  #: HTTP 200 with a proxy's HTML page in place of Claude


class FaultRule(Record):
    """One term of the specification. All of `scopes` must be among a request's labels; without any it applies everywhere."""

    kind: FaultKind
    scopes: frozenset[str] = frozenset()
    rate: float


class FaultSpecError(ValueError):
    """The specification cannot be read; the message names the term and what is allowed."""


_SCOPE = re.compile(r"[A-Za-z0-9_.:-]+")


def parse_fault_spec(text: str) -> tuple[FaultRule, ...]:
    """Read a specification such as `cut_string@shame_to_acceptance=0.25,overloaded=0.02`; blank text means no faults.

    Raises:
        FaultSpecError: a term is malformed, its kind unknown or its rate not between 0 and 1.
    """
    return tuple(_parse_term(term.strip()) for term in text.split(",") if term.strip())


def draw_fault(rules: Iterable[FaultRule], labels: frozenset[str], draw: float) -> FaultKind | None:
    """Return the fault that `draw` (0 ≤ draw < 1) selects when the matching rates are laid end to end."""
    upper = 0.0
    for rule in rules:
        if rule.scopes <= labels:
            upper += rule.rate
            if draw < upper:
                return rule.kind
    return None


def hash_to_unit_interval(*parts: object) -> float:
    """Return a number in [0, 1) that depends only on the parts, in every process and on every machine."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=7).digest()
    # 52 bits: more would round up to 1.0 occasionally.
    return (int.from_bytes(digest, "big") >> 4) / 2**52


def _parse_term(term: str) -> FaultRule:
    target, equals, rate_text = term.partition("=")
    if not equals:
        raise FaultSpecError(f"Fault {term!r} has no rate. Write kind[@scope]=rate, for example overloaded=0.02.")
    kind_text, at, scope_text = target.strip().partition("@")
    return FaultRule(
        kind=_parse_kind(kind_text.strip()),
        scopes=_parse_scopes(term, scope_text) if at else frozenset(),
        rate=_parse_rate(term, rate_text.strip()),
    )


def _parse_kind(text: str) -> FaultKind:
    try:
        return FaultKind(text)
    except ValueError:
        raise FaultSpecError(f"Unknown fault kind {text!r}. Known kinds: {', '.join(FaultKind)}.") from None


def _parse_scopes(term: str, text: str) -> frozenset[str]:
    scopes = [scope.strip() for scope in text.split("+")]
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        message = (
            f"Fault {term!r} has an empty or wrong scope. A scope is the key of an arc, persona, topic or template, a model "
            "id, structured, unstructured or long_prompt; join several by +."
        )
        raise FaultSpecError(message)
    return frozenset(scopes)


def _parse_rate(term: str, text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = -1.0
    if not 0 <= rate <= 1:
        raise FaultSpecError(f"Fault {term!r} has the rate {text!r}. A rate is a number from 0 to 1.")
    return rate
