"""The verdict on the conversations of a file, one after the other; what is normal in a file is known here."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from core.domain.record import Record
from core.domain.verdict.conversation import Role
from core.domain.verdict.formats.entries import ImportedConversation, Unreadable
from core.domain.verdict.formats.flagging import FlaggedTurn, flag_turns


class JudgeOptions(Record):
    """What of a file is judged. `speakers` None: everybody."""

    speakers: frozenset[Role] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedConversation:
    """A conversation and everything that is wrong with it. No Record, for the same reason as ImportedTurn."""

    conversation: ImportedConversation
    flagged: tuple[FlaggedTurn, ...]


JUDGE_ALL = JudgeOptions()


def judge_conversations(
    conversations: Iterable[ImportedConversation | Unreadable], options: JudgeOptions = JUDGE_ALL
) -> Iterator[JudgedConversation | Unreadable]:
    """Judge the conversations of one file, in its order; what is unreadable is passed on."""
    for conversation in conversations:
        if isinstance(conversation, Unreadable):
            yield conversation
        else:
            flagged = tuple(turn for turn in flag_turns(conversation) if _is_asked_for(turn, options))
            yield JudgedConversation(conversation=conversation, flagged=flagged)


def _is_asked_for(turn: FlaggedTurn, options: JudgeOptions) -> bool:
    return options.speakers is None or turn.role is None or turn.role in options.speakers
