"""Is the text of a turn damaged, though it may be whole?"""

import html.entities
import re
from collections.abc import Callable, Iterator

from core.domain.record import Record
from core.domain.verdict.encoding import find_broken_encoding
from core.domain.verdict.prose import blank_code
from core.domain.verdict.verdict import Confidence, FailurePattern


class Corruption(Record):
    """Damage in a text: its kind in words, and the place with the text around it."""

    pattern: FailurePattern
    details: str
    excerpt: str
    confidence: Confidence = Confidence.HIGH


# Escapes of JSON and Python as two characters each: the sign of text that was escaped twice. LaTeX commands start with the
# same letters. They pass everywhere, and in a text with formulas so do line breaks of a matrix.
_BREAK = (
    r"(?:n(?!(?:abla|eq?|eg|ot|otin|u|i|exists|mid|geq|leq)(?![a-zA-Z]))|"
    r"t(?!ext|riangle|(?:imes|heta|au|o|op|an|anh|frac|ilde|herefore)(?![a-zA-Z]))|"
    r"r(?!ight|(?:ho|angle|ceil|floor|m)(?![a-zA-Z])))"
)
_ESCAPE = re.compile(
    rf"\\(?:[\"'\\/]|u[0-9a-fA-F]{{4}}|U[0-9a-fA-F]{{8}}|x[0-9a-fA-F]{{2}}|{_BREAK}(?![a-z]*[{{_^])|[bf](?=\s|[A-Z\\]|$))"
    r"|(?<=[.!?…])\\[ntr](?![a-z]*[{_^])"
)
_ESCAPE_AMONG_FORMULAS = re.compile(rf"\\(?:[\"'/]|u[0-9a-fA-F]{{4}}|{_BREAK}|[bf](?=\s|[A-Z]|$))")
_FORMULA = re.compile(r"\\[(\[]|\$\$|\\begin\{|\$(?=\S)[^$\n]{0,120}\\[a-z]+[^$\n]{0,120}(?<=\S)\$(?!\d)")
# The same escape when its backslash is lost. No word holds these letters, and a second one makes sure of other scripts.
_BARE_ESCAPE = re.compile(r"(?<![\\+&])u(?:00[a-f][0-9a-f]|20[0-3][0-9a-f](?![0-9])|0[3-9a-f][0-9a-f]{2}(?=u0))")
_ENTITY = re.compile(r"&(?:#\d{2,6}|#[xX][0-9a-fA-F]{2,5}|[A-Za-z]{2,8}\d{0,2});")
_TAG = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]*)?/?>", re.IGNORECASE)

_PLACEHOLDER = re.compile(r"(?<!\$)\{\{\s{0,9}[\w.-]{1,80}(?:[ |][\w |.-]{0,80})?\s{0,9}\}\}")
# Behind a word, a command or a closing brace it is an argument, behind ^ and _ a part of a formula, behind / of an address.
_BARE_PLACEHOLDER = re.compile(
    r"(?<![\\\w${}\]^_/])\{(?:[a-z]{3,}|[a-z]{2,}(?:[_.][a-z]{2,})+|[A-Z]{4,}(?:_[A-Z]{2,})*)\}(?![}{^_/])"
)
# An advisor may well dictate a letter with blanks to fill; these are ours.
_BLANK_TO_FILL = re.compile(r"\[(?:INSERT [A-Z ]{2,40}|(?i:(?:client|persona|advisor|user)(?:'s)? name))\](?!\()")

