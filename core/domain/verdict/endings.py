"""What a text that ends without a full stop ends with. Told from the form of its last lines.

A word that needs another one is a cut. So is, most likely, a sentence that stops where the text marks its other sentences.
The rest may be whole: lists, tables, verse, code, short answers, amounts, signatures and chat end without a mark.
"""

import re
from collections.abc import Sequence
from enum import StrEnum

from core.domain.verdict.connectives import ends_with_connective
from core.domain.verdict.verdict import Confidence


class Ending(StrEnum):
    """What stands at an end without a mark."""

    CONNECTIVE = "connective"  #: a word or sign that needs another one, an item of a list with nothing in it
    SENTENCE = "sentence"  #: a sentence that is not over
    LIST = "list"
    TABLE = "table"
    LINES = "lines"  #: verse, an address, data
    CODE = "code"  #: or a formula
    LINK = "link"  #: or hash tags
    QUOTATION = "quotation"  #: or brackets, and who said it
    VALUE = "value"
    WORD = "word"
    PHRASE = "phrase"
    ENUMERATION = "enumeration"
    CHAT = "chat"
    NAME = "name"  #: a signature or a place under what was said
    HEADING = "heading"

    @property
    def confidence(self) -> Confidence:
        """How sure it is that the text is cut there, if nothing is known about the file."""
        match self:
            case Ending.CONNECTIVE:
                return Confidence.HIGH
            case Ending.SENTENCE | Ending.HEADING:
                return Confidence.MEDIUM
            case _:
                return Confidence.LOW


# Lines and characters of the end that are looked at, so that the time does not grow with the text.
_MOST_LINES, _LONGEST_TAIL = 60, 4000
_LONGEST_PHRASE, _LONGEST_PHRASE_WITH_COMMA, _LONGEST_CJK_PHRASE, _LONGEST_CJK_WORD = 4, 3, 6, 4
_FEW_PARTS, _WORDS_OF_A_PART = 2, 2.5
_LONGEST_VERSE = 14
_MOST_ANNOUNCED = 20

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uff66-\uff9f"
_IS_CJK = re.compile(rf"[{_CJK}]")
_WORD = re.compile(rf"[{_CJK}]|[^\W_{_CJK}](?:[\w'’.-]*[^\W_{_CJK}])?|[\u0e00-\u0eff]+")
_MARKED_LINE = re.compile(r"[.!?…。．！？｡।॥؟۔።၊။។]+[\"'”’»“)\]}」』）】》〉*_~`\s]*\Z")
_INNER_SENTENCE = re.compile(
    r"(?:[^\W\d_]{2}|[)\]%”\"’'\d]|\s[a-z])(?<!\b[DJMS]r)(?<!\bMrs)[.!?…]+[\"'”’»)\]*_]*\s+(?=\S)|[。！？।॥؟۔።။](?=.)"
)

_ITEM = re.compile(
    r"\s*(?:[*+](?=\s)|[-–](?=\D)|[•—▪●◦‣·○■□☐☑✓✔➢➤★☆]|\(?(?:\d{1,3}|[A-Za-z]|[ivx]{1,4})[.)](?=\D)|\d{1,3}[、:：](?=\D)|[①-⑳]"
    r"|[（(](?:\d{1,2}|[一二三四五六七八九十])[)）]|[一二三四五六七八九十]{1,3}、)[ \t\u3000]*(?:\[[ xX]\]\s*)?(?=\S)"
)
_CHOICE = re.compile(r"(?:\([A-Ha-h1-9]\)|[A-Ha-h]\)|[A-H]\.)\.?\s*\S")  # The option that was chosen, alone
_EMPTY_ITEM = re.compile(r"(?:[-*•+–]|\(?\d{1,3}[.)]?)\Z")
_SEPARATORS = (":", "：", "(", "（", " - ", " – ", "=", '"', "“")
_TABLE_RULE = re.compile(r"\|?(?:\s*:?-{2,}:?\s*\|?)+")
_BOLD_LINE = re.compile(r"\*\*[^*]+\*\*:?\Z")
_RESULT = re.compile(r"#{2,6}\s+[-–]?[$€£]?[\d.,/%]+")  # As exercises end: "#### 72"
_NUMBERED_HEADING = re.compile(r"(?:\*\*\d{1,2}[.)]|\d{1,2}[.)]\s*\*\*)[^*]+\*\*\Z|#{2,6}\s")

