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
from core.domain.verdict.formats.entries import ImportedTurn, Passage
from core.domain.verdict.formats.roles import RoleNames
from core.domain.verdict.formats.stops import classify_stop, read_record_stop, read_stop
from core.domain.verdict.formats.trees import are_branched, arrange_messages

_PROMPT_KEYS = ("prompt", "instruction", "question", "query", "problem", "input", "inputs", "user", "human", "request")
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
    "gpt",
    "bot",
)
_ANSWER_KEY = re.compile(
    rf"(?:{'|'.join(_ANSWERS)}|human_ref)s?(?:_?[0-9]{{1,2}}|_[ab]|_text|_response|_answer|_message|_messages|_completion|_output)?",
    re.IGNORECASE,
)
_BESIDE_MESSAGES = re.compile(
    r"(?:chosen|rejected|reject|completion|response|output)s?(?:_?[0-9]{1,2}|_[ab]|_response|_answer|_message|_messages)?",
    re.IGNORECASE,
)
_ALONE = re.compile(r"(?:chosen|rejected|generated_text|completion|response)s?(?:_response|_text)?", re.IGNORECASE)
_REJECTED = re.compile(r"reject", re.IGNORECASE)
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
    return found


def _read_columns(record: Mapping[str, object], names: RoleNames) -> Spoken | None:
    answers = [key for key in record if _ANSWER_KEY.fullmatch(key)]
    prompt = next((key for key in _PROMPT_KEYS if key in record and key not in answers and _is_said(record[key])), None)
    if prompt is None and not any(_ALONE.fullmatch(key) for key in answers):
        return None
    found = Spoken()
    _add_history(found, record.get("history"), names)
    if prompt is not None:
        said = record[prompt]
        extra = record.get("input") if prompt == "instruction" else None
        text = f"{said}\n{extra}" if isinstance(extra, str) and extra.strip() else said
        talk = _read_said(text, "user", names)
        found.turns.extend(talk.turns)
        found.system_messages += talk.system_messages
    count = len(found.turns)
    _add_answers(found, record, names, _ANSWER_KEY)
    if len(found.turns) == count and not found.passages:
        missing = next((key for key in answers if record[key] is None), None)
        if missing is not None:
            found.turns.append(make_turn("assistant", None, names))
        elif prompt != "prompt":
            return None  # A prompt alone is a record of something else: a label, a passage to be found.
    return found


def _add_answers(found: Spoken, record: Mapping[str, object], names: RoleNames, pattern: re.Pattern[str]) -> None:
    is_undesired = record.get("label") is False
    # The chosen answer continues the conversation; the rejected one is kept beside it.
    keys = sorted((key for key in record if pattern.fullmatch(key)), key=lambda key: _REJECTED.match(key) is not None)
    for key in keys:
        is_rejected = is_undesired or _REJECTED.match(key) is not None
        for name, turns in _list_answers(key, record[key], names):
            found.add_answer(name, turns, is_rejected=is_rejected)


def _list_answers(name: str, value: object, names: RoleNames) -> Iterator[tuple[str, tuple[ImportedTurn, ...]]]:
    """Return the answers in a member of a record: one or several texts, messages or objects with a text."""
    messages = find_messages(value)
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


def _add_history(found: Spoken, history: object, names: RoleNames) -> None:
    """Read the history: question and answer pairs, or messages."""
    messages = find_messages(history)
    if messages is not None:
        found.turns.extend(read_talk(messages, names).turns)
        return
    pairs = _parse_pairs(history)
    for pair in pairs:
        for role, said in zip(("user", "assistant"), pair, strict=False):
            found.turns.append(make_turn(role, said, names))


def _parse_pairs(history: object) -> list[list[object]]:

    value = parse_list(history) if isinstance(history, str) else history
    items = cast("list[object]", value) if isinstance(value, list) else []
    return [cast("list[object]", item) for item in items if isinstance(item, list)]


def _is_said(value: object) -> bool:
    return bool(value) and (isinstance(value, str) or find_messages(value) is not None)


def _is_whole(turns: Sequence[ImportedTurn]) -> bool:
    """Whether it is a conversation instead of an answer."""
    return bool(turns) and turns[0].role is Role.USER


def _say_same(ours: ImportedTurn, theirs: ImportedTurn) -> bool:
    return ours.role is theirs.role and ours.content.strip() == theirs.content.strip() and ours.parts == theirs.parts


def _is_telling(reason: str | None) -> bool:
    return reason is not None and classify_stop(reason) is not None
