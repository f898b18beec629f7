"""How the speakers of a file end their turns: this shows how much an end without a mark means."""

from collections import Counter

from core.domain.verdict.endings import Ending
from core.domain.verdict.verdict import Confidence

_USUAL_SHARE = 1 / 3
"""From this share on, a speaker normally ends turns without a mark."""
_SHARE_OF_CUTS = 0.08
"""So many of the unmarked ends stand behind a word that needs another: they are cuts. A third of random English cuts do."""
_ENOUGH_TURNS, _ENOUGH_SENTENCES = 12, 20
"""Fewer turns show no habit; with this many unmarked sentences one can tell whether they are cuts, however rare they are."""
_MANY_TURNS, _RARE_SHARE = 50, 1 / 300
"""Where so many end with a mark, one that ends otherwise is news; of words and phrases, which a cut leaves, so few are."""
_LIKE_CUTS = frozenset(
    {Ending.WORD, Ending.PHRASE, Ending.ENUMERATION, Ending.NAME, Ending.VALUE, Ending.LINES, Ending.LIST}
)
"""Endings that are words, as a cut leaves them; tables, links and code have a form of their own."""


class Habits:
    """Counts the ends of each speaker's turns."""

    def __init__(self) -> None:
        self._turns: Counter[str] = Counter()
        self._endings: Counter[tuple[str, Ending]] = Counter()
        self._unmarked: Counter[str] = Counter()

    def count_turns(self, speaker: str, turns: int = 1) -> None:
        """Count turns that have text."""
        self._turns[speaker] += turns

    def count_ending(self, speaker: str, ending: Ending) -> None:
        """Count one of those turns as ending without a mark."""
        self._unmarked[speaker] += 1
        self._endings[speaker, ending] += 1

    def weigh(self, speaker: str, ending: Ending) -> Confidence:
        """How sure it is that a counted turn with this ending is cut; a word that needs another is sure anywhere."""
        turns, unmarked = self._turns[speaker], self._unmarked[speaker]
        if ending is Ending.CONNECTIVE:
            return ending.confidence
        sure = self._endings[speaker, Ending.CONNECTIVE]
        sentences = self._endings[speaker, Ending.SENTENCE] + sure
        if turns >= _ENOUGH_TURNS and unmarked >= turns * _USUAL_SHARE and sure < unmarked * _SHARE_OF_CUTS:
            return Confidence.LOW
        if sentences >= _ENOUGH_SENTENCES and sure < sentences * _SHARE_OF_CUTS:
            return Confidence.LOW
        rare = max(1.0, turns * _RARE_SHARE) if ending in (Ending.WORD, Ending.PHRASE) else 1
        if turns >= _MANY_TURNS and self._endings[speaker, ending] <= rare and ending in _LIKE_CUTS:
            return Confidence.MEDIUM
        return ending.confidence