_ATTRIBUTION = re.compile(
    r"[\"”’'」』》.!?…][*_]*\s*[-–—―~]{1,2}\s?"
    r"[^\W\d_a-z][\w.·'’]*(?: [^\W\d_a-z][\w.·'’]*){0,3}(?:[（(][^()（）]{1,40}[)）])?\Z"
)
_LINK = re.compile(r"[#＃][^\s#]+\Z|\b(?:https?://|www\.)\S+/\S*\Z")
_CUT_LINK = re.compile(r"\b(?:https?://|www\.)[^\s/]*\Z")  # a whole one has a path, or an end that is known
_CODE = re.compile(
    r"[;{}]\s*\Z|=>|->|\w\([^()]*\)\s*\Z|</?\w[^<>]*>\s*\Z|\A\s*[\w.\[\]]+\s*(?:=|\+=|:=)\s*\S|\A\s*(?:#(?!#)|//|/\*|\*/|<!--)"
    r"|\A\s*(?:def|class|import|from|return|for|while|if|elif|else|const|let|var|public|private|function|SELECT|FROM|WHERE|"
    r"INSERT|UPDATE|#include|print|console|System)\b.*[\w()\"'=:;]"
    r"|\$[^$]+\$\Z|\$\$\Z|\\[\])]\Z|\\\w+\{[^{}]*\}\Z"
)
_OPERATOR = re.compile(r"(?:(?<!\+)[=+×÷→<&/≈≤≥]|\s[-–−*—]|(?<!\d)\s[$€£])\Z|\w[—―]\Z")
_UNFINISHED_SUM = re.compile(r"[\d)]\s[-+*/×÷x]\s\(?[\d.,]+\Z")
_POSSESSIVE = re.compile(r"[a-z]['’]s\Z")

