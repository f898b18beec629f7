"""The verdict on files that others made: false alarms on their turns, and cuts planted in them.

The files are named by the caller and not kept. What a reader found to be cut in them already is known by its digest, counts
neither as whole nor as an alarm, and nothing is planted in it.
"""

import hashlib
import random
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.adapters.files.dataset_files import read_entries
from core.domain.verdict.closings import CLOSERS, ends_sentence
from core.domain.verdict.conversation import Role
from core.domain.verdict.formats.entries import ImportedConversation, ImportedTurn
from core.domain.verdict.formats.flagging import Flag, flag_turns
from core.domain.verdict.formats.reading import read_conversations
from core.domain.verdict.habits import Habits
from core.domain.verdict.verdict import Confidence, FailureType

KNOWN_CUTS = frozenset((Path(__file__).parent / "known_cuts.txt").read_text(encoding="utf-8").split())
TARGET_FALSE_ALARMS = {Role.ASSISTANT: 0.005, Role.USER: 0.01}
TARGET_RECALL, TARGET_PRECISION = 0.95, 0.90
CUTS_OF_A_TURN = 5
"""One would leave a percent to chance."""
ALL_SCRIPTS, OTHER_SCRIPTS = "all", "others"
FEWEST_OF_A_SCRIPT = 100
"""Fewer turns in a script are counted with the others that are few."""
_WITHOUT_BLANKS = frozenset({"CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"})

Level = tuple[Confidence, str]
"""How sure a finding is, and what it is: the ending where nothing else is wrong, or the failure type."""


@dataclass
class ForeignFigures:
    """One speaker of a file, in one script or in all of them."""

    file: str
    script: str
    role: Role
    turns: int = 0
    cuts: int = 0
    alarms: Counter[Level] = field(default_factory=Counter[Level])
    found: Counter[Level] = field(default_factory=Counter[Level])
    shown: list[str] = field(default_factory=list[str])

    def add(self, other: "ForeignFigures") -> None:
        """Add those of another script."""
        self.turns += other.turns
        self.cuts += other.cuts
        self.alarms.update(other.alarms)
        self.found.update(other.found)
        self.shown += other.shown

    def count_alarms(self, least: Confidence) -> int:
        """False alarms that are sure enough."""
        return sum(count for (level, _), count in self.alarms.items() if level.reaches(least))

    def count_found(self, least: Confidence) -> int:
        """Planted cuts that are found, and sure enough."""
        return sum(count for (level, _), count in self.found.items() if level.reaches(least))

    def draw_curve(self) -> Iterator[tuple[str, float, float]]:
        """Recall against false alarms: by confidence, then with each kind of ending beyond the default threshold."""
        alarms = found = 0
        for least in (Confidence.HIGH, Confidence.MEDIUM):
            alarms, found = self.count_alarms(least), self.count_found(least)
            yield least, alarms / self.turns, found / max(1, self.cuts)
        kinds = {kind for level, kind in self.alarms | self.found if level is Confidence.LOW}
        for kind in sorted(kinds, key=lambda kind: self.alarms[Confidence.LOW, kind] - self.found[Confidence.LOW, kind]):
            alarms += self.alarms[Confidence.LOW, kind]
            found += self.found[Confidence.LOW, kind]
            yield f"+ {kind}", alarms / self.turns, found / max(1, self.cuts)


