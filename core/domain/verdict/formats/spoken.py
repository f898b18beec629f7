"""Records of dialogue: a list of messages, columns such as `prompt` and `completion`, or both.

Training uses the answers. The first one continues the conversation; each further one (another choice, the chosen one beside
messages) is a passage of its own, of which only the difference is judged. Rejected ones are kept apart.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import cast

from core.domain.verdict.conversation import Role
from core.domain.verdict.formats.chat import Talk, find_chats, find_messages, make_turn, parse_list, read_talk
from core.domain.verdict.formats.entries import ImportedTurn, Part, Passage
from core.domain.verdict.formats.parts import count_files
from core.domain.verdict.formats.roles import RoleNames
from core.domain.verdict.formats.stops import classify_stop, list_answer_stops, read_record_stop, read_stop
from core.domain.verdict.formats.trees import are_branched, arrange_messages

_PROMPT_KEYS = (
    "prompt",
    "instruction",
    "question",
    "query",
    "problem",
    "input",
    "inputs",
    "user",
    "human",
    "request",
    "message",
    "post",
    "context",
)
_ANSWERS = (
    "chosen",
    "completion",
    "response",
    "output",
    "answer",
    "target",
    "assistant",
    "reply",
    "solution",
    "generated_text",
    "generation",
    "rejected",
    "reject",
    "preferred",
    "dispreferred",
    "non_preferred",
    "gpt",
    "bot",
)
_SUFFIXES = (
    r"s?(?:_?[0-9]{1,2}|_[abjk]|_text|_chosen|_rejected|_response|_answer|_messages?|_conversation|_completion|_output)?"
)
_ANSWER_KEY = re.compile(
    rf"(?:{'|'.join(_ANSWERS)}|human_ref){_SUFFIXES}",
    re.IGNORECASE,
)
_BESIDE_MESSAGES = re.compile(
    rf"(?:chosen|rejected|reject|completion|response|output){_SUFFIXES}",
    re.IGNORECASE,
)
_ALONE = re.compile(
    r"(?:chosen|rejected|generated_text|completion|response)s?(?:_response|_text|_messages?)?", re.IGNORECASE
)
_REJECTED = re.compile(r"reject|dispreferred|non_preferred|_k\Z", re.IGNORECASE)
_DESIRED_KEYS = ("label", "kto_tag")
_FEW_WORDS = 4
_ANSWER_TEXTS = ("content", "value", "text", "response", "answer", "output", "completion", "generated_text", "message")
_SYSTEM_KEYS = ("system", "system_prompt", "systemInstruction", "system_instruction")
_TRANSCRIPT = re.compile(r"(?:\A\s*|\n\s*\n)(Human|Assistant|User): ?", re.IGNORECASE)
_SPEAKERS = {"human": "user", "user": "user", "assistant": "assistant"}
_MOST_ANSWERS = 1_000


@dataclass(kw_only=True)
class Spoken:
    """The conversation of a record, as far as it has been read."""

    turns: list[ImportedTurn] = field(default_factory=list[ImportedTurn])
    passages: list[Passage] = field(default_factory=list[Passage])
    system_messages: int = 0
    has_own_stops: bool = False
    """Whether several answers have a stop reason each."""

    def add_answer(self, name: str, turns: Sequence[ImportedTurn], *, is_rejected: bool = False) -> None:
        """Add an answer from a member of the record: the last turn or turns, or the whole conversation again."""
        start = self._find_start(turns)
        rest = turns[start:] if _is_whole(turns) else turns
        place = start if _is_whole(turns) else self._end_of_context
        if not rest or self._is_known(rest, place):
            return
        if place == len(self.turns) and not is_rejected:
            self.turns.extend(rest)
            return
        before = self.turns[place - 1].role if place else None
        self.passages.append(
            Passage(field=name, turns=tuple(rest), first_turn=place, before=before, is_rejected=is_rejected)
        )

    @property
    def _end_of_context(self) -> int:
        """Return where answers begin: after the last turn that is not the assistant's."""
        length = len(self.turns)
        while length and self.turns[length - 1].role is Role.ASSISTANT and not self.turns[length - 1].is_data:
            length -= 1
        return length

    def _find_start(self, turns: Sequence[ImportedTurn]) -> int:
        """Return how many of these turns are the conversation's first ones."""
        same = takewhile(lambda pair: _say_same(*pair), zip(self.turns, turns, strict=False))
        return sum(1 for _ in same)

    def _is_known(self, rest: Sequence[ImportedTurn], place: int) -> bool:
        """Whether the same text is already known, like messages beside the columns that they were made of."""
        there = [self.turns[place:], *(passage.turns for passage in self.passages if passage.first_turn == place)]
        return any(len(each) >= len(rest) and all(map(_say_same, each, rest)) for each in there)

    def note_stops(self, reasons: Sequence[str | None]) -> bool:
        """Note a stop reason for each answer of the conversation, if there are as many."""
        places = [index for index, turn in enumerate(self.turns) if turn.role is Role.ASSISTANT]
        if not reasons or len(places) != len(reasons):
            return False
        for index, reason in zip(places, reasons, strict=True):
            if not _is_telling(self.turns[index].stop):
                self.turns[index] = replace(self.turns[index], stop=reason)
        return True

    def reject_answer(self) -> None:
        """Turn the last answer into a rejected one."""
        start = self._end_of_context
        rest = self.turns[start:]
        del self.turns[start:]
        self.add_answer("messages", rest, is_rejected=True)

    def note_parts(self, parts: Sequence[Part]) -> None:
        """Note files beside the conversation, such as a column of images, on its first turn, unless turns have them."""
        if not parts:
            return
        known = {part for turn in self.turns for part in turn.parts}
        news = tuple(part for part in parts if part not in known)
        if news and self.turns:
            self.turns[0] = replace(self.turns[0], parts=(*self.turns[0].parts, *news))

    def note_stop(self, reason: str | None) -> None:
        """Note why the reply of the record ended, on its last answer, unless the answer has a stop reason of its own."""
        if reason is None or classify_stop(reason) is None:
            return
        for index in range(len(self.turns) - 1, -1, -1):
            turn = self.turns[index]
            if turn.role is Role.ASSISTANT:
                self.turns[index] = replace(turn, stop=turn.stop if _is_telling(turn.stop) else reason)
                return