_VALUE = re.compile(
    r"[\d%‰°€$£¥₹₽₩²³+)\]}）】」』”\"»》’'|]\W*\Z"
    r"|(?:\d|\b)[ \u00a0]?(?:€|\$|zł|kr|%|[ \u00a0]?°[CF]|[KkMG]?[mglVWB]{1,2}|Rs|元|円|원|个|個)\Z"
    r"|(?<=\d )(?:USD|EUR|GBP|JPY|CHF|CNY|INR)\Z"
    r"|[\d€$£¥%]\s(?:par|per|pro|al|por|a|an|im|je|w|в|за)\s\w+\Z"
)
# A part of "1,250", or without its unit; in Chinese and Japanese text numbers stand before what they count.
_CUT_NUMBER = re.compile(rf"[^\W\d_] \d{{1,3}}[.,]\d{{1,2}}\Z|[{_CJK}][^:：=]*[^:：=是为為≈等于於于\s]\s?\d+\Z")
_NUMBERED = re.compile(r"(?i:version|release|section|chapter|python|java|gpt) ")
_QUOTES = "\"'“”‘’«»「」『』《》"
_CLOSING_MARKS = ')]}）」』】》”"»'
_ENCLOSED = re.compile(r"《[^《》]+》|「[^「」]+」|『[^『』]+』|【[^【】]+】|“[^“”]+”|\"[^\"]+\"|«[^«»]+»|„[^„“”]+[“”]")
_BLANK_TO_FILL = re.compile(r"[\[{<（(【][^\[\]]{1,40}[\]}>）)】]\Z")
_LABEL = re.compile(r"[^\s:：][^:：]{0,40}[:：]\s*(?=\S)")
_PARTS = re.compile(r"[,，、;；|/]")
# Words with which a sentence begins, or that hold it together: not a name, a title or an answer of a few words.
_BEGINS = (
    "And|But|Or|Yet|Well|The|An?|I|He|She|They|We|It|You|There|This|That|These|Those|My|Your|Our|His|Her|Their|Its|In|On|At|To|If|When|As|Some|One|"
    "Here|For|With|By|From|What|Why|How|Who|Which|Where|Can|Could|Do|Does|Did|Is|Are|Sure|Finally|First|Therefore|However|So|"
    "Then|Thus|Now|Next|Since|Because|After|Before|During|While|According|Based|Also|Additionally|Moreover|Overall|Let|Please|"
    "Two|Three|Many|Most|Each|Every|Both|All|Any|Not|No,|Yes,|"
    "Der|Die|Das|Ein|Eine|Ich|Er|Sie|Wir|Es|Le|La|Les|Une|Il|Elle|Je|Nous|El|Los|Las|Una|Yo|Os|As|Um|Uma|Eu|Lo|Gli|Het|De|"
    "Een|Ik|Это|Я|Он|Она|Мы"
)
_BEGINS_ALONE = (
    "The|An?|I|He|She|They|We|It|You|There|This|These|My|Your|Our|In|If|When|As|According|Various|During|Since|Because"
)
_HOLDS = (
    "is|are|was|were|has|have|had|can|will|should|could|would|be|ist|sind|war|hat|kann|est|sont|peut|está|são|pode|può|zijn"
)
_SENTENCE = re.compile(
    rf"\A[\"'“(*]*(?:{_BEGINS})(?:['’][a-z]{{1,3}})?[\s,]|\A[\"'“(*]*(?:{_BEGINS_ALONE})(?:['’][a-z]{{1,3}})?\Z|\b(?:{_HOLDS})\b"
)
_SENTENCE_OF_CJK = re.compile(
    r"\A(?:[这這那我你您他她它此该該本当當在对對]|由于|如果|根据|根據|通过|通過|作为|作為|因为|因為|以下|下面|为了|為了|首先|其次|最后|最後|"
    r"然后|然後|总之|總之|随着|隨著|一个|一個|很抱)|[是有会會能]|[了着著](?=.)|可以"
)
_CHAT_END = re.compile(
    r"(?:[了吧呢吗嗎啊呀啦哦哈]|谢谢|謝謝|好的)\Z"
    r"|(?:ます|です|した|せん|さい|しょう|[よねなかわ笑だ])[〜～ー]*\Z"
    r"|[요다죠까네지음함임니자ㅎㅋㅠ]\Z"
)
_SENDER = re.compile(r"(?:드림|올림|敬上|拜上|敬启|敬啟)\Z")
_NUMBERS = {
    word: number
    for words in (
        "two three four five six seven eight nine ten",
        "zwei drei vier fünf sechs sieben acht neun zehn",
        "deux trois quatre cinq six sept huit neuf dix",
        "dos tres cuatro cinco seis siete ocho nueve diez",
        "dois três quatro cinco seis sete oito nove dez",
        "due tre quattro cinque sei sette otto nove dieci",
        "两 三 四 五 六 七 八 九 十",
    )
    for number, word in enumerate(words.split(), start=2)
}
# The line that a model is to go on from: "Output:", "A:", "The answer is:".
_LEAD = re.compile(r"(?:\n|[.?!。？！]\s*)[^\n.?!。？！:：]{1,60}[:：]\W*\Z")
_LONGEST_LEAD = 80
# Short answers that look like a word which needs another: "是的", "A, B and C".
_WORD_ALONE = re.compile(
    r"(?:是|对|對|有|会|會|能|好|行|不)的?|不(?:是|对|對|会|會|能|行|可以)的?|可以|不可以|没有|沒有|当然|當然|正确|正確|错误|錯誤"
    r"|(?i:(?:of course|certainly|absolutely|definitely|probably|maybe|perhaps|why|i hope|i think|i guess|better) not)"
    r"|[A-Z](?:(?:,? (?:and |or |& )?|,|/)[A-Z])+"
)
_NUMBER = re.compile(
    rf"\b(?:\d{{1,2}}|{'|'.join(_NUMBERS)})\b(?![-.%:/])|[两三四五六七八九十](?=[个個种種条條点點项項件首部位本])",
    re.IGNORECASE,
)


