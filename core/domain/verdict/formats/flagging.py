"""The verdict on imported turns: the same detectors that judge a reply, for each turn and not only the first that fails."""

import re
from dataclasses import dataclass

from core.domain.record import Record
from core.domain.verdict.conversation import Role
from core.domain.verdict.corruption import find_corruption
from core.domain.verdict.formats.entries import ImportedConversation, ImportedTurn
from core.domain.verdict.truncation import detect_truncated_content
from core.domain.verdict.verdict import Confidence, Failed, FailurePattern, FailureType

_TAIL_LENGTH = 80
_INVISIBLE = " \t\r\n\f\v\u00a0\u200b\u200c\u200d\u2060\ufeff"
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")


class Flag(Record):
    """What is wrong with a turn. `pattern` is None where the failure type says it all."""

    failure_type: FailureType
    pattern: FailurePattern | None = None
    confidence: Confidence = Confidence.HIGH
    details: str

    @property
    def name(self) -> str:
        """The pattern, or else the failure type."""
        return str(self.pattern or self.failure_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaggedTurn:
    """A turn that must not be trained on. `turn_index` counts from 0; None where no single turn is to blame.

    No Record, for the same reason as ImportedTurn.
    """

    conversation_id: str | int
    turn_index: int | None
    role: str | None
    tail: str
    flag: Flag


def flag_turns(conversation: ImportedConversation) -> tuple[FlaggedTurn, ...]:
    """Everything wrong with a conversation, at most one flag a turn, in the order of the turns."""
    flags: dict[int | None, Flag] = {}
    before: Role | None = None
    for index, turn in enumerate(conversation.turns, start=conversation.first_turn):
        flag = _flag_turn(turn, before)
        if flag is not None:
            flags[index] = flag
        before = turn.role
    failure = conversation.failure
    if failure is not None and _is_news(failure, flags.get(failure.turn_index)):
        flags[failure.turn_index] = Flag.model_validate(failure, from_attributes=True)
    if failure is None and not conversation.turns:
        details = "The conversation has no turns"
        flags[None] = Flag(failure_type=FailureType.VALIDATION_ERROR, pattern=FailurePattern.EMPTY, details=details)
    return tuple(_place_flag(conversation, index, flags[index]) for index in sorted(flags, key=_order_index))


def _flag_turn(turn: ImportedTurn, before: Role | None) -> Flag | None:
    """What is said comes before who says it: a cut turn is a cut turn, whatever its role."""
    if turn.problem is not None:
        return Flag(failure_type=FailureType.VALIDATION_ERROR, details=f"Not a turn: {turn.problem}")
    if not turn.content.strip().strip(_INVISIBLE):
        return Flag(failure_type=FailureType.VALIDATION_ERROR, pattern=FailurePattern.EMPTY, details="Nothing is said")
    return _flag_content(turn.content) or _flag_role(turn, before)


def _flag_content(content: str) -> Flag | None:
    """A cut comes before damage, but for an end that may be whole: what stands there can be the damage itself."""
    cut = _flag_cut(content)
    if cut is not None and cut.confidence is not Confidence.LOW:
        return cut
    damage = _flag_damage(content)
    return damage if cut is None or (damage is not None and damage.confidence is not Confidence.LOW) else cut


def _flag_cut(content: str) -> Flag | None:
    cut = detect_truncated_content(content)
    if not cut.is_truncated:
        return None
    return Flag(failure_type=FailureType.TRUNCATION, pattern=cut.pattern, confidence=cut.confidence, details=cut.details)


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


def _flag_role(turn: ImportedTurn, before: Role | None) -> Flag | None:
    """A data set may begin a conversation anywhere, but then the two speakers alternate."""
    if turn.role is None:
        details = f"The role {turn.role_name[:40]!r} is neither user nor assistant"
    elif turn.role is before:
        details = f"The {turn.role} speaks twice in a row"
    else:
        return None
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
    """Whether the verdict on the whole reply says more than the turn that it names says itself."""
    return flag is None or flag.pattern is not failure.pattern or flag.failure_type is not failure.failure_type


def _order_index(index: int | None) -> tuple[bool, int]:
    return index is None, index or 0
