"""What addresses and keys may look like: pure checks whose messages say what to do, and never repeat a value.

Each raises ValueError. Wrong settings are reported at start; later they would look like an outage.
"""

import base64
import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

_AROUND = re.compile(r"^[\s\"'`“”‘’<]|[\s\"'`“”‘’>]$")
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_API_PATH = re.compile(r"/(rest|auth|storage|functions|realtime|graphql)(/|$)")
_PLACEHOLDER = re.compile(r"YOUR[-_ ]?(PROJECT|PASSWORD|REF|KEY|HOST)|\[[A-Z_ -]*PASSWORD\]|<[a-z_ -]+>", re.IGNORECASE)
PRIVATE_ENDINGS = (".localhost", ".local", ".internal", ".lan")


class KeyKind(StrEnum):
    """What a key is for, as its form shows."""

    PUBLISHABLE = "a publishable key of Supabase"
    SECRET = "a secret key of Supabase"  # noqa: S105 - words
    USER_TOKEN = "the token of somebody who is signed in"  # noqa: S105 - words
    ACCESS_TOKEN = "an access token of a Supabase account"  # noqa: S105 - words
    ANTHROPIC = "a key of Anthropic"
    ANTHROPIC_ADMIN = "an admin key of Anthropic, which calls no model"
    ANTHROPIC_TOKEN = "the token of a Claude subscription, which is no API key"  # noqa: S105 - words
    OTHER_PROVIDER = "a key of another provider"
    ADDRESS = "an address"
    UNKNOWN = "unknown"


PREFIXES: tuple[tuple[str, KeyKind], ...] = (
    ("sb_publishable_", KeyKind.PUBLISHABLE),
    ("sb_secret_", KeyKind.SECRET),
    ("sbp_", KeyKind.ACCESS_TOKEN),
    ("sk-ant-admin", KeyKind.ANTHROPIC_ADMIN),
    ("sk-ant-oat", KeyKind.ANTHROPIC_TOKEN),
    ("sk-ant-", KeyKind.ANTHROPIC),
    ("sk-proj-", KeyKind.OTHER_PROVIDER),
    ("sk-or-", KeyKind.OTHER_PROVIDER),
    ("AIza", KeyKind.OTHER_PROVIDER),
    ("gsk_", KeyKind.OTHER_PROVIDER),
    ("xai-", KeyKind.OTHER_PROVIDER),
)
ROLES = {"anon": KeyKind.PUBLISHABLE, "service_role": KeyKind.SECRET, "authenticated": KeyKind.USER_TOKEN}


def find_key_kind(key: str) -> KeyKind:
    """Return what a key is, by its first letters or by the role that a JSON web token names (it is not verified)."""
    if "://" in key:
        return KeyKind.ADDRESS
    for prefix, kind in PREFIXES:
        if key.startswith(prefix):
            return kind
    parts = key.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload and signature
        return KeyKind.UNKNOWN
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return ROLES.get(claims["role"], KeyKind.UNKNOWN)
    except (ValueError, TypeError, KeyError, RecursionError):
        return KeyKind.UNKNOWN


def check_text(text: str) -> str:
    """Refuse what was copied with something around it, or with a line break inside."""
    if _AROUND.search(text):
        raise ValueError("has a space, a quotation mark or a bracket around it; remove it")
    if not text.isprintable():
        raise ValueError("has a line break or another character in it that cannot be seen; copy it again")
    return text


def check_publishable_key(key: str) -> str:
    """Accept what may be a publishable key; the secret one must never get into the pages."""
    match find_key_kind(check_text(key)):
        case KeyKind.PUBLISHABLE | KeyKind.UNKNOWN:
            return key
        case KeyKind.SECRET:
            raise ValueError(
                "holds the secret key, which opens every analyst's data. Put the publishable (anon) key there, and replace "
                "the secret key in the Supabase project if anybody else could have seen it"
            )
        case kind:
            raise ValueError(f"is {kind}; put the publishable (anon) key of the Supabase project there")


def check_secret_key(key: str) -> str:
    """Accept what may be a secret key."""
    kind = find_key_kind(check_text(key))
    if kind not in (KeyKind.SECRET, KeyKind.UNKNOWN):
        raise ValueError(f"is {kind}; put the secret (service_role) key of the Supabase project there")
    return key


def check_anthropic_key(key: str, *, at_anthropic: bool) -> str:
    """Accept what may be a key for messages; a proxy has keys of its own kind."""
    kind = find_key_kind(check_text(key))
    is_foreign = kind is KeyKind.OTHER_PROVIDER and not at_anthropic
    if not is_foreign and kind not in (KeyKind.ANTHROPIC, KeyKind.UNKNOWN):
        raise ValueError(f"is {kind}; put an API key there that begins with sk-ant-api")
    if " " in key:
        raise ValueError("has a space in it; copy it again")
    return key


