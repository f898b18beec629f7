"""Training pairs: each repeats the conversation so far, so the turns are assembled and judged once.

The id in a pair does not identify a conversation (in whole files it is the name of their category), so pairs belong together
if their ids agree and one continues the turns of the other.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

from core.domain.verdict.conversation import Role
from core.domain.verdict.formats.chat import KNOWN_ROLES, make_turn, read_record_id, read_turns
from core.domain.verdict.formats.entries import ImportedConversation, ImportedTurn
from core.domain.verdict.formats.repeated_keys import find_repeated_key
from core.domain.verdict.formats.roles import RoleNames

_ID_KEY = "conversation_id"
_MOST_SIBLINGS = 100
"""How many conversations of the same id and beginning are distinguished; of more, the latest."""
_MOST_KNOWN_BYTES = 64 * 2**20
_KNOWN_BYTES, _LABEL_BYTES, _FINGERPRINT_BYTES = 1_200, 60, 40
"""Memory of a known conversation, about: 30,000 fit with labels, 50,000 without."""


def read_pair_id(pair: Mapping[str, object]) -> str | int | None:
    """The id of the conversation, not of the pair."""
    metadata = pair.get("conversation_metadata")
    for holder in (metadata, pair):
        if isinstance(holder, dict):
            found = read_record_id({_ID_KEY: cast("Mapping[str, object]", holder).get(_ID_KEY)})
            if found is not None:
                return found
    return None


def read_pair_turns(pair: Mapping[str, object], names: RoleNames = KNOWN_ROLES) -> tuple[ImportedTurn, ...]:
    """Return the conversation up to and including this pair.

    The user's input usually is the last item of the history. A pair of a user's turn has no response.
    """
    history = pair.get("conversation_history")
    turns = list(read_turns(cast("list[object]", history), names)) if isinstance(history, list) else []
    said = make_turn(Role.USER, pair.get("current_user_input"))
    last = turns[-1] if turns else None
    is_repeated = last is not None and last.role is Role.USER and said.content.strip() in ("", last.content.strip())
    if not is_repeated:
        turns.append(said)
    if pair.get("target_response") is not None:
        turns.append(make_turn(Role.ASSISTANT, pair["target_response"]))
    key = find_repeated_key(pair)
    if key is not None:
        turns[-1] = replace(turns[-1], repeated_key=key)
    return tuple(turns)


_Key = tuple[str | int | None, int]
"""Key of a conversation: its id and the fingerprint of its first turn."""


class _Known:
    """A conversation of which turns were seen. Each fingerprint covers all turns up to its own."""

    def __init__(self, key: _Key, number: int, labels: Mapping[str, str]) -> None:
        self.key = key
        self.id = number if key[0] is None else key[0]
        self.number = number
        self.labels = labels
        self.fingerprints: list[int] = []

    def shares_turns_with(self, fingerprints: Sequence[int]) -> bool:
        """Whether one is the beginning of the other."""
        shorter = min(len(self.fingerprints), len(fingerprints))
        return self.fingerprints[shorter - 1] == fingerprints[shorter - 1]


class PairAssembler:
    """Assembles the pairs of one file, in any order, and drops the text of each conversation when the next begins.

    Memory of known conversations is bounded: when it is full, they are dropped where a new one begins, and a later pair of a
    dropped one begins it anew.
    """

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._known: dict[_Key, list[_Known]] = {}
        self._known_bytes = 0
        self._open: _Known | None = None
        self._open_turns: list[ImportedTurn] = []

    def add_pair(
        self, conversation_id: str | int | None, turns: Sequence[ImportedTurn], labels: Mapping[str, str]
    ) -> ImportedConversation | None:
        """Take a pair's turns, at least one; return the conversation that it ends, if it does.

        A conversation has the labels of the first of its pairs.
        """
        fingerprints = _take_fingerprints(turns)
        key = (conversation_id, fingerprints[0])
        known = next((each for each in self._known.get(key, ()) if each.shares_turns_with(fingerprints)), None)
        if known is None:
            known = _Known(key, next(self._numbers), labels)
            self._remember(known)
        elif len(fingerprints) <= len(known.fingerprints):
            return None
        finished = None if known is self._open else self.close()
        self._open = known
        self._open_turns.extend(turns[len(known.fingerprints) :])
        news = fingerprints[len(known.fingerprints) :]
        known.fingerprints.extend(news)
        self._known_bytes += _FINGERPRINT_BYTES * len(news)
        return finished

    def _remember(self, known: _Known) -> None:
        if self._known_bytes > _MOST_KNOWN_BYTES:
            self._known = {}
            self._known_bytes = 0
        siblings = self._known.setdefault(known.key, [])
        siblings.append(known)
        del siblings[:-_MOST_SIBLINGS]
        self._known_bytes += _KNOWN_BYTES + sum(_LABEL_BYTES + len(value) for value in known.labels.values())

    def close(self) -> ImportedConversation | None:
        """Return the open conversation, if there is one."""
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
