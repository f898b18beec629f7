"""What looks like a secret, wherever it stands in a text: the one list for failures, reports and logs."""

import re

HIDDEN = "[hidden]"
_SECRETS = re.compile(
    r"sk-ant-[\w-]{4,}|sk-(?=[\w-]*\d)[\w-]{8,}"  # keys of Anthropic and others
    r"|sb_(?:secret|publishable)_[\w-]+"
    r"|eyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*)?"  # JSON Web Tokens, also cut ones
    r"|(?<=://)[^\s/@:'\"]*:[^\s'\"]+(?=@)"  # user and password of an address
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}"
    r"|(?i:(?<=header value ))b?\\*(?:'[^']*'|\"[^\"]*\")"  # as a library quotes it that cannot send it
)
_NAMED = re.compile(
    r"((?:password|passwd|api[_-]?key|secret[_-]?key|client_secret|(?:access|refresh)_token|token_hash)"
    r"(?:(?:\\*[\"'])?=(?:\\*[\"'])?|(?:\\*[\"'])?\s*:\s*\\*[\"']))[^\s\"'&,;)}\]]+",
    re.IGNORECASE,
)
"""A value by the name that stands before it; words behind a colon are prose, unless they are quoted."""


def hide_secrets(text: str) -> str:
    """Return the text without what looks like a key, a token or a password."""
    return _NAMED.sub(rf"\g<1>{HIDDEN}", _SECRETS.sub(HIDDEN, text))
