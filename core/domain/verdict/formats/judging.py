"""The verdict on the conversations of a file, one after the other; what is normal in a file is known here."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from core.domain.record import Record
from core.domain.verdict.conversation import Role
from core.domain.verdict.formats.entries import ImportedConversation, ImportedTurn, Part, Unreadable
from core.domain.verdict.formats.flagging import FlaggedTurn, flag_passage, flag_turns


class JudgeOptions(Record):
    """What of a file is judged. `speakers` None: everybody."""

    speakers: frozenset[Role] | None = None


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
    """Counts over judged conversations, of what is neither flagged nor passed."""

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
    """Judge the conversations of one file, in its order; what is unreadable is passed on."""
    for conversation in conversations:
        if isinstance(conversation, Unreadable):
            yield conversation
        else:
            yield _judge(conversation, options)


def _judge(conversation: ImportedConversation, options: JudgeOptions) -> JudgedConversation:
    rejected = [passage for passage in conversation.passages if passage.is_rejected]
    others = chain.from_iterable(passage.turns for passage in conversation.passages if not passage.is_rejected)
    turns = [*conversation.turns, *others]
    return JudgedConversation(
        conversation=conversation,
        flagged=tuple(turn for turn in flag_turns(conversation) if _is_asked_for(turn.role, options)),
        turns=len(turns),
        not_judged=_count_unjudged(turns, conversation.system_messages, options),
        rejected=len(rejected),
        damaged_rejected=sum(any(True for _ in flag_passage(conversation, passage)) for passage in rejected),
    )


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