def read_spoken(record: Mapping[str, object], names: RoleNames) -> Spoken | None:
    """Read a record with messages, or with prompt and answer columns. None if it has neither."""
    found = _read_messages(record, names) or _read_columns(record, names)
    if found is None:
        return None
    found.system_messages += sum(1 for key in _SYSTEM_KEYS if record.get(key))
    found.note_parts(count_files(record))
    if not found.has_own_stops and not found.note_stops(list_answer_stops(record)):
        found.note_stop(read_record_stop(record))
    return found


def read_dialogue(messages: Sequence[object], names: RoleNames) -> Spoken:
    """Read a list of messages, in order or as a tree."""
    if are_branched(messages):
        turns, passages, system_messages = arrange_messages(messages, names)
        return Spoken(turns=list(turns), passages=list(passages), system_messages=system_messages)
    talk = read_talk(messages, names)
    return Spoken(turns=list(talk.turns), system_messages=talk.system_messages)


def has_answer(record: Mapping[str, object]) -> bool:
    """Whether a record has a column of answers."""
    return any(_ANSWER_KEY.fullmatch(key) for key in record)


def _read_messages(record: Mapping[str, object], names: RoleNames) -> Spoken | None:
    lists = find_chats(record)
    if not lists:
        return None
    first, *others = lists
    found = read_dialogue(lists[first], names)
    for key in others:
        found.add_answer(key, read_talk(lists[key], names).turns)
    _add_answers(found, record, names, _BESIDE_MESSAGES)
    if _is_undesired(record):
        found.reject_answer()
    return found


def _read_columns(record: Mapping[str, object], names: RoleNames) -> Spoken | None:
    answers = [key for key in record if _ANSWER_KEY.fullmatch(key)]
    prompt = next((key for key in _PROMPT_KEYS if key in record and key not in answers and _is_said(record[key])), None)
    found = Spoken()
    _add_history(found, record.get("history"), names, is_asked=prompt is None)
    if prompt is None and not found.turns and not any(_ALONE.fullmatch(key) for key in answers):
        return None
    if prompt is not None:
        talk = _read_said(_join_prompt(record, prompt), "user", names)
        found.turns.extend(talk.turns)
        found.system_messages += talk.system_messages
    count = len(found.turns)
    _add_answers(found, record, names, _ANSWER_KEY)
    if len(found.turns) == count and not found.passages:
        missing = next((key for key in answers if record[key] is None), None)
        if missing is not None:
            found.turns.append(make_turn("assistant", None, names))
        elif prompt != "prompt" or _holds_other_text(record):
            return None  # A prompt alone is a record of something else: a label, a passage to be found.
    return found


def _join_prompt(record: Mapping[str, object], prompt: str) -> object:
    """Return the question with the passage that it is about and the input that it applies to."""
    said, passage, given = record[prompt], record.get("context"), record.get("input")
    if not isinstance(said, str):
        return said
    if prompt == "instruction" and isinstance(given, str) and given.strip():
        said = f"{said}\n{given}"
    if prompt != "context" and isinstance(passage, str) and passage.strip():
        said = f"{passage}\n\n{said}"
    return said


def _holds_other_text(record: Mapping[str, object]) -> bool:
    """Whether a record has text besides its prompt under an unknown name."""
    others = (value for key, value in record.items() if key != "prompt" and key not in _SYSTEM_KEYS)
    return any(isinstance(value, str) and len(value.split(maxsplit=_FEW_WORDS)) >= _FEW_WORDS for value in others)


