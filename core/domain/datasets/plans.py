"""Data sets: the plan of combinations, how far it is, and what the next batch of it takes. Pure."""

from collections.abc import Sequence
from enum import StrEnum
from itertools import islice
from typing import Any, NewType
from uuid import UUID

from pydantic import AwareDatetime, Field

from core.domain.batches.batch import MOST_ITEMS, MOST_PER_COMBINATION, BatchId, BatchStatus, Selection, SkipExisting
from core.domain.datasets.token_lengths import LengthStatistics
from core.domain.datasets.versions import CountedStatus
from core.domain.record import Record
from core.domain.scaffolding.grid import sample_grid
from core.domain.scaffolding.records import ArcId, ConversationCategory, PersonaId, TopicId

DatasetId = NewType("DatasetId", UUID)
VersionId = NewType("VersionId", UUID)

LARGEST_SAMPLED_GRID = 1_000_000
"""Of a grid larger than this (a plan of many small parts) the cells are taken in the order of the plan."""


class PlanPart(Record):
    """So many conversations of each combination of these; a plan is one or several of it."""

    conversation_category: ConversationCategory
    persona_ids: tuple[PersonaId, ...]
    arc_ids: tuple[ArcId, ...]
    topic_ids: tuple[TopicId, ...]
    per_combination: int = Field(default=1, ge=1, le=MOST_PER_COMBINATION)


class Progress(Record):
    """How far a plan or one of its cells is.

    `missing` is what the plan lacks of the conversations that it counts; `to_generate` leaves out of it what waits for
    review or is being generated.
    """

    accepted: int
    approved: int
    rejected: int
    failed: int
    open: int
    to_generate: int


class CellProgress(Progress):
    """One combination of a plan."""

    persona_id: PersonaId
    emotional_arc_id: ArcId
    training_topic_id: TopicId
    category: ConversationCategory
    persona: str
    persona_key: str
    arc: str
    arc_key: str
    topic: str
    wanted: int

    def count_filled(self, counted: CountedStatus) -> int:
        """Return how many of the wanted conversations are there."""
        return min(self.wanted, self.approved if counted is CountedStatus.APPROVED else self.accepted)


class ExportTarget(StrEnum):
    """Where an export went."""

    FOLDER = "folder"
    DOWNLOAD = "download"
    HUB = "hub"


class DatasetExport(Record):
    """An export of a version; formats by name, and the repository where it went to the Hub."""

    version: int
    target: ExportTarget
    formats: tuple[str, ...]
    repository: str | None = None
    exported_at: AwareDatetime


class DatasetHead(Record):
    """A data set without its plan; `version` is the number of its newest version, `duplicates` what that one kept out."""

    id: DatasetId
    name: str
    counted: CountedStatus
    created_at: AwareDatetime
    version: int | None = None
    duplicates: int = 0
    latest_export: DatasetExport | None = None


class Dataset(DatasetHead, Progress):
    """A data set with the sums of its plan."""

    combinations: int
    planned: int
    missing: int

    @property
    def filled(self) -> int:
        """How many of the planned conversations are there."""
        return self.planned - self.missing

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it, has failed or is being generated."""
        return not (self.accepted or self.rejected or self.failed or self.open)

    @property
    def awaiting_review(self) -> int:
        """How many accepted conversations nobody has reviewed yet."""
        return self.accepted - self.approved


class DatasetBatch(Record):
    """A batch that serves a data set."""

    id: BatchId
    name: str
    status: BatchStatus
    created_at: AwareDatetime


class DatasetVersion(Record):
    """A frozen version; `summary` is what was noted when it was frozen."""

    id: VersionId
    number: int
    conversations: int
    fingerprint: str
    frozen_at: AwareDatetime
    exported_at: AwareDatetime | None = None
    summary: dict[str, Any]

    @property
    def exclusions(self) -> dict[str, int]:
        """How many conversations were kept out, by reason."""
        return self.summary.get("exclusions", {})

    @property
    def lengths(self) -> LengthStatistics | None:
        """How long its conversations are, without a system message; None of a version that was frozen without them."""
        noted = self.summary.get("lengths")
        return None if noted is None else LengthStatistics.model_validate(noted)


class DatasetDetail(Record):
    """The plan cell by cell, and what belongs to the data set, newest first."""

    head: DatasetHead
    cells: tuple[CellProgress, ...]
    batches: tuple[DatasetBatch, ...]
    versions: tuple[DatasetVersion, ...]

    @property
    def dataset(self) -> Dataset:
        """The data set with the sums of these cells."""
        counted = self.head.counted
        sums = {name: sum(getattr(cell, name) for cell in self.cells) for name in Progress.model_fields}
        of_plan = {
            "combinations": len(self.cells),
            "planned": sum(cell.wanted for cell in self.cells),
            "missing": sum(cell.wanted - cell.count_filled(counted) for cell in self.cells),
        }
        return Dataset.model_validate(dict(self.head) | sums | of_plan)


class TopUp(Record):
    """What one batch of a top-up asks for: `picks` are positions of the selection's grid, in the order to be generated."""

    selection: Selection
    picks: tuple[int, ...]
    left: int = 0
    """Missing conversations that the batch does not hold; the next top-up goes on from there."""