def check_supabase_url(url: str) -> str:
    """Accept the address of a project, and return it without a slash at its end."""
    advice = "put the project's address there, such as https://PROJECT.supabase.co"
    parts = _split(url, advice)
    if parts.scheme in ("postgres", "postgresql"):
        raise ValueError(f"is the address of the PostgreSQL database, which belongs in SUPABASE_DB_URL; {advice}")
    _check_web_address(parts, advice)
    if (parts.hostname or "") in ("supabase.com", "www.supabase.com", "app.supabase.com", "app.supabase.io"):
        raise ValueError(f"is the address of Supabase's dashboard; {advice}")
    if _API_PATH.search(parts.path) or parts.query or parts.fragment:
        raise ValueError("goes on behind the host, with the path of one of its APIs; end it behind the host")
    return url.rstrip("/")


def read_days(given: object) -> object:
    """Read `forever` as None, and leave a number to the type."""
    if not isinstance(given, str):
        return given
    if given.lower() == "forever":
        return None
    if not given.isdecimal():
        raise ValueError("is a whole number of days, or forever")
    return given


def check_anthropic_url(url: str) -> str:
    """Accept the address of Claude or of a proxy, and return it without a slash at its end."""
    advice = "put the address of the proxy there, or leave the setting empty for Anthropic's own"
    parts = _split(url, advice)
    _check_web_address(parts, advice)
    if re.search(r"/v1(/messages)?/?$", parts.path):
        raise ValueError("ends in /v1, which is added automatically; remove it")
    if parts.query or parts.fragment:
        raise ValueError(f"goes on behind its path; {advice}")
    return url.rstrip("/")


def check_redis_url(url: str) -> str:
    """Accept the address of a Redis or Valkey server."""
    advice = "put an address there that begins with redis://, or with rediss:// for one that encrypts"
    parts = _split(url, advice)
    if parts.scheme in ("http", "https"):
        raise ValueError(f"is a web address; of a hosted Redis the REST address cannot be used. Instead {advice}")
    if parts.scheme == "unix" and parts.path:
        return url
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError(f"has no scheme that Redis knows; {advice}")
    _check_host(parts, advice)
    if parts.path.strip("/") and not parts.path.strip("/").isdecimal():
        raise ValueError("ends in something that is no number of a database; end it behind the port, or with /0")
    return url


def check_database_url(url: str) -> str:
    """Accept the address of a PostgreSQL database."""
    advice = (
        "put the PostgreSQL address of the project there, such as postgresql://postgres:PASSWORD@HOST:5432/postgres (a "
        "character such as # / or @ in the password is written as %23, %2F, %40)"
    )
    parts = _split(url, advice)
    if parts.scheme not in ("postgres", "postgresql"):
        raise ValueError(f"does not begin with postgresql://; {advice}")
    _check_host(parts, advice)
    return url


def check_web_hook(url: str) -> str:
    """Accept a web address."""
    try:
        parts = _split(url, "")
        _check_host(parts, "")
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https"):
        raise ValueError("must be an http or https address, with nothing around it")
    return url


def describe_unknown(name: str, known: Iterable[str]) -> str:
    """Say that there is no such setting, and which was probably meant."""
    meant = get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"{name} is no setting of Bright Run" + (f"; was {meant[0]} meant?" if meant else "; remove it")


def _split(url: str, advice: str) -> SplitResult:
    check_text(url)
    if _PLACEHOLDER.search(url):
        raise ValueError(f"still has a placeholder in it; {advice}")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ValueError(f"is no address; {advice}") from None
    if not parts.scheme or "://" not in url:
        raise ValueError(f"is no address, which begins like https://; {advice}")
    if " " in url or "\\" in url:
        raise ValueError(f"is no address: there is a space or a backslash in it; {advice}")
    return parts


def _check_web_address(parts: SplitResult, advice: str) -> None:
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"does not begin with https://; {advice}")
    _check_host(parts, advice)
    if parts.username or parts.password:
        raise ValueError(f"has a user or a password in it; {advice}")
    if parts.scheme == "http" and not _is_nearby(parts.hostname or ""):
        raise ValueError("begins with http://, so keys and passwords would be sent for everybody to read; use https://")


def _check_host(parts: SplitResult, advice: str) -> None:
    if not parts.hostname or not _HOST.fullmatch(parts.hostname) or parts.port == 0:
        raise ValueError(f"names no host, or no port that there is; {advice}")


def _is_nearby(host: str) -> bool:
    """Say whether a host is this machine or one of its own network."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(PRIVATE_ENDINGS)
