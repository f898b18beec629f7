"""Patterns of secrets in texts: the one list for failures, reports and logs."""

import re

HIDDEN = "[hidden]"
_SECRETS = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----"  # of PEM files, also cut ones
    r"(?:.{0,8000}?-----END [A-Z ]{0,30}PRIVATE KEY-----|(?:(?:\s|\\+[rn])*[\w+/=]{8,})*)"
    r"|sk-ant-[\w-]{4,}|sk-(?=[\w-]*\d)[\w-]{8,}"  # keys of Anthropic and others
    r"|sb_(?:secret|publishable)_[\w-]+"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}|AIza[\w-]{16,}|ya29\.[\w.-]{8,}"  # of AWS and Google
    r"|gh[opusr]_\w{12,}|github_pat_\w{8,}|glpat-[\w-]{8,}|xox[a-z]-[\w-]{8,}|xapp-[\w-]{8,}"  # of GitHub, GitLab, Slack
    r"|(?<=hooks\.slack\.com/)[^\s\"'<>\\]+|(?<=webhook\.office\.com/)[^\s\"'<>\\]+"  # addresses that are secrets themselves
    r"|(?:(?<=discord\.com/api/webhooks/)|(?<=discordapp\.com/api/webhooks/))[^\s\"'<>\\]+"
    r"|eyJ[\w-]{8,}\.[\w-]*(?:\.[\w-]*)?"  # JSON Web Tokens, also cut ones
    r"|(?<=://)[^\s/@:'\"]*:[^\s'\"]+(?=@)"  # user and password of an address
    r"|(?i:(?<=bearer )|(?<=basic ))[\w.~+/=-]{8,}"
    r"|(?i:(?<=header value ))b?\\*(?:'[^']*'|\"[^\"]*\")",  # as a library quotes it that cannot send it
    re.DOTALL,
)
_MACHINE_NAMES = (
    r"api[_-]key|apikey|subscription-key|secret[_-]?(?:access[_-])?key|private[_-]key|client[_-]secret|token_hash"
    r"|(?:access|refresh|id|session|auth|security)[_-]token"
)
_NAMES = rf"(?:{_MACHINE_NAMES}|password|passwd|authorization|cookie)"
_QUOTED = re.compile(
    rf"({_NAMES}\\*[\"']?\s*(?:[:=]|,(?=\s*b?\\*[\"']))\s*b?)(\\*[\"'])(?!\2).*?(?:(?<!\\)\2|$)", re.IGNORECASE | re.DOTALL
)
"""By the name that stands before it, in quotes: whole, with its blanks."""
_ASSIGNED = re.compile(rf"({_NAMES}\\*[\"']?\s?=\s?)[^\s\"'&,;)}}\]]+", re.IGNORECASE)
_IN_ADDRESS = re.compile(
    r"([?&;](?:token|sig|signature|key|secret|code|x-amz-(?:signature|security-token|credential))=)[^\s&#\"'<>\\]+",
    re.IGNORECASE,
)
_VALUE = r"(?:(?=[^\s\"'\\]*[\d_+/=])[^\s\"'\\,;]{6,}|[^\s\"'\\,;]{16,})"
_HEADER = re.compile(
    rf"((?:{_MACHINE_NAMES})\s*:\s*){_VALUE}"
    rf"|(authorization\s*:\s*)(?:[\w-]+ )?{_VALUE}[^\r\n\"'\\]*"
    r"|(cookie\s*:\s*)[^\s\"'\\=]{1,100}=[^\r\n\"'\\]*",
    re.IGNORECASE,
)
"""Behind a colon only what no word is: prose stands there, too."""


def hide_secrets(text: str) -> str:
    """Return the text without what looks like a key, a token or a password."""
    shown = _QUOTED.sub(rf"\g<1>\g<2>{HIDDEN}\g<2>", _SECRETS.sub(HIDDEN, text))
    for named in (_HEADER, _ASSIGNED, _IN_ADDRESS):
        shown = named.sub(lambda found: f"{next(filter(None, found.groups()))}{HIDDEN}", shown)
    return shown
