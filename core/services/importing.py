"""Importing files: each conversation through the verdict, into one batch that can be diagnosed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

from core.domain.batches.batch import BatchId
from core.domain.datasets.importing import (
    IMPORTED_FIELDS,
    MOST_CONVERSATIONS,
    MOST_IMPORTED_TURNS,
    FileDigest,
    ImportItem,
    KnownFile,
    NameIndex,
    build_item,
    name_import,
)
from core.domain.record import Record
from core.domain.verdict.formats.entries import Unreadable
from core.domain.verdict.formats.judging import JUDGE_ALL, JudgedConversation, JudgeOptions, JudgeTally, judge_conversations
from core.domain.verdict.formats.reading import ReadOptions, read_conversations
from core.domain.verdict.formats.roles import Voice, describe_strangers
from core.errors import InvalidRequest
from core.ports.imports import DataSetFile, ImportStore
from core.ports.scaffolding import ScaffoldingStore

CHUNK_ITEMS, CHUNK_CHARACTERS = 500, 2_000_000
MOST_PROBLEMS = 100
"""How many unreadable parts are listed; all are counted."""


class ImportProblem(Record):
    """A part of a file that could not be read."""

    file: str
    place: str | None
    reason: str


class ImportReport(Record):
    """The result of an import. `batch_id` is None where nothing was new; `known` are files that were imported before."""

    batch_id: BatchId | None
    name: str
    conversations: int = 0
    turns: int = 0
    flagged: int = 0
    patterns: tuple[tuple[str, int], ...] = ()
    """Flagged conversations by pattern, or by failure type where there is none; most frequent first."""
    unreadable: int = 0
    problems: tuple[ImportProblem, ...] = ()
    known: tuple[KnownFile, ...] = ()
    not_judged: Mapping[str, int] = {}
    """What holds no text to judge, or was not asked for."""
    rejected: int = 0
    damaged_rejected: int = 0
    strangers: str | None = None
    """What to do about roles that are neither user nor assistant, if there are any."""


@dataclass
class _Tally:
    """What was read so far; conversations are told by their position."""

    last_position: int = -1
    positions: set[int] = field(default_factory=set[int])
    failed: dict[int, str] = field(default_factory=dict[int, str])
    judged: JudgeTally = field(default_factory=JudgeTally)
    unreadable: int = 0
    problems: list[ImportProblem] = field(default_factory=list[ImportProblem])
    empty_files: list[str] = field(default_factory=list[str])

    def count_item(self, item: ImportItem, judged: JudgedConversation) -> None:
        self.positions.add(item.position)
        self.last_position = max(self.last_position, item.position)
        self.judged.count(judged)
        if len(self.positions) > MOST_CONVERSATIONS:
            raise InvalidRequest(
                f"An import holds at most {MOST_CONVERSATIONS:,} conversations. Import the files in parts; nothing was kept."
            )
        if self.judged.turns > MOST_IMPORTED_TURNS:
            raise InvalidRequest(
                f"An import holds at most {MOST_IMPORTED_TURNS:,} turns. Import the files in parts; nothing was kept."
            )
        if item.failure is not None:
            self.failed.setdefault(item.position, item.failure.pattern or item.failure.failure_type)

    def count_problem(self, file: str, found: Unreadable) -> None:
        self.unreadable += 1
        self.last_position += 1
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(ImportProblem(file=file, place=found.place, reason=found.reason))


class _Reading(NamedTuple):
    judging: JudgeOptions
    roles: Mapping[str, Voice]


@dataclass(frozen=True, kw_only=True)
class ImportService:
    """Imports data sets, whatever their size, in pieces that fit into memory."""

    store: ImportStore
    scaffolding: ScaffoldingStore

    def import_files(
        self,
        files: Sequence[DataSetFile],
        *,
        name: str | None = None,
        options: JudgeOptions = JUDGE_ALL,
        roles: Mapping[str, Voice] | None = None,
        on_progress: Callable[[int], None] = lambda _: None,
    ) -> ImportReport:
        """Judge every conversation of the files and write one batch of them; `on_progress` is told bytes read, of all files.

        The same content is not imported twice: what is known is left out, and where nothing is left, nothing is written.
        Raises InvalidRequest where a file cannot be opened or no conversation can be read.
        """
        by_digest = {file.hash_content(): file for file in files}
        if not by_digest:
            raise InvalidRequest("There is no file to import.")
        batch_name = (name or "").strip()[:200] or name_import([file.name for file in by_digest.values()])
        digests = [FileDigest(digest=digest, name=file.name[:200]) for digest, file in by_digest.items()]
        started = self.store.begin(batch_name, digests)
        if started.import_id is None:
            return ImportReport(batch_id=None, name=batch_name, known=started.known)
        known = {each.digest for each in started.known}
        tally = _Tally()
        wanted = [file for digest, file in by_digest.items() if digest not in known]
        for chunk in _collect_chunks(self._read_items(wanted, tally, _Reading(options, roles or {}), on_progress)):
            self.store.stage(started.import_id, chunk)
        if not tally.positions:
            reasons = [f"{each.file}: {each.reason}" for each in tally.problems[:3]]
            reasons += [f"{file}: it holds no conversation" for file in tally.empty_files[:3]]
            raise InvalidRequest(f"No conversation could be read, so nothing was imported. {'; '.join(reasons)}")
        finished = self.store.finish(started.import_id)
        return ImportReport(
            batch_id=finished.batch_id,
            name=batch_name,
            conversations=len(tally.positions),
            turns=tally.judged.turns,
            flagged=len(tally.failed),
            patterns=tuple(Counter(tally.failed.values()).most_common()),
            unreadable=tally.unreadable,
            problems=tuple(tally.problems),
            known=(*started.known, *finished.known),
            not_judged=dict(tally.judged.not_judged.most_common()),
            rejected=tally.judged.rejected,
            damaged_rejected=tally.judged.damaged_rejected,
            strangers=describe_strangers(tally.judged.strangers),
        )

    def _read_items(
        self, files: Iterable[DataSetFile], tally: _Tally, reading: _Reading, on_progress: Callable[[int], None]
    ) -> Iterator[ImportItem]:
        store, now, done = self.scaffolding, datetime.now(UTC), 0
        names = NameIndex(store.list_personas(), store.list_arcs(), store.list_topics(), store.list_templates())
        for file in files:
            first_position, is_empty = tally.last_position + 1, True
            entries = file.read_entries(lambda position, before=done: on_progress(before + position))
            options = ReadOptions(fields=IMPORTED_FIELDS, roles=reading.roles)
            for judged in judge_conversations(read_conversations(entries, options), reading.judging):
                is_empty = False
                if isinstance(judged, Unreadable):
                    tally.count_problem(file.name, judged)
                    continue
                conversation, flagged = judged.conversation, judged.flagged
                item = build_item(conversation, flagged, file=file.name, first_position=first_position, names=names, now=now)
                tally.count_item(item, judged)
                yield item
            if is_empty:
                tally.empty_files.append(file.name)
            done += file.size
            on_progress(done)


def _collect_chunks(items: Iterable[ImportItem]) -> Iterator[tuple[ImportItem, ...]]:
    """Items of one call."""
    chunk: list[ImportItem] = []
    positions, characters = set[int](), 0
    for item in items:
        size = 0 if item.failure is None else len(item.failure.text)
        # Two pieces of one conversation may not be in one call: the database decides between them one after the other.
        if chunk and (len(chunk) >= CHUNK_ITEMS or characters + size > CHUNK_CHARACTERS or item.position in positions):
            yield tuple(chunk)
            chunk, positions, characters = [], set[int](), 0
        chunk.append(item)
        positions.add(item.position)
        characters += size
    if chunk:
        yield tuple(chunk)
