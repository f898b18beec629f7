"""The ways in which a finished text may end without a full stop.

Each entry costs recall, since a cut may fall there too: hence forms that a sentence rarely runs through, and no bare names,
list items or numbers.
"""

import re
import unicodedata

TERMINATORS = ".!?…。．！？।؟۔։።‽‼⁉"
CLOSERS = "\"'”’»«“)]}」』）】》*_~`"

# A pattern that could backtrack only ever sees so many characters of the end, so that the time stays linear.
_TAIL = 240
_LONGEST_SHORT_ANSWER = 40
_LONGEST_EMOTICON = 5
_FIRST_EMOJI = 0x2600

_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)
_FOOTNOTE = re.compile(r"[.!?…][\"'”’)*]*\s?(?:\[\^?\d{1,3}\]|[⁰¹²³⁴-⁹]+)+\Z")
_EMOTICON = re.compile(r"(?:^|\s)(?:[:;]'?-?[)(DP]|<3)\Z")

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
_WEB_ADDRESS = re.compile(r"(?:^|[\s(<])(?:https?://|[\w.+-]+@)?(?:[\w-]+\.)+(?:com|org|net|gov|edu|io)/?>?\Z")
_RULE = re.compile(r"-{3,}|\*{3,}|_{3,}")
_PHONE_NUMBER = re.compile(
    r"(?:\(\d{3}\) ?|\b\d{3}[-. ])\d{3}[-. ]\d{4}\Z|(?i:\b(?:call|text|dial)(?: or (?:call|text|dial))? )(?:988|911|211)\Z"
)


def needs_no_full_stop(prose: str) -> bool:
    """Whether the text ends as a finished text may, though no sentence ends there."""
    line, tail = last_line(prose), prose[-_TAIL:]
    return (
        _is_emoji(prose[-1])
        or ends_with_emoticon(prose)
        or _FOOTNOTE.search(tail) is not None
        or (len(prose) <= _LONGEST_SHORT_ANSWER and _SHORT_ANSWER.match(prose) is not None)
        or _is_sign_off(prose)
        or _WEB_ADDRESS.search(tail) is not None
        or _PHONE_NUMBER.search(tail) is not None
        or _is_closed_table(prose, line)
        or (line.strip() == "```" and fences_are_closed(prose))
        or _is_rule(prose, line)
        or _is_enclosed(line.strip())
    )


def ends_with_emoticon(prose: str) -> bool:
    """Whether the text ends as in "better now :)"."""
    return _EMOTICON.search(prose[-_LONGEST_EMOTICON:]) is not None


def fences_are_closed(prose: str) -> bool:
    """Whether no code block is open at the end."""
    return len(_FENCE.findall(prose)) % 2 == 0


def last_line(prose: str) -> str:
    """What stands behind the last line break."""
    return prose[prose.rfind("\n") + 1 :]


def _is_emoji(character: str) -> bool:
    return character == "\ufe0f" or (ord(character) >= _FIRST_EMOJI and unicodedata.category(character) in ("So", "Sk"))


def _is_sign_off(prose: str) -> bool:
    """A closing on lines of its own, behind a finished sentence: "Warmly, Sarah", "— Elena", "Talk soon"."""
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
    return bare != "" and (bare[-1] in TERMINATORS or _is_emoji(bare[-1]))


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
    """The line as a whole is one quotation or parenthesis, as a sentence to say aloud often stands."""
    pairs = {'"': '"', "“": "”", "(": ")"}
    bare = line.strip("*_ ")
    inside = bare[1:-1]
    return inside != "" and pairs.get(bare[0]) == bare[-1] and not any(mark in inside for mark in '"“”()')