def leads_on(prose: str) -> bool:
    """Whether a text ends with a short line of its own that the answer is to go on from."""
    return _LEAD.search(prose[-_LONGEST_LEAD:]) is not None


def classify_unmarked_end(prose: str, *, asks: bool) -> Ending:
    """Classify the end of a text without a closing mark. `asks`: its speaker may type without full stops."""
    lines = [line for line in prose[-_LONGEST_TAIL:].split("\n") if line.strip()][-_MOST_LINES:]
    last, others = lines[-1].strip(), lines[:-1]
    bare = last.rstrip("*_~`")
    if not others and _WORD_ALONE.fullmatch(bare):
        return Ending.WORD
    is_empty_item = _EMPTY_ITEM.match(last) and any(_ITEM.match(each) for each in others)
    if is_empty_item or ends_with_connective(bare) or _POSSESSIVE.search(bare):
        return Ending.CONNECTIVE
    if "|" in last or (others and "|" in others[-1]):
        return Ending.SENTENCE if _lacks_cells(last, others) else Ending.TABLE
    if _ATTRIBUTION.search(last):
        return Ending.QUOTATION
    if _LINK.search(last):
        return Ending.LINK
    if _CUT_LINK.search(last):
        return Ending.SENTENCE
    if _CODE.search(last):
        return Ending.CODE
    if asks and not _INNER_SENTENCE.search(last):
        return Ending.CHAT
    if _OPERATOR.search(last) or (_UNFINISHED_SUM.search(last) and "=" not in last):
        return Ending.CONNECTIVE
    return _classify_line(last, others)


def _classify_line(last: str, others: Sequence[str]) -> Ending:
    item = _ITEM.match(last)
    if not others and _CHOICE.match(last):
        return Ending.LIST
    if item:
        siblings = [each[found.end() :] for each in others if (found := _ITEM.match(each))]
        is_unlike = _is_unlike_siblings(last[item.end() :], siblings) or _lacks_items(others, len(siblings) + 1)
        return Ending.SENTENCE if is_unlike else Ending.LIST
    if _RESULT.fullmatch(last):
        return Ending.VALUE
    if _NUMBERED_HEADING.match(last):
        return Ending.HEADING
    if _INNER_SENTENCE.search(last):
        return Ending.QUOTATION if last[-1] in _CLOSING_MARKS else Ending.SENTENCE
    if _BOLD_LINE.match(last):
        return Ending.NAME
    before = others[-1].rstrip() if others else ""
    if not others or before.endswith((":", "：", "```")):
        return _classify_answer(last)
    if _MARKED_LINE.search(before):
        return _classify_signature(last, is_apart=False)
    return _classify_among_lines(last, others)


def _lacks_cells(last: str, others: Sequence[str]) -> bool:
    """Whether the last row of a table has fewer cells than the one above, or is the rule under its heading."""
    if _TABLE_RULE.fullmatch(last):
        return True
    above = others[-1].strip() if others else ""
    if "|" not in above:
        return False
    return last.strip("| ").count("|") < above.strip("| ").count("|") or (above.endswith("|") and not last.endswith("|"))


def _is_unlike_siblings(item: str, siblings: Sequence[str]) -> bool:
    """Items of a list look alike: with marks or without, with the same separator, and not much shorter than the others."""
    marked = sum(_MARKED_LINE.search(each) is not None for each in siblings)
    if marked * 2 >= len(siblings) or _INNER_SENTENCE.search(item):
        return True
    if any(mark not in item and all(mark in each for each in siblings) for mark in _SEPARATORS):
        return True
    shortest = min(_count_words(each) for each in siblings)
    return shortest >= _LONGEST_PHRASE and _count_words(item) * 2 < shortest


def _lacks_items(others: Sequence[str], items: int) -> bool:
    """Whether the line before the list announces more items than there are."""
    before = next((each for each in reversed(others) if not _ITEM.match(each)), "")
    if not before.rstrip().endswith((":", "：")):
        return False
    told = [_NUMBERS.get(found.lower()) or int(found) for found in _NUMBER.findall(before)]
    return len(told) == 1 and items < told[0] <= _MOST_ANNOUNCED


