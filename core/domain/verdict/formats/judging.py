"""The verdict on the conversations of a file, one after the other; this module knows what is normal in the file."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from core.domain.record import Record
from core.domain.verdict.conversation import Role
from core.domain.verdict.formats.entries import ImportedConversation, ImportedTurn, Part, Unreadable
from core.domain.verdict.formats.flagging import FlaggedTurn, flag_passage, flag_turns
from core.domain.verdict.habits import Habits
from core.domain.verdict.verdict import Confidence

MOST_READ_AHEAD, MOST_CHARACTERS_AHEAD = 1_000, 2_000_000
"""How many conversations, and characters in them, are read before the first is judged by what is normal in the file."""
_COST_OF_A_TURN = 100
"""Characters that an empty turn counts as."""


class JudgeOptions(Record):
    """What to judge in a file, and how sure a finding must be to count. `speakers` None: everybody."""

    speakers: frozenset[Role] | None = None
    least: Confidence = Confidence.MEDIUM


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedConversation:
    """A conversation and everything that is wrong with it; of rejected answers only how many there are, and damaged.

    `not_judged` counts what holds no text to judge, or was not asked for, by its name in the plural. No Record, for the same
    reason as ImportedTurn.
    """

    conversation: ImportedConversation
    flagged: tuple[FlaggedTurn, ...]
    turns: int
    not_judged: Counter[str]
    rejected: int = 0
    damaged_rejected: int = 0


class JudgeTally:
    """Counts over judged conversations of what is neither flagged nor accepted."""

    def __init__(self) -> None:
        self.turns = self.rejected = self.damaged_rejected = 0
        self.not_judged: Counter[str] = Counter()
        self.strangers: Counter[str] = Counter()
        """Turns by names of roles that are neither user nor assistant."""

    def count(self, judged: JudgedConversation) -> None:
        """Count a conversation, or a piece of one."""
        self.turns += judged.turns
        self.rejected += judged.rejected
        self.damaged_rejected += judged.damaged_rejected
        self.not_judged.update(judged.not_judged)
        for turn in judged.conversation.turns:
            is_stranger = turn.role is None and turn.role_name != "" and not turn.is_data
            if is_stranger and (turn.role_name in self.strangers or len(self.strangers) < _MOST_STRANGERS):
                self.strangers[turn.role_name] += 1


JUDGE_ALL = JudgeOptions()
_MOST_STRANGERS = 1_000


def judge_conversations(
    conversations: Iterable[ImportedConversation | Unreadable], options: JudgeOptions = JUDGE_ALL
) -> Iterator[JudgedConversation | Unreadable]:
    """Judge the conversations of one file in order; pass unreadable entries on."""
    habits = Habits()
    for some in _read_ahead(conversations):
        flagged = [() if isinstance(each, Unreadable) else flag_turns(each) for each in some]
        for each, flags in zip(some, flagged, strict=True):
            if not isinstance(each, Unreadable):
                _count_habits(habits, each, flags)
        for each, flags in zip(some, flagged, strict=True):
            yield each if isinstance(each, Unreadable) else _judge(each, flags, habits, options)


def _read_ahead(
    conversations: Iterable[ImportedConversation | Unreadable],
) -> Iterator[Sequence[ImportedConversation | Unreadable]]:
    some: list[ImportedConversation | Unreadable] = []
    characters = 0
    for each in conversations:
        some.append(each)
        if not isinstance(each, Unreadable):
            characters += len(each.text) + sum(len(turn.content) + _COST_OF_A_TURN for turn in _list_turns(each))
        if len(some) >= MOST_READ_AHEAD or characters >= MOST_CHARACTERS_AHEAD:
            yield some
            some, characters = [], 0
    yield some


def _list_turns(conversation: ImportedConversation) -> Iterator[ImportedTurn]:
    """All turns but those of rejected answers."""
    others = (passage.turns for passage in conversation.passages if not passage.is_rejected)
    return chain(conversation.turns, chain.from_iterable(others))


def _count_habits(habits: Habits, conversation: ImportedConversation, flagged: Sequence[FlaggedTurn]) -> None:
    for turn in _list_turns(conversation):
        if not turn.is_data:
            habits.count_turns(turn.role_name)
    for turn in flagged:
        if turn.flag.ending is not None:
            habits.count_ending(turn.role or "", turn.flag.ending)


def _judge(
    conversation: ImportedConversation, flagged: Sequence[FlaggedTurn], habits: Habits, options: JudgeOptions
) -> JudgedConversation:
    rejected = [passage for passage in conversation.passages if passage.is_rejected]
    turns = list(_list_turns(conversation))
    weighed = (_weigh(turn, habits) for turn in flagged if _is_asked_for(turn.role, options))
    return JudgedConversation(
        conversation=conversation,
        flagged=tuple(turn for turn in weighed if _counts(turn, conversation, options)),
        turns=len(turns),
        not_judged=_count_unjudged(turns, conversation.system_messages, options),
        rejected=len(rejected),
        damaged_rejected=sum(
            any(_weigh(turn, habits).flag.confidence.reaches(options.least) for turn in flag_passage(conversation, passage))
            for passage in rejected
        ),
    )


def _weigh(turn: FlaggedTurn, habits: Habits) -> FlaggedTurn:
    if turn.flag.ending is None:
        return turn
    confidence = habits.weigh(turn.role or "", turn.flag.ending)
    return replace(turn, flag=turn.flag.model_copy(update={"confidence": confidence}))


def _counts(turn: FlaggedTurn, conversation: ImportedConversation, options: JudgeOptions) -> bool:
    """Whether a finding is sure enough; a failure of the whole reply always counts, since a batch would refuse it."""
    failure = conversation.failure
    return turn.flag.confidence.reaches(options.least) or (failure is not None and failure.turn_index == turn.turn_index)


def _is_asked_for(role: str | None, options: JudgeOptions) -> bool:
    return options.speakers is None or role not in tuple(Role) or role in options.speakers


def _count_unjudged(turns: Iterable[ImportedTurn], system_messages: int, options: JudgeOptions) -> Counter[str]:
    found = Counter({"system messages": system_messages} if system_messages else {})
    for turn in turns:
        found.update(turn.parts)
        if turn.is_data:
            found[Part.TOOL_RESULT if turn.role is None else Part.TOOL_CALL] += 1
        elif not _is_asked_for(turn.role, options):
            found[f"{turn.role} turns"] += 1
    return found
