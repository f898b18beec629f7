"""Dots that do not end a sentence: of an abbreviation, a list number, half an ellipsis, a heading."""

import re

from core.domain.verdict.closings import last_line
from core.domain.verdict.verdict import Confidence

_LONGEST = 16
_LIST_MARKER = re.compile(r"[ \t>*_-]*(?:\d{1,3}|[A-Za-z])\.\Z")
_NUMBER_BEHIND_SENTENCE = re.compile(r"[.!?:;]\s+(\d{1,2})\.\Z")
_HEADING = re.compile(r" {0,3}#{1,6}\s")
# Behind these a full stop ends no sentence; "etc.", "Inc." and "p.m." can end one, and so can "Part D." and "Plan B.".
# By line: English; Germanic; Romance; Polish, Czech, Turkish; Russian, Bulgarian, Greek.
_ABBREVIATION_WORDS = """
    e.g i.e vs cf viz approx incl esp mr mrs ms dr prof messrs dept jan feb aug sept oct nov www
    z.b d.h bzw ca cca vgl evtl ggf sog inkl zzgl abzgl bspw nr abb tel u.u bijv d.w.z o.a m.b.t t.o.v mevr dhr
    t.ex bl.a dvs f.eks p.ex c.-à-d env chap sr sra srta srs dra exmo exma ud uds p.ej ej núm pág pp sig dott avv cfr
    np tzn tzw m.in tj ul św např tzv mj örn ún
    т.е т.к т.н напр см см.рис см.табл ул стр г-н г-жа тов π.χ δηλ βλ
"""
_TITLE_WORDS = """
    St Rs Rep Sen Gov Gen Col Capt Lt Sgt Rev Hon Pres Mt Ft Fig Figs Eq Vol Nos Str Hr Fa Abs Kap Mme Mlle MM Bd Ing No
"""
_ABBREVIATIONS, _TITLES = frozenset(_ABBREVIATION_WORDS.split()), frozenset(_TITLE_WORDS.split())
_BEFORE_A_NAME = frozenset(("à", "de", "par", "chez", "avec", "pour", "et", "que"))
_OPENING_MARKS = "([{\"'“„«‘*_"
# A single letter is half of "e.g.", "a.m." or "U.S.", while "I." and "Plan A." end sentences.
_BEFORE_A_LETTER = (*" \n([\"'“0123456789", "")
_SINGLE_LETTER = re.compile(r"(?<![\w.])[eiapU]\.\Z|(?<=\d)[ap]\.\Z")


def weigh_false_stop(prose: str) -> Confidence | None:
    """How sure it is that the dot at the end does not end a sentence; None if it does."""
    if prose[-1] != ".":
        return Confidence.MEDIUM if _HEADING.match(last_line(prose)) else None
    line, tail = last_line(prose), prose[-_LONGEST:]
    if _is_list_number(line, tail, prose) or _is_abbreviation(tail):
        return Confidence.HIGH
    if line.startswith((" ", "#")) and _HEADING.match(line) and ": " not in line:
        return Confidence.MEDIUM
    is_half = tail.endswith("..") and not tail.endswith("...")
    return Confidence.LOW if is_half or (tail[-3:-2] in _BEFORE_A_LETTER and _SINGLE_LETTER.search(tail)) else None


def _is_list_number(line: str, tail: str, prose: str) -> bool:
    if not tail[-2:-1].isalnum():
        return False
    number = _NUMBER_BEHIND_SENTENCE.search(tail) if tail[-2].isdecimal() else None
    counts_on = number is not None and f"{int(number[1]) - 1}." in prose
    return counts_on or (len(line) <= _LONGEST and _LIST_MARKER.fullmatch(line) is not None)


def _is_abbreviation(tail: str) -> bool:
    """The last word, or the last two letters with a blank between: "z. B."."""
    *before, last = tail[:-1].split()[-2:] or [""]
    word, previous = last.rpartition("/")[2].lstrip(_OPENING_MARKS), before[0] if before else ""
    if len(word) > 1 and word.isupper():
        return word in _TITLES
    if word.casefold() in _ABBREVIATIONS or f"{previous}{word}".casefold().lstrip(_OPENING_MARKS) in _ABBREVIATIONS:
        return True
    if word == "No":
        return previous[-1:].isalnum()  # "No." alone is an answer.
    return word in _TITLES or (word == "M" and previous in _BEFORE_A_NAME)