def measure_file(path: Path, seed: int = 7) -> list[ForeignFigures]:
    """Judge the turns of a file as they are, and each cut behind a random word that ends no sentence."""
    entries = read_entries(path, lambda _: None)
    conversations = [each for each in read_conversations(entries) if isinstance(each, ImportedConversation)]
    turns = [turn for each in conversations for turn in each.turns if turn.role is not None and turn.content.strip()]
    judged = [(turn, _flag(turn)) for turn in turns]
    habits = Habits()
    for turn, flag in judged:
        habits.count_turns(turn.role_name)
        if flag is not None and flag.ending is not None:
            habits.count_ending(turn.role_name, flag.ending)
    rows: dict[tuple[str, str], ForeignFigures] = {}
    chance = random.Random(seed)
    for turn, flag in judged:
        if hashlib.sha256(turn.content.encode("utf-8", "surrogatepass")).hexdigest()[:16] in KNOWN_CUTS or turn.role is None:
            continue
        script = name_script(turn.content)
        row = rows.setdefault((script, turn.role_name), ForeignFigures(path.name, script, turn.role))
        row.turns += 1
        if flag is not None:
            row.alarms[_level(flag, turn, habits)] += 1
            if _level(flag, turn, habits)[0].reaches(Confidence.MEDIUM):
                row.shown.append(turn.content[-70:])
        cuts = [cut for cut in (cut_somewhere(turn.content, script, chance) for _ in range(CUTS_OF_A_TURN)) if cut]
        row.cuts += len(cuts)
        for cut in cuts:
            planted = ImportedTurn(role=turn.role, role_name=turn.role_name, content=cut)
            found = _flag(planted)
            if found is not None and found.failure_type is FailureType.TRUNCATION:
                row.found[_level(found, planted, habits)] += 1
    return _sum_up(rows.values())


def _sum_up(rows: Iterable[ForeignFigures]) -> list[ForeignFigures]:
    """For each speaker all scripts, then each that has enough turns, where there are several."""
    summed: dict[tuple[Role, str], ForeignFigures] = {}
    for row in rows:
        script = row.script if row.turns >= FEWEST_OF_A_SCRIPT else OTHER_SCRIPTS
        for name in (ALL_SCRIPTS, script):
            summed.setdefault((row.role, name), ForeignFigures(row.file, name, row.role)).add(row)
    order = sorted(summed.values(), key=lambda row: (row.role, row.script != ALL_SCRIPTS, -row.turns))
    whole = {row.role: row.turns for row in order if row.script == ALL_SCRIPTS}
    return [row for row in order if row.script == ALL_SCRIPTS or row.turns < whole[row.role]]


def share_right(rows: Sequence[ForeignFigures]) -> dict[Confidence, float]:
    """Of the findings of each confidence, how many are cuts, where as many turns are cut as whole."""
    right, wrong = Counter[Confidence](), Counter[Confidence]()
    for row in rows:
        for (level, _), count in row.found.items():
            right[level] += count
        for (level, _), count in row.alarms.items():
            wrong[level] += count * CUTS_OF_A_TURN
    return {level: right[level] / (right[level] + wrong[level]) for level in Confidence if right[level] + wrong[level]}


def cut_somewhere(text: str, script: str, chance: random.Random) -> str | None:
    """The text up to a random word that ends no sentence; where words are not parted, to a random letter."""
    whole = text.rstrip()
    if script in _WITHOUT_BLANKS:
        ends = [index for index in range(1, len(whole)) if whole[index - 1].isalnum()]
    else:
        ends = [index for index in range(1, len(whole)) if whole[index].isspace() and not whole[index - 1].isspace()]
    ends = [end for end in ends if not ends_sentence(whole[:end][-20:].rstrip(CLOSERS)) and whole[:end].strip()]
    return whole[: chance.choice(ends)] if ends else None


def name_script(text: str) -> str:
    """The script of most letters, by Unicode's name."""
    names = Counter(unicodedata.name(letter, "?").split()[0] for letter in text[:2000] if letter.isalpha())
    return names.most_common(1)[0][0] if names else "NONE"


def _flag(turn: ImportedTurn) -> Flag | None:
    found = flag_turns(ImportedConversation(id=0, number=0, turns=(turn,)))
    return found[0].flag if found else None


def _level(flag: Flag, turn: ImportedTurn, habits: Habits) -> Level:
    if flag.ending is None:
        return flag.confidence, flag.failure_type
    return habits.weigh(turn.role_name, flag.ending), flag.ending