_CHAT_TOKEN = re.compile(
    r"<\|[A-Za-z][A-Za-z0-9_]{2,40}\|>|<[|｜][^|｜<>\n]{2,40}｜>|\[/?INST\]|<</?SYS>>|\[\|[A-Za-z]{2,12}\|\]"
    r"|\[/?(?:AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|SYSTEM_PROMPT)\]"
    r"|<(?:start|end)_of_(?:turn|text|utterance)>|<(?:bos|eos|pad|unk|endoftext|extra_id_\d+|reserved_\d+|0x[0-9A-F]{2})>"
)
_SENTENCE_MARK = re.compile(r"\A\s*<s>|</s>\s*\Z")
_THOUGHT = re.compile(r"[<◁](/?)(?:think(?:ing)?|thought|reasoning)[>▷]|\[(/?)THINK\]")
# A speaker's name on a line of its own, behind what another has said.
_SPEAKER = re.compile(
    r"\n[ \t]*(?:#{2,4}[ \t]*|\*\*|<)?"
    r"(?i:\[?(?:human|user|assistant)\]?(?:[ ][12])?|instruction|response|(?:ai|chat)[ ]?bot|chatgpt|gpt|bot|"
    r"用户|助手|人类|ユーザー|アシスタント|사용자|어시스턴트|пользователь|ассистент|человек|usuario|usuário|utilisateur|nutzer|benutzer|"
    r"asistente|assistente|assistent|المستخدم|المساعد|उपयोगकर्ता|सहायक)"
    r"(?:\*\*|>)?[ \t]*[:：]"
    r"|(?<=[.!?…])\n{1,2}(?:user|assistant)\n"  # What is left of a template without its tokens.
)
# On the same line, as old templates put it.
_INLINE_NAMES = ("USER: ", "Human: ")
_INLINE_SPEAKER = re.compile(
    rf"#{{2,4}}[ ]?(?:Human|User|Assistant|Instruction|Response):|(?<=[.!?…])[ \t]+(?:{'|'.join(_INLINE_NAMES)})"
)
_LABEL = re.compile(r"(?:^|\n)[ \t*#>-]*[^\W\d_][\w .'’-]{0,30}(?:\*\*)?[:：][ \t*]*\S")

_ABOUT_MARKUP = re.compile(
    r"(?i)\b(?:templates?|placeholders?|variables?|jinja2?|mustache|handlebars|helm|f-?strings?|format strings?|"
    r"merge (?:tag|field)s?|html|xml|unicode|entit(?:y|ies)|escap(?:e|ed|ing)|regex|tokens?|prompts?|vorlagen?|platzhalter|"
    r"plantillas?|gabarits?|modèles? de|шаблон\w*)\b|模板|占位符|变量|變數|转义|テンプレート|プレースホルダ|템플릿"
)
_ESCAPED_JSON = re.compile(r"[{\[,]\s?\\\"")
# A sign by itself, as one names it, in a text that says what it is.
_ABOUT_ESCAPES = re.compile(
    r"(?i)\b(?:new ?lines?|line ?breaks?|tabs?|backslash(?:es)?|characters?|strings?|regex|escapes?|zeilenumbr\w+|"
    r"saut de ligne|salto de línea)\b|换行|換行|改行|줄바꿈|перевод строки"
)
_CODE_LINE = re.compile(
    r"\.format\(|[;{]\s*$|^\s*(?:def|class|import|from|return|const|let|var|#include|echo)\s|\b[fbr][\"']|[\w\])]\([\"']"
    r"|\w = |=>|[\"']\)|[{\[]\\\""
)

_ESCAPED = (FailurePattern.ESCAPED_TEXT, "holds an escape sequence as plain text")
_NEVER_FILLED = (FailurePattern.UNFILLED_PLACEHOLDER, "holds a placeholder that was never filled")
_OTHER_SPEAKER = (FailurePattern.CHAT_MARKUP, "holds the turn of another speaker")
_CHAT_TOKENS = (FailurePattern.CHAT_MARKUP, "holds tokens of a chat template")
_CONTEXT, _LONGEST_LINE = 30, 500


def find_corruption(text: str) -> Corruption | None:
    """Return the first damage found, the likeliest kind first.

    The confidence is low if the text is about such signs, or if its line is code: they may be intended there.
    """
    broken = find_broken_encoding(text)
    if broken is not None:
        return _describe(
            text, broken.start, broken.end, FailurePattern.GARBLED_TEXT, "holds characters of a broken encoding"
        )
    found = list(_find_signs(text))
    return next((each for each in found if each.confidence is not Confidence.LOW), next(iter(found), None))


def _find_signs(text: str) -> Iterator[Corruption]:
    """A match is searched for again without code and formulas, which few texts need."""
    prose = None
    for sign, find, pattern, details in _KINDS:
        if sign not in text or find(text) is None:
            continue
        prose = blank_code(text) if prose is None else prose
        found = find(prose)
        if found is not None:
            yield _describe(text, found.start(), found.end(), pattern, details)


def _find_escape(text: str) -> re.Match[str] | None:
    return (_ESCAPE_AMONG_FORMULAS if _FORMULA.search(text) else _ESCAPE).search(text)