def make_plan(selection: Selection, per_combination: int = 1) -> tuple[PlanPart, ...]:
    """Return the parts of a plan of what a batch of this selection would take, spread evenly where it has a limit."""
    if selection.limit is None:
        return (_make_part(selection, selection.persona_ids, selection.arc_ids, selection.topic_ids, per_combination),)
    personas, arcs, topics = selection.persona_ids, selection.arc_ids, selection.topic_ids
    chosen: dict[tuple[PersonaId, ArcId], list[TopicId]] = {}
    for position in sample_grid(len(personas), len(arcs), len(topics), limit=selection.limit):
        pair, topic = divmod(position, len(topics))
        persona, arc = divmod(pair, len(arcs))
        chosen.setdefault((personas[persona], arcs[arc]), []).append(topics[topic])
    return tuple(
        _make_part(selection, (persona,), (arc,), tuple(of_pair), per_combination)
        for (persona, arc), of_pair in chosen.items()
    )


def _make_part(
    selection: Selection,
    personas: tuple[PersonaId, ...],
    arcs: tuple[ArcId, ...],
    topics: tuple[TopicId, ...],
    per_combination: int,
) -> PlanPart:
    return PlanPart(
        conversation_category=selection.category,
        persona_ids=personas,
        arc_ids=arcs,
        topic_ids=topics,
        per_combination=per_combination,
    )


def plan_top_ups(cells: Sequence[CellProgress], skip: SkipExisting) -> tuple[TopUp, ...]:
    """Return a batch for each category of which something is missing; `skip` says whether simulated ones count."""
    top_ups: list[TopUp] = []
    for category in ConversationCategory:
        missing = [cell for cell in cells if cell.category is category and cell.to_generate]
        if missing:
            top_ups.append(_plan_top_up(category, missing, skip))
    return tuple(top_ups)


def _plan_top_up(category: ConversationCategory, missing: Sequence[CellProgress], skip: SkipExisting) -> TopUp:
    selection = Selection(
        category=category,
        persona_ids=tuple(dict.fromkeys(cell.persona_id for cell in missing)),
        arc_ids=tuple(dict.fromkeys(cell.emotional_arc_id for cell in missing)),
        topic_ids=tuple(dict.fromkeys(cell.training_topic_id for cell in missing)),
        skip_existing=skip,
    )
    personas, arcs, topics = selection.persona_ids, selection.arc_ids, selection.topic_ids
    places = [{each: place for place, each in enumerate(ids)} for ids in (personas, arcs, topics)]
    wanted = {
        (places[0][cell.persona_id] * len(arcs) + places[1][cell.emotional_arc_id]) * len(topics)
        + places[2][cell.training_topic_id]: cell.to_generate
        for cell in missing
    }
    order: Sequence[int] = tuple(wanted)
    if selection.grid_size <= LARGEST_SAMPLED_GRID:
        order = sample_grid(len(personas), len(arcs), len(topics), limit=selection.grid_size)
    most = max(wanted.values())
    # The first of each combination before the second of any.
    missing_picks = (position for copy in range(most) for position in order if wanted.get(position, 0) > copy)
    picks = tuple(islice(missing_picks, MOST_ITEMS))
    return TopUp(selection=selection, picks=picks, left=sum(wanted.values()) - len(picks))


def describe_left(top_ups: Sequence[TopUp]) -> str | None:
    """Say what batches of a top-up do not hold; None where they hold all that is missing."""
    left = sum(each.left for each in top_ups)
    return f"A batch holds at most {MOST_ITEMS:,} conversations; {left:,} more need another top-up." if left else None
