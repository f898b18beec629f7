"""The phrases by which errors are recognised.

They were collected from messages that Anthropic, its resellers (Bedrock, Vertex, OpenRouter) and proxies (LiteLLM, nginx,
Envoy) really send.
"""

import re

from core.domain.batches.work import CallFailureKind

K = CallFailureKind


def _find_any(*forms: str) -> re.Pattern[str]:
    return re.compile("|".join(forms))


_ACCOUNT = r"\b(organi[sz]ation|account|workspace|project|subscription|consumer)\b"
_TAKEN = r"\b(disabled|suspended|revoked|deactivated|terminated|turned off)\b"
_BLOCKED = (
    rf"((?!revoked){_TAKEN}|\b(banned|locked(?! out)|restricted|on hold|not active|inactive|closed|archived|deleted)\b)"
)
_ACCESS = r"\b(access|service)\b(?! (token|key))"
_PLACE = r"\b(country|countries|regions?|territor(y|ies)|locations?)\b"
_REJECTED = r"\b(invalid|expired|revoked|disabled|deactivated|incorrect|missing|not valid|not found|rejected)\b"
_KEY = r"\b(api[ -]?key|(access|\w*auth\w*|bearer|server|security) token|credentials?)\b"

# The first match decides. What concerns the whole account comes before what concerns one request.
ACCOUNT_WORDS: tuple[tuple[CallFailureKind, re.Pattern[str]], ...] = (
    (K.NO_CREDIT, _find_any(rf"\bbilling\b[^.]{{0,20}}{_BLOCKED}")),
    (
        K.ACCOUNT_BLOCKED,
        _find_any(
            rf"{_ACCOUNT}[^.]{{0,40}}\b(is|was|been)\b[^.]{{0,40}}{_BLOCKED}",
            rf"{_ACCOUNT}[^.]{{0,40}}\b(awaiting|pending|under) (approval|review|verification)",
            rf"\b(identity|{_ACCOUNT}) verification\b[^.]{{0,10}}\brequired\b",
            r"\baccept\b[^.]{0,40}\bterms\b|\baccount is not authorized\b",
            r"^\W*operation not allowed\W*$",
            rf"{_TAKEN}[^.]{{0,20}}{_ACCESS}[^.]{{0,40}}{_ACCOUNT}",
            rf"{_ACCESS}[^.]{{0,30}}{_TAKEN}[^.]{{0,30}}{_ACCOUNT}",
            rf"{_ACCOUNT}[^.]{{0,30}}{_TAKEN}[^.]{{0,40}}{_ACCESS}",
            rf"\bapi access\b[^.]{{0,30}}{_TAKEN}",
            r"\b(disabled|suspended|deactivated|banned|terminated) (organi[sz]ation|account|workspace)\b",
            r"\b(account|organization)_?(deactivated|disabled|suspended)\b",
        ),
    ),
    (
        K.SPEND_LIMIT,
        _find_any(
            r"\bspend(ing)?[ _-]?limit",
            r"(?<!not your )\busage limits?\b",
            r"\bregain access\b",
            r"\bextra usage\b",
            r"\bkey limit exceeded",
            r"\b(daily|weekly|monthly)( \w+)? (limit|budget|quota|allowance)",
            r"\b(tokens|requests) per day\b",
            r"\bbudget\b[^.]{0,30}\b(exceeded|reached|exhausted|used up)",
            r"\b(exceeded|over|reached|exhausted)\b[^.]{0,30}\bbudget\b",
            r"exceededbudget|budget_exceeded|insufficient_quota|exceeded your current quota|out of call volume quota",
            r"\b(hit|reached) your limit\b|\b\d+[ -]hour limit reached\b",
        ),
    ),
    (
        K.NO_CREDIT,
        _find_any(
            r"\bcredit balance\b",
            r"\b(insufficient|not enough)[ _](credits?|balance|funds)",
            r"\b(more|out of|purchase) credits?\b",
            r"\bcredits?\b[^.]{0,20}\b(exhausted|depleted|used up|expired)",
            r"\bbilling_error\b|\b(set ?up|requires?|enable) (for )?billing\b",
            r"\bbilling\b[^.]{0,20}\b(required|enabled|failed)\b",
            r"\b(payment|billing)[ _](required|method|instrument)",
            r"\b(unpaid|overdue|past[ -]due|outstanding)\b[^.]{0,20}\b(invoices?|bills?|balance|payments?)\b",
            r"\bfree trial\b[^.]{0,20}\b(ended|expired|over)\b|\bnot have enough credits?\b",
        ),
    ),
    (
        K.REGION_BLOCKED,
        _find_any(
            r"unsupported_country|\bregionerror\b|\berror( code:)? 1009\b",
            rf"\b(blocked|banned)\b[^.]{{0,40}}{_PLACE}",
            rf"{_PLACE}[^.]{{0,40}}\b(not|isn't) (supported|available|allowed)",
            rf"\b(not|isn't) (supported|available|allowed|offered)\b[^.]{{0,60}}{_PLACE}",
            rf"\bunsupported {_PLACE}",
            rf"\b(un|only |not )(available|servable|offered|supported)[ -](only )?in[ -](\w+[ -])?{_PLACE}",
        ),
    ),
    # The key is valid, but not for this: a workspace it does not belong to, a token that a browser may not send.
    (
        K.FORBIDDEN,
        _find_any(
            r"\b(workspace|organi[sz]ation)\b[^.]{0,60}\b(not found|does not exist|not exist)\b",
            r"\bpermission ('[^']*' )?denied\b|\bnot allowed to access (this )?model\b",
            r"\bmatching your data policy\b|\buse case details\b|\bnot authorized to perform\b",
        ),
    ),
    (K.PROXY, _find_any(r"\bcors requests are not allowed\b")),
    (
        K.BAD_KEY,
        _find_any(
            r"\b(invalid|incorrect|missing|unknown|no)[ _](x-)?(api|subscription)[ _-]?key",
            r"\bsignature\b[^.]{0,40}\bdoes not match\b|signaturedoesnotmatch|invalidaccesskeyid",
            r"x-api-key header is required|invalid bearer|invalid proxy server token",
            rf"{_KEY}[^.]{{0,40}}{_REJECTED}",
            rf"{_KEY}[^.]{{0,20}}\bonly authorized for\b",
        ),
    ),
)
REGION = next(found for kind, found in ACCOUNT_WORDS if kind is K.REGION_BLOCKED)
REQUEST_WORDS: tuple[tuple[CallFailureKind, re.Pattern[str]], ...] = (
    (
        K.CONTENT_FILTERED,
        _find_any(
            r"content[ _-]?(filter|management polic|policy|moderation)",
            r"\bblocked by\b[^.]{0,40}\b(polic|filter|safety|guardrail)",
            r"\b(output|input|prompt|response|completion) (was |has been |is )?(blocked|flagged|filtered)",
            r"\bviolat\w+\b[^.]{0,60}\bpolic",
            r"\bguardrail",
        ),
    ),
    (
        K.UNKNOWN_MODEL,
        _find_any(
            r"\bmodels?\b[^.]{0,120}\b(not found|does not exist|doesn't exist|not exist|unknown|deprecated|retired)\b",
            r"\b(unknown|invalid|unsupported|nonexistent) model\b|\binvalid model name|model_not_found",
            r"\bmodel identifier is invalid|\bno endpoints found|\bno healthy deployments|\bnot a valid model\b",
            r"\bmodel\b[^.]{0,40}\b(end of its life|as legacy)\b",
            r"deploymentnotfound|\bdeployment\b[^.]{0,40}\bdoes not exist\b",
        ),
    ),
    (K.FORBIDDEN, _find_any(r"\b(does not|doesn't|do not|don't) have (access|permission)\b")),
)
# Said of an account explicitly: what no server says of a moment, and no prompt that an error quotes says of itself.
STATEMENTS: tuple[tuple[CallFailureKind, re.Pattern[str]], ...] = (
    (
        K.NO_CREDIT,
        _find_any(
            r"(?<!my )\bcredit balance is\b[^.]{0,20}\b(low|insufficient|negative|exhausted)\b",
            r"\b(insufficient|not enough)[ _](credits?|balance|funds)|\b(requires more|out of) credits?\b",
            r"\b(unpaid|overdue) invoice\b|\byour free trial has\b|\binvalid_payment_instrument\b|\bbilling_error\b",
            rf"\byour (organi[sz]ation's )?billing\b[^.]{{0,20}}{_BLOCKED}",
        ),
    ),
    (
        K.ACCOUNT_BLOCKED,
        _find_any(
            rf"\b(your|this|the) {_ACCOUNT} (is|was|has been) (currently )?{_BLOCKED}",
            rf"\bapi access (is|was|has been) {_TAKEN}",
            r"\b(account|organization)_?(deactivated|disabled|suspended)\b",
        ),
    ),
    (
        K.SPEND_LIMIT,
        _find_any(
            r"\bregain access on\b|\bextra usage\b|(?<!my )\bspend(ing)?[ _-]?limit|\bkey limit exceeded",
            r"\b(hit|reached|crossed|exceeded) (your|its|the)\b[^.]{0,40}\busage (limits?|threshold)\b",
            r"\busage limit reached\b",
            r"\b(hit|reached) your limit\b|\b\d+[ -]hour limit reached\b",
            r"\b(hit|reached|exceeded)\b[^.]{0,20}\b(daily|weekly|monthly)( \w+)? (limit|budget|quota|allowance)",
            r"\b(daily|weekly|monthly)( \w+)? (limit|budget|quota|allowance) (has been |was |is )?(hit|reached|exceeded)",
            r"\b(tokens|requests|models)[ -]per[ -]day\b|\bbudget has been exceeded\b|out of call volume quota",
            r"exceededbudget|budget_exceeded|insufficient_quota|exceeded your current quota",
        ),
    ),
    (
        K.REGION_BLOCKED,
        _find_any(
            r"unsupported_country|\bregionerror\b",
            rf"\b(not|isn't) (supported|available|allowed) (in your|from unsupported) {_PLACE}",
        ),
    ),
    (K.BAD_KEY, _find_any(r"\b(invalid|incorrect) (x-)?api[ -]?key\b")),
    (
        K.CONTENT_FILTERED,
        _find_any(r"\b(output|input|prompt|response|completion) (was |has been |is )?blocked by content filter"),
    ),
)
PASSING_WORDS: tuple[tuple[CallFailureKind, re.Pattern[str]], ...] = (
    (K.RATE_LIMITED, _find_any(r"rate[ _-]?limit", r"too many requests", r"throttl", r"slow down", r"quota exceeded")),
    (
        K.OVERLOADED,
        _find_any(r"overloaded", r"(at|over) capacity", r"high (demand|load)", r"\b(server|service|system) (is )?busy"),
    ),
    (K.TIMEOUT, _find_any(r"timed? ?out", r"deadline exceeded")),
    (
        K.SERVER_ERROR,
        _find_any(
            r"internal (server )?error",
            r"bad gateway",
            r"(service|temporarily) unavailable",
            r"\bupstream\b",
            r"\btry again\b",
            r"connection reset",
        ),
    ),
)
NETWORK_WORDS = (
    (K.REGION_BLOCKED, REGION),
    (
        K.PROXY,
        _find_any(
            r"\b(web ?filter|firewall|your network|(network|security) polic\w+)\b",
            r"\bproxy (has )?(blocked|denied)\b|\bblocked by policy\b",
            r"\b(site|web ?page|url|domain)\b[^.]{0,40}\b(blocked|denied|restricted)\b",
        ),
    ),
)
"""From a server that does not speak Claude's API: a network that blocks an address is not refusing content."""
QUOTED_PROMPT = re.compile(r"[\"']content[\"']\s*:\s*(?:'[^']*'?|\"[^\"]*\"?)")
FIELD = re.compile(
    r"(messages|system|tools|tool_choice|max_tokens|metadata|output_config|thinking|temperature)\b(\.[\w.]+)?: "
    r"|prompt is too long"
)
"""How Claude's messages about one field of a request begin, whatever the field holds."""
PER_MOMENT = re.compile(r"per[ _-](second|minute|min)\b")
SIGN_IN = re.compile(
    r"\b(log|sign) ?[io]n\b|single sign|\bsso\b|\bsaml\b|authenticat|captive|proxy|firewall|blocked|denied", re.IGNORECASE
)
