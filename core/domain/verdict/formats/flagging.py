"""The verdict on imported turns, by the detectors that judge a reply: for each turn, not only for the first that fails."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from core.domain.record import Record
from core.domain.verdict.conversation import Role
from core.domain.verdict.corruption import find_corruption
from core.domain.verdict.endings import Ending
from core.domain.verdict.formats.entries import ImportedConversation, ImportedTurn, Part, Passage
from core.domain.verdict.formats.stops import StopKind, classify_stop
from core.domain.verdict.formats.tool_data import find_cut_data, remove_calls
from core.domain.verdict.truncation import detect_truncated_content
from core.domain.verdict.verdict import Confidence, Failed, FailurePattern, FailureType

_TAIL_LENGTH = 80
_INVISIBLE = " \t\r\n\f\v\u00a0\u200b\u200c\u200d\u2060\ufeff"
_OPEN_ENDINGS = frozenset({FailurePattern.NO_PUNCTUATION, FailurePattern.TRAILING_COLON})
_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class Flag(Record):
    """What is wrong with a turn. `pattern` is None where the failure type says it all, `ending` where a mark ends it."""

    failure_type: FailureType
    pattern: FailurePattern | None = None
    confidence: Confidence = Confidence.HIGH
    details: str
    ending: Ending | None = None

    @property
    def name(self) -> str:
        """The pattern, or if there is none the failure type."""
        return str(self.pattern or self.failure_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaggedTurn:
    """A turn that must not be trained on. `turn_index` counts from 0; None where no single turn is to blame.

    `field` is the member of the record that holds it, where it is another answer than the conversation's own. No Record, for
    the same reason as ImportedTurn.
    """

    conversation_id: str | int
    turn_index: int | None
    role: str | None
    tail: str
    flag: Flag
    field: str | None = None


def flag_turns(conversation: ImportedConversation) -> tuple[FlaggedTurn, ...]:
    """Return everything wrong with a conversation, at most one flag per turn, in the order of the turns; other answers come
    last.
    """
    flags: dict[int | None, Flag] = dict(_flag_passage(conversation.turns, conversation.first_turn, None))
    failure = conversation.failure
    if failure is not None and _is_news(failure, flags.get(failure.turn_index)):
        flags[failure.turn_index] = Flag.model_validate(failure, from_attributes=True)
    if failure is None and not conversation.turns and not conversation.passages:
        details = "The conversation has no turns"
        flags[None] = Flag(failure_type=FailureType.VALIDATION_ERROR, pattern=FailurePattern.EMPTY, details=details)
    own = [_place_flag(conversation, index, flags[index]) for index in sorted(flags, key=_order_index)]
    others = (flag_passage(conversation, passage) for passage in conversation.passages if not passage.is_rejected)
    return (*own, *chain.from_iterable(others))


def flag_passage(conversation: ImportedConversation, passage: Passage) -> Iterator[FlaggedTurn]:
    """What is wrong with another answer of a conversation."""
    for index, flag in _flag_passage(passage.turns, passage.first_turn, passage.before):
        turn = passage.turns[index - passage.first_turn]
        yield FlaggedTurn(
            conversation_id=conversation.id,
            turn_index=index,
            role=turn.role_name,
            tail=turn.content[-_TAIL_LENGTH:],
            flag=flag,
            field=passage.field,
        )


def _flag_passage(turns: Sequence[ImportedTurn], first_turn: int, before: Role | None) -> Iterator[tuple[int, Flag]]:
    speaker: str | None = before
    is_stranger_named = False
    for index, turn in enumerate(turns, start=first_turn):
        flag = _flag_turn(turn, speaker)
        if flag is None and turn.role is None and not turn.is_data and not is_stranger_named:
            is_stranger_named = True  # Once is enough: the role names of a file are the same in all of its turns.
            flag = _flag_stranger(turn)
        if flag is not None:
            yield index, flag
        speaker = None if turn.is_data else turn.role_name


def _flag_turn(turn: ImportedTurn, before: str | None) -> Flag | None:
    """The record's own statement comes first, and the text before the speaker: a cut turn is cut, whatever its role."""
    if turn.problem is not None:
        return Flag(failure_type=FailureType.VALIDATION_ERROR, details=f"Not a turn: {turn.problem}")
    if turn.repeated_key is not None:
        details = f"It can be read in two ways: its key {turn.repeated_key!r} stands twice"
        return Flag(failure_type=FailureType.PARSE_ERROR, details=details)
    stopped = None if turn.stop is None else _flag_stop(turn.stop)
    if stopped is not None:
        return stopped
    cut = _flag_data(turn)
    if cut is not None or (turn.is_data and (turn.role is None or turn.parts)):
        return cut
    if not _remove_thought(turn.content).strip().strip(_INVISIBLE):
        if any(part is not Part.THINKING for part in turn.parts):
            return None
        return Flag(failure_type=FailureType.VALIDATION_ERROR, pattern=FailurePattern.EMPTY, details="Nothing is said")
    if turn.is_data:
        return None
    return _flag_said(turn) or _flag_repetition(turn, before)


