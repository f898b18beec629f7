"""Scanning files: each conversation through the verdict, and the counts over all files."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from core.domain.diagnosis.suspects import SuspectReport, find_suspects
from core.domain.record import Record
from core.domain.verdict.formats.entries import Entry, JsonEntry, Unreadable
from core.domain.verdict.formats.flagging import FlaggedTurn
from core.domain.verdict.formats.judging import JUDGE_ALL, JudgeOptions, JudgeTally, judge_conversations
from core.domain.verdict.formats.metadata import list_fields
from core.domain.verdict.formats.reading import ReadOptions, read_conversations
from core.domain.verdict.formats.roles import Voice, describe_strangers
from core.domain.verdict.grouping import LabelCounter

_SAMPLED_RECORDS = 200
_MOST_KNOWN_FIELDS = 30
_MOST_FLAGGED_NUMBERS = 200_000


class ScanSummary(Record):
    """Counts over everything that was scanned. A flag on a conversation as a whole counts as a flagged turn."""

    conversations: int
    turns: int
    flagged_turns: int
    flagged_conversations: int
    not_judged: Mapping[str, int] = {}
    """What holds no text to judge, or was not asked for: images, thinking, calls of tools, system messages and the like."""
    rejected_replies: int = 0
    """Answers that a preference rejected: judged for the next number alone, since they are meant to be worse."""
    damaged_rejected_replies: int = 0


class Scan:
    """One run over any number of files; it counts while it goes and keeps no text.

    `fields` are what conversations are counted by, to find out where the flagged ones come from.
    """

    def __init__(
        self, fields: Sequence[str] = (), options: JudgeOptions = JUDGE_ALL, roles: Mapping[str, Voice] | None = None
    ) -> None:
        self._options = options
        self._reading = ReadOptions(fields=tuple(fields), roles=roles or {})
        self._tally = JudgeTally()
        self._groups = LabelCounter(fields) if fields else None
        self._conversations = self._flagged_conversations = 0
        self._unreadable = 0
        self._names: Counter[str] = Counter()
        self._sampled = 0
        self._known_fields: dict[str, None] = {}

    def scan_entries(self, entries: Iterable[Entry]) -> Iterator[FlaggedTurn | Unreadable]:
        """Judge the entries of one file; yield what is wrong, in the order of the file."""
        flagged_numbers: set[int] = set()
        sampled = entries if self._groups is None else self._sample_fields(entries)
        conversations = read_conversations(sampled, self._reading)
        for judged in judge_conversations(conversations, self._options):
            if isinstance(judged, Unreadable):
                self._unreadable += 1
                yield judged
                continue
            conversation, flagged = judged.conversation, judged.flagged
            if conversation.first_turn == 0:
                self._conversations += 1
                if self._groups is not None:
                    self._groups.count_conversation(conversation.labels)
            self._tally.count(judged)
            if flagged and conversation.number not in flagged_numbers:
                if len(flagged_numbers) >= _MOST_FLAGGED_NUMBERS:
                    flagged_numbers.clear()  # Only shuffled training pairs come to a number again.
                flagged_numbers.add(conversation.number)
                self._flagged_conversations += 1
                if self._groups is not None:
                    self._groups.count_flagged(conversation.labels)
            for turn in flagged:
                self._names[turn.flag.name] += 1
                yield turn

    @property
    def summary(self) -> ScanSummary:
        """The counts so far."""
        return ScanSummary(
            conversations=self._conversations,
            turns=self._tally.turns,
            flagged_turns=self._names.total(),
            flagged_conversations=self._flagged_conversations,
            not_judged=dict(self._tally.not_judged.most_common()),
            rejected_replies=self._tally.rejected,
            damaged_rejected_replies=self._tally.damaged_rejected,
        )

    @property
    def strangers(self) -> str | None:
        """What to do about roles that are neither user nor assistant, if there are any."""
        return describe_strangers(self._tally.strangers)

    @property
    def unreadable(self) -> int:
        """How many files, lines or items could not be read."""
        return self._unreadable

    @property
    def missing_fields(self) -> tuple[str, ...]:
        """The fields that were asked for and that no record has."""
        return () if self._groups is None else self._groups.missing

    @property
    def uniform_fields(self) -> tuple[tuple[str, str], ...]:
        """The fields that have one value in all conversations, with the value: there is nothing to compare."""
        return () if self._groups is None else self._groups.uniform

    @property
    def known_fields(self) -> tuple[str, ...]:
        """Fields that the first records have, not all where there are many."""
        return tuple(self._known_fields)[:_MOST_KNOWN_FIELDS]

    @property
    def overfull_fields(self) -> tuple[str, ...]:
        """The fields that have too many values for each to be counted."""
        return () if self._groups is None else tuple(sorted(self._groups.overfull))

    def find_suspects(self) -> SuspectReport | None:
        """Say which values the flagged conversations come from; None where no field was asked for."""
        return None if self._groups is None else find_suspects(self._groups.build_facts())

    def count_patterns(self) -> list[tuple[str, int]]:
        """Flagged turns by pattern, or by failure type where there is none; most frequent first."""
        return self._names.most_common()

    def _sample_fields(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Pass the entries on and note what fields the first records have, for those who ask for another."""
        for entry in entries:
            if isinstance(entry, JsonEntry) and self._sampled < _SAMPLED_RECORDS:
                self._sampled += 1
                if len(self._known_fields) < _MOST_KNOWN_FIELDS:
                    self._known_fields.update(dict.fromkeys(list_fields(entry.value)))
            yield entry
