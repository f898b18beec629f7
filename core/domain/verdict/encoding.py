"""Whether a text was read in another encoding than it was written in, judged by its characters, for all scripts."""

import re
from collections import Counter
from itertools import islice

from core.domain.record import Record

_UNPRINTABLE = re.compile(r"[\ufffd\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_QUESTION_MARKS = re.compile(r"(?<!\?)(?:\?{2,}[ ,]+){2,}\?{2,}")
_QUOTED_PRINTABLE = re.compile(r"=(?:C[23]|D[01]|E2=8[0-9A-F])=[89AB][0-9A-F]")
# A script of other letters, read as Latin: no word has nothing but accents.
_ONLY_ACCENTS = re.compile(r"[À-ÖØ-öø-ÿ]{6,}")
_ACCENTED_WORDS = re.compile(r"[À-ÖØ-öø-ÿ](?<![^\W_].)[À-ÖØ-öø-ÿ]+(?:[ ,.!?]+[À-ÖØ-öø-ÿ]{2,}){3,}(?![^\W_])")
# The marks of UTF-8 text, read as Chinese: characters that nobody has written for centuries.
_READ_AS_GBK = re.compile(r"[锛銆紝锟鈥](?:(?<=锟)斤|(?<=[A-Za-z]鈥)|(?<=[锛銆紝])(?=[\u4e00-\u9fff]))")
# Cyrillic read in another Cyrillic encoding: small and capital letters change places.
_OTHER_CYRILLIC = re.compile(r"[а-яё](?<![^\W\d_].)[А-ЯЁ]{3,}[ ,.!?-]+[А-ЯЁ]{2,}(?![^\W\d_])")
# Letters that end a word in capitals stand before typographic marks, as broken characters do.
_CAPITALS = re.compile(r"(?<=[A-ZÀ-ÖØ-Þ])[ÃÂ](?=[^\w\s](?!\w))")

_CODECS = ("latin-1", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1257", "iso8859-2", "mac_roman", "cp437", "cp850")
_WIDE_CODECS = ("gb18030", "shift_jis", "cp949")
# What ftfy does not undo, since its bytes are letters there.
_OTHER_CODECS = ("cp1251", "cp1253", "cp1250", "cp1255", "cp1256", "cp874", "koi8-r", "cp850", "mac_roman", *_WIDE_CODECS)
_LONG_RUN = re.compile(r"[^\x00-\x7f]{6,60}")
_WITHIN_WORD = re.compile(r"[^\x00-\x7f\u00c0-\u024f\u2010-\u2027](?<=[A-Za-z].)\S?[^\x00-\x7f]{0,2}(?=[a-z])")
_TYPOGRAPHIC = "’‘“”—–…\u00a0"
_LATIN = re.compile(r"[\u00c0-\u024f\u1e00-\u1eff\u2010-\u203a]")
_MOST_RUNS, _ENOUGH, _AROUND = 20, 3, 12


def _list_characters(codecs: tuple[str, ...], first: int, last: int) -> str:
    data = (bytes([byte]) for byte in range(first, last + 1))
    return re.escape("".join(sorted({byte.decode(codec, "ignore") for byte in data for codec in codecs} - {""})))


# The first byte of a character in UTF-8 and the next, as such encodings show them. Good text has few such pairs.
_PAIR = re.compile(f"[{_list_characters(_CODECS, 0xC2, 0xF4)}][{_list_characters(_CODECS, 0x80, 0xBF)}]")


class BrokenEncoding(Record):
    """Where the first characters are that say so."""

    start: int
    end: int


def find_broken_encoding(text: str) -> BrokenEncoding | None:
    """Return the first place that cannot have been written like this."""
    found = (
        _UNPRINTABLE.search(text)
        or ("?? " in text and _QUESTION_MARKS.search(text))
        or ("=" in text and _QUOTED_PRINTABLE.search(text))
        or (not _is_plain(text) and _find_wrong_letters(text))
    )
    return BrokenEncoding(start=found.start(), end=found.end()) if found else None


def _find_wrong_letters(text: str) -> re.Match[str] | None:
    patterns = (_ONLY_ACCENTS, _ACCENTED_WORDS, _READ_AS_GBK, _OTHER_CYRILLIC)
    return next((found for each in patterns if (found := each.search(text))), None) or _find_mojibake(text)


def _is_plain(text: str) -> bool:
    """Whether only typographic marks are beyond ASCII: true of most English texts, and quickly checked."""
    if not text.isascii():
        for mark in _TYPOGRAPHIC:
            text = text.replace(mark, "")
    return text.isascii()


def _find_mojibake(text: str) -> re.Match[str] | None:
    pairs = list(_PAIR.finditer(text))
    found = _ask_ftfy(text, pairs) if pairs else None
    if found is not None:
        return found
    long_runs = (run for run in islice(_LONG_RUN.finditer(text), _MOST_RUNS) if _undo(run.group()))
    in_words = (run for run in islice(_WITHIN_WORD.finditer(text), _MOST_RUNS) if _LATIN.match(_undo(run.group())))
    return next(long_runs, None) or next(in_words, None)


def _ask_ftfy(text: str, pairs: list[re.Match[str]]) -> re.Match[str] | None:
    """Whether the text around the pairs looks broken and can be repaired, or looks broken repeatedly."""
    import ftfy  # noqa: PLC0415 - a tenth of a second that few commands need
    from ftfy.badness import is_bad  # noqa: PLC0415

    seen, asked = 0, Counter[str]()
    for pair in pairs:
        asked[pair.group()] += 1
        if asked[pair.group()] > _MOST_RUNS:
            continue  # Good text has the same few pairs again and again.
        around = _CAPITALS.sub("A", text[max(0, pair.start() - _AROUND) : pair.end() + _AROUND])
        if is_bad(around):
            seen += 1
            if seen == _ENOUGH or ftfy.fix_encoding(around) != around:
                return pair
    return None


def _undo(run: str) -> str:
    """Return what the bytes of a run are in UTF-8, with their place; in good text of another encoding this does not happen
    by chance.
    """
    return next(filter(None, (_decode(run, codec) for codec in _OTHER_CODECS)), "")


def _decode(run: str, codec: str) -> str:
    try:
        return run.encode(codec).decode()
    except UnicodeError:
        return ""