def _classify_among_lines(last: str, others: Sequence[str]) -> Ending:
    """Lines of verse, of an address or of data are about as long as each other, and end without a mark."""
    if all(_LABEL.match(each.strip()) for each in others):
        return Ending.LINES if _LABEL.match(last) else Ending.SENTENCE
    bare = [each for each in others if each.rstrip()[-1].isalnum()]
    if len(bare) * 5 < len(others):
        return _classify_signature(last, is_apart=_count_words(others[-1]) <= _LONGEST_PHRASE)
    words, lengths = _count_words(last), [_count_words(each) for each in bare]
    is_unlike = words > _LONGEST_VERSE or words * 2 < min(lengths) or words > 3 * max(lengths)
    return Ending.SENTENCE if is_unlike else Ending.LINES


def _classify_answer(line: str) -> Ending:
    """A name, an amount, a title, an enumeration or chat in lower case stands alone without a full stop."""
    if _ENCLOSED.fullmatch(line):
        return Ending.QUOTATION
    label = _LABEL.match(line)
    if label:
        return _classify_answer(line[label.end() :])
    is_quoted_word = line[-1] in _QUOTES and line[0] not in _QUOTES
    if _VALUE.search(line) and not is_quoted_word:
        return Ending.SENTENCE if _CUT_NUMBER.search(line) and not _NUMBERED.match(line) else Ending.VALUE
    if _CHAT_END.search(line):
        return Ending.CHAT
    words, parts = _count_words(line), len(_PARTS.split(line))
    if _IS_CJK.search(line):
        return _classify_cjk_answer(line, words, parts)
    if _is_lower(next((character for character in line if character.isalpha()), "")):
        return Ending.WORD if words == 1 else Ending.CHAT
    if _SENTENCE.search(line):
        return Ending.SENTENCE
    if parts > _FEW_PARTS and words <= _WORDS_OF_A_PART * parts:
        return Ending.ENUMERATION
    if words > (_LONGEST_PHRASE if parts == 1 else _LONGEST_PHRASE_WITH_COMMA):
        return Ending.SENTENCE
    return Ending.WORD if words <= 1 else Ending.PHRASE


def _classify_cjk_answer(line: str, words: int, parts: int) -> Ending:
    if words > _LONGEST_CJK_PHRASE * parts or _SENTENCE_OF_CJK.search(line):
        return Ending.SENTENCE
    if parts > 1:
        return Ending.ENUMERATION
    return Ending.PHRASE if words > _LONGEST_CJK_WORD else Ending.WORD


def _classify_signature(line: str, *, is_apart: bool) -> Ending:
    """A name, a date or a place under what was said; what stands apart from it may be a sender's in any script."""
    if _BLANK_TO_FILL.search(line) or _SENDER.search(line):
        return Ending.NAME
    if _SENTENCE.search(line) and not is_apart:
        return Ending.SENTENCE
    if _LABEL.match(line):
        return _classify_answer(line)
    words = _count_words(line)
    if _VALUE.search(line):
        return Ending.VALUE if words <= _LONGEST_PHRASE or "=" in line else Ending.SENTENCE
    if _IS_CJK.search(line):
        is_name = is_apart and words <= _LONGEST_CJK_WORD
        return Ending.NAME if is_name else Ending.CHAT if is_apart and _CHAT_END.search(line) else Ending.SENTENCE
    is_name = all(word[:1].isupper() or not word[:1].isalpha() for word in line.split())
    return Ending.NAME if is_name and words <= _LONGEST_PHRASE + is_apart else Ending.SENTENCE


def _is_lower(character: str) -> bool:
    """Whether a letter is small where sentences begin with a capital; Georgian has capitals and does not use them so."""
    return character.islower() and not "\u10d0" <= character <= "\u10ff"


def _count_words(line: str) -> int:
    return len(_WORD.findall(line))