def _remove_thought(content: str) -> str:
    return _THOUGHT.sub("", content) if "<think" in content else content


def _flag_said(turn: ImportedTurn) -> Flag | None:
    """Text before an image or a tool call may end in any way, for example with a colon."""
    said = remove_calls(turn.content) if Part.TOOL_CALL in turn.parts else turn.content
    flag = _flag_content(said, turn.role) if said.strip() else None
    return None if turn.is_open_ended and flag is not None and flag.pattern in _OPEN_ENDINGS else flag


def _flag_stop(reason: str) -> Flag | None:
    kind = classify_stop(reason)
    said = f"its record says {reason!r}"
    match kind:
        case None:
            return None
        case StopKind.REFUSAL:
            return Flag(failure_type=FailureType.REFUSAL, details=f"The model declined: {said}")
        case StopKind.LIMIT:
            details = f"A limit of length was reached: {said}"
        case StopKind.FILTER:
            details = f"A filter has taken the rest: {said}"
        case StopKind.BREAK:
            details = f"The reply was broken off: {said}"
    return Flag(failure_type=FailureType.TRUNCATION, pattern=FailurePattern.UNEXPECTED_STOP_REASON, details=details)


def _flag_data(turn: ImportedTurn) -> Flag | None:
    """Arguments and answers of tools: JSON that stops is cut; anything else is not prose and is not judged."""
    for text in (*turn.data, *((turn.content,) if turn.is_data else ())):
        opening = find_cut_data(text)
        if opening is not None:
            pattern = FailurePattern.OPEN_BRACE if opening == "{" else FailurePattern.OPEN_BRACKET
            details = f"The JSON of a tool stops before its end: …{text[-_TAIL_LENGTH:]}"
            return Flag(failure_type=FailureType.TRUNCATION, pattern=pattern, details=details)
    return None


def _flag_content(content: str, speaker: Role | None) -> Flag | None:
    """A cut comes before damage, except for an end that may be complete: the text there can be the damage itself."""
    cut = _flag_cut(content, speaker)
    if cut is not None and cut.confidence is not Confidence.LOW:
        return cut
    damage = _flag_damage(content)
    return damage if cut is None or (damage is not None and damage.confidence is not Confidence.LOW) else cut


def _flag_cut(content: str, speaker: Role | None) -> Flag | None:
    cut = detect_truncated_content(content, speaker)
    if not cut.is_truncated:
        return None
    return Flag(
        failure_type=FailureType.TRUNCATION,
        pattern=cut.pattern,
        confidence=cut.confidence,
        details=cut.details,
        ending=cut.ending,
    )


def _flag_damage(content: str) -> Flag | None:
    damage = find_corruption(content)
    if damage is not None:
        details = f"{damage.details}: …{damage.excerpt}…"
        return Flag(
            failure_type=FailureType.CORRUPTION, pattern=damage.pattern, confidence=damage.confidence, details=details
        )
    if not content.isascii() and _HALF_CHARACTER.search(content):
        details = "holds half of a character, which is no text"
        return Flag(failure_type=FailureType.CORRUPTION, pattern=FailurePattern.GARBLED_TEXT, details=details)
    return None


def _flag_repetition(turn: ImportedTurn, before: str | None) -> Flag | None:
    """A conversation of a data set may begin anywhere, but then the two speakers alternate."""
    if before is None or turn.role_name != before or not before:
        return None
    return Flag(failure_type=FailureType.VALIDATION_ERROR, details=f"The {turn.role_name[:40]} speaks twice in a row")


def _flag_stranger(turn: ImportedTurn) -> Flag:
    if not turn.role_name.strip():
        return Flag(failure_type=FailureType.VALIDATION_ERROR, details="It does not say who speaks")
    details = f"The role {turn.role_name[:40]!r} is neither user nor assistant"
    return Flag(failure_type=FailureType.VALIDATION_ERROR, details=details)


def _place_flag(conversation: ImportedConversation, index: int | None, flag: Flag) -> FlaggedTurn:
    position = None if index is None else index - conversation.first_turn
    turn = conversation.turns[position] if position is not None and position < len(conversation.turns) else None
    return FlaggedTurn(
        conversation_id=conversation.id,
        turn_index=index,
        role=None if turn is None else turn.role_name,
        tail=(conversation.ending if turn is None else turn.content)[-_TAIL_LENGTH:],
        flag=flag,
    )


def _is_news(failure: Failed, flag: Flag | None) -> bool:
    """Whether the verdict on the whole reply adds to the verdict on the turn that it names."""
    return flag is None or flag.pattern is not failure.pattern or flag.failure_type is not failure.failure_type


def _order_index(index: int | None) -> tuple[bool, int]:
    return index is None, index or 0
