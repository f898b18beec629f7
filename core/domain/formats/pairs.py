"""Training pairs: each repeats the conversation so far, so the turns are to be put together and judged once.

The id in a pair does not tell conversations apart (whole files carry the name of their category in it), so pairs belong
together if their ids agree and what the one tells of the conversation continues what the other tells.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from core.domain.conversation import Role
from core.domain.formats.chat import make_turn, read_record_id, read_turns
from core.domain.formats.entries import ImportedConversation, ImportedTurn

_ID_KEY = "conversation_id"


def read_pair_id(pair: Mapping[str, object]) -> str | int | None:
    """The id of the conversation, not of the pair."""
    metadata = pair.get("conversation_metadata")
    for holder in (metadata, pair):
        if isinstance(holder, dict):
            found = read_record_id({_ID_KEY: cast("Mapping[str, object]", holder).get(_ID_KEY)})
            if found is not None:
                return found
    return None


def read_pair_turns(pair: Mapping[str, object]) -> tuple[ImportedTurn, ...]:
    """The conversation up to and with this pair.

    The user's input usually stands in the history already, as its last item. A pair of a user's turn has no response.
    """
    history = pair.get("conversation_history")
    turns = list(read_turns(cast("list[object]", history))) if isinstance(history, list) else []
    said = make_turn(Role.USER, pair.get("current_user_input"))
    last = turns[-1] if turns else None
    is_repeated = last is not None and last.role is Role.USER and said.content.strip() in ("", last.content.strip())
    if not is_repeated:
        turns.append(said)
    if pair.get("target_response") is not None:
        turns.append(make_turn(Role.ASSISTANT, pair["target_response"]))
    return tuple(turns)


class _Known:
    """A conversation of which turns were seen. Each fingerprint covers all turns up to its own."""

    def __init__(self, conversation_id: str | int | None, number: int, labels: Mapping[str, str]) -> None:
        self.id = number if conversation_id is None else conversation_id
        self.number = number
        self.labels = labels
        self.fingerprints: list[int] = []

    def shares_turns_with(self, fingerprints: Sequence[int]) -> bool:
        """Whether the one is the beginning of the other."""
        shorter = min(len(self.fingerprints), len(fingerprints))
        return self.fingerprints[shorter - 1] == fingerprints[shorter - 1]


class PairAssembler:
    """Puts the pairs of one file together, in any order, and forgets the text of each conversation when the next begins."""

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._known: dict[tuple[str | int | None, int], list[_Known]] = {}
        self._open: _Known | None = None
        self._open_turns: list[ImportedTurn] = []

    def add_pair(
        self, conversation_id: str | int | None, turns: Sequence[ImportedTurn], labels: Mapping[str, str]
    ) -> ImportedConversation | None:
        """Take a pair's turns, at least one; return the conversation that it ends, if it does.

        A conversation has the labels of the first of its pairs.
        """
        fingerprints = _take_fingerprints(turns)
        siblings = self._known.setdefault((conversation_id, fingerprints[0]), [])
        known = next((each for each in siblings if each.shares_turns_with(fingerprints)), None)
        if known is None:
            known = _Known(conversation_id, next(self._numbers), labels)
            siblings.append(known)
        elif len(fingerprints) <= len(known.fingerprints):
            return None
        finished = None if known is self._open else self.close()
        self._open = known
        self._open_turns.extend(turns[len(known.fingerprints) :])
        known.fingerprints.extend(fingerprints[len(known.fingerprints) :])
        return finished

    def close(self) -> ImportedConversation | None:
        """End the conversation that is open, if one is."""
        known, turns = self._open, self._open_turns
        self._open, self._open_turns = None, []
        if known is None:
            return None
        first_turn = len(known.fingerprints) - len(turns)
        return ImportedConversation(
            id=known.id, number=known.number, turns=tuple(turns), first_turn=first_turn, labels=known.labels
        )


def _take_fingerprints(turns: Sequence[ImportedTurn]) -> list[int]:
    fingerprints: list[int] = []
    before = 0
    for turn in turns:
        before = hash((before, turn.role_name, turn.content.strip()))
        fingerprints.append(before)
    return fingerprints