def _is_undesired(record: Mapping[str, object]) -> bool:
    """Whether the answer has a label that rejects it, as in KTO; in a table the label is text."""
    said = (record.get(key) for key in _DESIRED_KEYS)
    return any(value is False or (isinstance(value, str) and value.strip().lower() == "false") for value in said)


def _add_answers(found: Spoken, record: Mapping[str, object], names: RoleNames, pattern: re.Pattern[str]) -> None:
    is_undesired = _is_undesired(record)
    stops = list_answer_stops(record)
    # The chosen answer continues the conversation; the rejected one is kept beside it.
    keys = sorted((key for key in record if pattern.fullmatch(key)), key=lambda key: _REJECTED.search(key) is not None)
    for key in keys:
        is_rejected = is_undesired or _REJECTED.search(key) is not None
        answers = list(_list_answers(key, record[key], names))
        tells = stops != [] and len(stops) == len(answers)
        found.has_own_stops |= tells
        reasons = stops if tells else [None] * len(answers)
        for (name, turns), reason in zip(answers, reasons, strict=True):
            said = turns if reason is None else (*turns[:-1], replace(turns[-1], stop=reason))
            found.add_answer(name, said, is_rejected=is_rejected)


def _list_answers(name: str, value: object, names: RoleNames) -> Iterator[tuple[str, tuple[ImportedTurn, ...]]]:
    """Return the answers in a member of a record: one or several texts, messages or objects with a text."""
    messages = find_messages(value)
    if messages is None and isinstance(value, str):
        listed = parse_list(value)
        value = listed if _are_texts(listed) else value
    if messages is not None:
        turns = read_talk(messages, names).turns
        is_choice = len(turns) > 1 and all(turn.role is Role.ASSISTANT and not turn.is_data for turn in turns)
        yield from ((f"{name}[{index}]", (turn,)) for index, turn in enumerate(turns)) if is_choice else [(name, turns)]
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[object]", value)[:_MOST_ANSWERS]):
            if isinstance(item, str | dict):
                yield from _list_answers(f"{name}[{index}]", cast("object", item), names)
    elif isinstance(value, dict):
        members = cast("Mapping[str, object]", value)
        text = next((members[key] for key in _ANSWER_TEXTS if isinstance(members.get(key), str)), None)
        if text is not None:
            turns = _read_said(text, "assistant", names).turns
            yield name, (*turns[:-1], replace(turns[-1], stop=read_stop(members)))
    elif isinstance(value, str):
        yield name, _read_said(value, "assistant", names).turns
    elif isinstance(value, int | float):
        yield name, (make_turn("assistant", str(value), names),)


def _read_said(value: object, role: str, names: RoleNames) -> Talk:
    """Read a text of one speaker, or the messages or the transcript in it."""
    messages = find_messages(value)
    if messages is not None:
        return read_talk(messages, names)
    text = str(value)
    pieces = _TRANSCRIPT.split(text)
    is_transcript = len(pieces) > 1 and not pieces[0].strip() and (len(pieces) > 3 or role == "assistant")  # noqa: PLR2004 - one speaker and what was said
    if not is_transcript:
        return Talk(turns=(make_turn(role, text, names),))
    said = list(zip(pieces[1::2], pieces[2::2], strict=True))
    if not said[-1][1].strip() and role == "user":
        said.pop()  # The place where the answer belongs.
    return Talk(turns=tuple(make_turn(_SPEAKERS[speaker.lower()], words.strip("\n"), names) for speaker, words in said))


def _add_history(found: Spoken, history: object, names: RoleNames, *, is_asked: bool) -> None:
    """Read the history: question and answer pairs, messages, or a text that is the question itself (`is_asked`)."""
    messages = find_messages(history)
    if messages is not None:
        found.turns.extend(read_talk(messages, names).turns)
        return
    pairs = _parse_pairs(history)
    for pair in pairs:
        for role, said in zip(("user", "assistant"), pair, strict=False):
            found.turns.append(make_turn(role, said, names))
    if is_asked and not pairs and isinstance(history, str) and history.strip():
        found.turns.append(make_turn("user", history, names))


def _parse_pairs(history: object) -> list[list[object]]:
    value = parse_list(history) if isinstance(history, str) else history
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("list[object]", item) for item in items if isinstance(item, list)]


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(isinstance(item, str) for item in cast("list[object]", value))


def _is_said(value: object) -> bool:
    return bool(value) and (isinstance(value, str) or find_messages(value) is not None)


def _is_whole(turns: Sequence[ImportedTurn]) -> bool:
    """Whether it is a conversation instead of an answer."""
    return bool(turns) and turns[0].role is Role.USER


def _say_same(ours: ImportedTurn, theirs: ImportedTurn) -> bool:
    return ours.role is theirs.role and ours.content.strip() == theirs.content.strip() and ours.parts == theirs.parts


def _is_telling(reason: str | None) -> bool:
    return reason is not None and classify_stop(reason) is not None
