"""The ways in which a finished text may end without a full stop.

Each entry costs recall, since a cut may fall there too: hence forms that a sentence rarely contains, and no bare names, list
items or numbers.
"""

import re
import unicodedata

from core.domain.verdict.connectives import ends_with_connective

TERMINATORS = ".!?…。．！？｡।॥؟۔։።፧፨‽‼⁉⁇⁈⸮\u037e။។៕៚།༎༏๚๛᠃᠉᙮꓿꘎꛳"
COMMAS, COLONS = ",，、،՝၊፣፥", ":：፦"
CLOSERS = "«‹\"'”’»“‘›)]}」』）】》〉〕］｝＂＇″′⟩⟫*_~`∎□■"

# A pattern that could backtrack sees only a limited number of characters of the end, so that the time stays linear.
_TAIL = 240
_LONGEST_SHORT_ANSWER = 40
_LONGEST_EMOTICON = 5
_FIRST_SYMBOL = 0x2190
# Behind an emoji: selectors, joiners, skin tones, the circle of a key cap, and the tags that spell a flag.
_EMOJI_TAIL = "\ufe0e\ufe0f\u200d\u20e3"
_FIRST_TAG, _LAST_TAG = 0xE0020, 0xE007F

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)
_TAGS_AT_END = re.compile(r"(?:\s*</[A-Za-z][\w-]{0,20}>|\s*<br ?/?>)+\Z")
# Thai and Lao part sentences with a blank.
_SCRIPT_WITHOUT_MARK = re.compile(r"[\u0e00-\u0eff]\Z")
_FOOTNOTE = re.compile(r"[.!?…][\"'”’)*]*\s?(?:\[\^?\d{1,3}\]|[⁰¹²³⁴-⁹]+)+\Z")
_EMOTICON_ENDS = "()[]DPpO/|*\\3^_-oT"
_EMOTICON = re.compile(r"(?:^|\s)(?:[:;=]'?-?[)(DPpO/|*\]\[]|<3|\^_?\^|[xX]D|\(:|-_-|[oO][._][oO]|T_T)\Z")

# A sentence goes on with these words; a letter is not signed with them.
_NO_NAME = (
    r"(?!(?:However|The|An?|I|We|You|It|This|That|These|There|And|But|So|Or|If|When|While|First|Second|Then|Next|Also|"
    r"Because|What|My|Your|Our)\b)"
)
_NAME = rf"{_NO_NAME}[A-Z][\w'’.-]*(?: [A-Z][\w'’.-]*){{0,2}}(?:, [A-Z]{{2,4}}®?)?"
_VALEDICTION = (
    r"(?:(?:all the |my |very )?best(?: wishes| regards)?|(?:kind |warm |warmest )?regards|warmly|sincerely|cheers|"
    r"(?:with )?(?:love|gratitude|care|warmth)|yours(?: truly| sincerely)?|take care|talk soon|(?:many )?thanks(?: again)?|"
    r"thank you|see you (?:soon|then|next week)|until next time|good luck|xo+)"
)
_SIGNED = re.compile(rf"(?i:{_VALEDICTION})\s*(?:[,—–-]|[,!]?\s*\n)\s*[—–-]?\s*{_NAME}\Z")
_DASH_SIGNED = re.compile(rf"(?:[—–]|--)\s?{_NAME}\Z|-{_NAME}\Z")
# A line that is nothing but "Best" may be the start of "Best case"; these are not the start of much else.
_FAREWELL = re.compile(
    r"(?i:talk soon|take care|warmly|sincerely|cheers|thanks(?: again| so much)?|good luck|see you (?:soon|then)|"
    r"until next time)\Z"
)
_SHORT_WORD = (
    r"(?:ok(?:ay)?|yes|yeah|yep|yup|no|nope|sure|thanks|thank you|thx|got it|agreed|absolutely|definitely|exactly|correct|"
    r"right|great|perfect|true|maybe|probably|never|always|of course|sounds good|makes sense|not yet|not really|not sure|"
    r"please|[$€£]?\d{1,3}(?:,?\d{3})*(?:\.\d+)?(?:%|k|m|bn)?)"
)
_SHORT_ANSWER = re.compile(rf"(?i:{_SHORT_WORD}(?:,? (?:and )?{_SHORT_WORD}){{0,3}})\Z")
_WEB_ADDRESS = re.compile(
    r"(?:^|[\s(<])(?:https?://|[\w.+-]+@)?(?:[\w-]+\.)+"
    r"(?:com|org|net|gov|edu|io|info|dev|app|ai|tv|eu|uk|de|fr|ch|at|it|es|nl|be|pl|cz|ru|ua|jp|cn|kr|br|ca|au|us)/?>?\Z"
)
# A blank that a reader is to fill in.
_BLANK_TO_FILL = re.compile(r"(?:^|\s)_{3,}\Z")
_RULE = re.compile(r"-{3,}|\*{3,}|_{3,}")
_PHONE_NUMBER = re.compile(
    r"(?:\(\d{3}\) ?|\b\d{3}[-. ])\d{3}[-. ]\d{4}\Z|(?i:\b(?:call|text|dial)(?: or (?:call|text|dial))? )(?:988|911|211)\Z"
)
# A program's or a writer's own note that the rest is missing.
_SAYS_CUT = re.compile(
    r"[\[(<（【{…]\s*"
    r"(?:(?:the )?(?:message|text|response|output|answer|content|reply|conversation|rest)s? (?:was |is |has been )?)?"
    r"(?:clipped|truncated|cut[- ]?off|shortened|omitted|continue[sd](?: (?:in|on|below|next)[^\])>）】}]{0,40})?|"
    r"to be continued|more to follow|snip|fortsetzung folgt|gekürzt|abgeschnitten|à suivre|tronqué|"
    r"suite au prochain message|continuará|continúa|truncado|troncato|ciąg dalszy nastąpi|продолжение следует|обрезано|"
    r"未完待续|未完待續|已截断|已截斷|续下条|下一条继续|つづく|続く|次のメッセージに続く|계속|다음 메시지에 계속)"
    r"\.{0,3}\s*[\])>）】}…]\Z",
    re.IGNORECASE,
)
_LONGEST_NOTE = 80