def _find_entity(prose: str) -> re.Match[str] | None:
    """An HTML entity in a text that is not HTML."""
    known = html.entities.html5
    found = (each for each in _ENTITY.finditer(prose) if each.group()[1] == "#" or each.group()[1:] in known)
    first = next(found, None)
    return None if first is None or _TAG.search(prose) else first


def _find_lone_sentence_mark(prose: str) -> re.Match[str] | None:
    """`<s>` or `</s>` around a whole text; HTML uses the pair to strike text through."""
    return _SENTENCE_MARK.search(prose) if prose.count("<s>") != prose.count("</s>") else None


def _find_open_thought(prose: str) -> re.Match[str] | None:
    marks = list(_THOUGHT.finditer(prose))
    return marks[-1] if marks and not (marks[-1].group(1) or marks[-1].group(2)) else None


def _find_other_speaker(prose: str) -> re.Match[str] | None:
    """The name of a speaker after text that is not a dialogue: a written dialogue begins with a name or a colon."""
    return _leave_dialogues(prose, _SPEAKER.search(prose))


def _find_inline_speaker(prose: str) -> re.Match[str] | None:
    return _leave_dialogues(prose, _INLINE_SPEAKER.search(prose))


def _leave_dialogues(prose: str, found: re.Match[str] | None) -> re.Match[str] | None:
    if found is None:
        return None
    before = prose[: found.start()].strip()
    return None if not before or before.endswith((":", "：")) or _LABEL.match(before) else found


def _describe(text: str, start: int, end: int, pattern: FailurePattern, details: str) -> Corruption:
    excerpt = " ".join(text[max(0, start - _CONTEXT) : end + _CONTEXT].split())
    confidence = Confidence.LOW if _may_be_meant(text, start, end, pattern) else Confidence.HIGH
    return Corruption(pattern=pattern, details=details, excerpt=excerpt, confidence=confidence)


def _may_be_meant(text: str, start: int, end: int, pattern: FailurePattern) -> bool:
    """Whether the text may intend to show such a sign. A text that was escaped as a whole has no line breaks of its own."""
    if pattern is FailurePattern.GARBLED_TEXT:
        return False
    if pattern is FailurePattern.ESCAPED_TEXT and text[start] == "\\":
        is_in_code = text[end : end + 1] in ("'", '"', ")") or _ESCAPED_JSON.search(text) is not None
        is_named = f"{text[start - 1 : start]} {text[end : end + 1]} ".isspace() and _ABOUT_ESCAPES.search(text) is not None
        return is_named or is_in_code or ("\n" in text and _is_code(text, start, end))
    return _is_code(text, start, end) or text[:start].rstrip().endswith(",") or _ABOUT_MARKUP.search(text) is not None


def _is_code(text: str, start: int, end: int) -> bool:
    line_end = text.find("\n", end)
    line = text[text.rfind("\n", 0, start) + 1 : line_end if line_end >= 0 else len(text)]
    return _CODE_LINE.search(line[:_LONGEST_LINE]) is not None


# Each search needs the sign in the first column, which spares nearly every text the search.
_KINDS: tuple[tuple[str, Callable[[str], re.Match[str] | None], FailurePattern, str], ...] = (
    ("\\", _find_escape, *_ESCAPED),
    ("u0", _BARE_ESCAPE.search, *_ESCAPED),
    ("u20", _BARE_ESCAPE.search, *_ESCAPED),
    ("&", _find_entity, *_ESCAPED),
    ("{{", _PLACEHOLDER.search, *_NEVER_FILLED),
    ("{", _BARE_PLACEHOLDER.search, *_NEVER_FILLED),
    ("[", _BLANK_TO_FILL.search, *_NEVER_FILLED),
    ("<", _CHAT_TOKEN.search, *_CHAT_TOKENS),
    ("s>", _find_lone_sentence_mark, *_CHAT_TOKENS),
    ("[", _CHAT_TOKEN.search, *_CHAT_TOKENS),
    *((sign, _find_open_thought, FailurePattern.CHAT_MARKUP, "holds a thought that does not end") for sign in "<[◁"),
    ("\n", _find_other_speaker, *_OTHER_SPEAKER),
    *((sign, _find_inline_speaker, *_OTHER_SPEAKER) for sign in ("##", *_INLINE_NAMES)),
)