def says_that_it_is_cut(prose: str) -> bool:
    """Whether a text ends with a note such as "[message clipped]"."""
    return prose[-1] in "])>）】}…" and _SAYS_CUT.search(prose[-_LONGEST_NOTE:]) is not None


def needs_no_full_stop(prose: str) -> bool:
    """Whether the text ends as a finished text may, though no sentence ends there."""
    line, tail = last_line(prose), prose[-_TAIL:]
    return (
        _is_emoji(prose[-1])
        or ends_with_emoticon(prose)
        or ends_with_blank_to_fill(prose)
        or _FOOTNOTE.search(tail) is not None
        or (len(prose) <= _LONGEST_SHORT_ANSWER and _SHORT_ANSWER.match(prose) is not None)
        or _is_sign_off(prose)
        or (_WEB_ADDRESS.search(tail) is not None and not line.startswith("|"))
        or _PHONE_NUMBER.search(tail) is not None
        or _is_closed_table(prose, line)
        or (line.strip() in ("```", "~~~") and fences_are_closed(prose))
        or _is_rule(prose, line)
        or _is_enclosed(line.strip())
        or (_SCRIPT_WITHOUT_MARK.search(tail) is not None and not ends_with_connective(prose))
    )


def ends_with_blank_to_fill(prose: str) -> bool:
    """Whether the text ends as in "The capital of France is ____"."""
    return prose[-1] == "_" and _BLANK_TO_FILL.search(prose[-_TAIL:]) is not None


def ends_with_emoticon(prose: str) -> bool:
    """Whether the text ends as in "better now :)"."""
    return prose[-1] in _EMOTICON_ENDS and _EMOTICON.search(prose[-_LONGEST_EMOTICON:]) is not None


def fences_are_closed(prose: str) -> bool:
    """Whether no code block is open at the end."""
    return len(_FENCE.findall(prose)) % 2 == 0


def last_line(prose: str) -> str:
    """Return the text after the last line break."""
    return prose[prose.rfind("\n") + 1 :]


def ends_sentence(bare: str) -> bool:
    """Whether the last character ends a sentence in any script; Greek asks with a semicolon."""
    last = bare[-1:]
    return last != "" and (last in TERMINATORS or (last == ";" and "\u0370" <= bare[-2:-1] <= "\u03ff"))


def strip_closing_tags(prose: str) -> str:
    """Return the text without closing HTML tags at its end, which say nothing about the sentence."""
    return _TAGS_AT_END.sub("", prose) if prose.endswith(">") else prose


def _is_emoji(character: str) -> bool:
    code = ord(character)
    if character in _EMOJI_TAIL or _FIRST_TAG <= code <= _LAST_TAG:
        return True
    return code >= _FIRST_SYMBOL and unicodedata.category(character) in ("So", "Sk")


def _is_sign_off(prose: str) -> bool:
    """A closing on lines of its own, after a finished sentence: "Warmly, Sarah", "— Elena", "Talk soon"."""
    lines = [line.strip() for line in prose[-_TAIL:].split("\n") if line.strip()]
    *before, last = lines
    if before and before[-1].startswith(("-", "–", "—")):
        return False  # A list with dashes.
    if before and _SIGNED.fullmatch(f"{before[-1]}\n{last}"):
        return len(before) == 1 or _ends_sentence(before[-2])
    closes = any(form.fullmatch(last) for form in (_SIGNED, _DASH_SIGNED, _FAREWELL))
    return closes and (not before or _ends_sentence(before[-1]))


def _ends_sentence(line: str) -> bool:
    bare = line.rstrip(CLOSERS)
    return ends_sentence(bare) or (bare != "" and _is_emoji(bare[-1]))


def _is_rule(prose: str, line: str) -> bool:
    """A horizontal rule under a finished sentence."""
    return _RULE.fullmatch(line.strip()) is not None and _ends_sentence(prose[: len(prose) - len(line)].rstrip())


def _is_closed_table(prose: str, line: str) -> bool:
    """The last row has as many cells as the row above, and is not the heading nor the rule under it."""
    row = line.strip()
    if not row.startswith("|") or not row.endswith("|") or not row.strip(" :|-"):
        return False
    above = prose[: len(prose) - len(line)].rstrip().rpartition("\n")[2].strip()
    return above.startswith("|") and above.count("|") == row.count("|")


def _is_enclosed(line: str) -> bool:
    """The whole line is one quotation or parenthesis, like many sentences to be said aloud."""
    pairs = {'"': '"', "“": "”", "(": ")"}
    bare = line.strip("*_ ")
    inside = bare[1:-1]
    return inside != "" and pairs.get(bare[0]) == bare[-1] and not any(mark in inside for mark in '"“”()')
