"""Data sets: plan, top up, approve, freeze."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from core.domain.batches.batch import BatchSettings, Submitted, choose_skip
from core.domain.datasets.freezing import Candidate, Combination, VersionBuilder, find_problem
from core.domain.datasets.plans import (
    Dataset,
    DatasetDetail,
    DatasetId,
    DatasetVersion,
    ExportTarget,
    PlanPart,
    TopUp,
    plan_top_ups,
)
from core.domain.datasets.records import ReviewStatus
from core.domain.datasets.token_lengths import ESTIMATE, TokenMeasure
from core.domain.datasets.training_formats import TrainingFormat
from core.domain.datasets.versions import (
    REPLACEABLE,
    CountedStatus,
    Exclusion,
    FrozenConversation,
    VersionChange,
    VersionRule,
    compare_members,
    describe_exclusions,
    explain_exclusion,
    make_fingerprint,
    order_exclusions,
)
from core.domain.paging import RowCursor
from core.errors import InvalidRequest, NotFound
from core.ports.datasets import DatasetStore
from core.ports.results import ConversationStore
from core.services.batches import BatchService
from core.services.reviews import ApprovedTogether, ReviewedTogether

PAGE_SIZE = 200
"""About 3 MB in memory at a time."""
MOST_FREEZES = 3
"""Attempts, where somebody edits meanwhile."""


@dataclass(frozen=True, kw_only=True)
class DatasetService:
    """Plans, fills and freezes the analyst's data sets. Simulated conversations fill a plan where Claude is simulated."""

    store: DatasetStore
    conversations: ConversationStore
    batches: BatchService

    def create(self, name: str, counted: CountedStatus, plan: Sequence[PlanPart]) -> Dataset:
        """Make a data set; raise InvalidRequest that says what is wrong with the plan."""
        self.store.create(name.strip(), counted, plan)
        return self.get(name.strip())

    def list_all(self, *, most: int | None = None) -> tuple[Dataset, ...]:
        """Return all data sets or the newest so many, newest first."""
        return self.store.list_all(counts_simulated=self.batches.simulated, most=most)

    def get(self, name: str) -> Dataset:
        """Return the data set of this name; raise NotFound."""
        found = self.store.list_all(counts_simulated=self.batches.simulated, name=name)
        if not found:
            raise NotFound(f"There is no data set {name!r}. `brightrun dataset list` shows yours.")
        return found[0]

    def find(self, dataset_id: UUID) -> Dataset:
        """Return the data set of this id; raise NotFound."""
        found = self.store.list_all(counts_simulated=self.batches.simulated, dataset_id=dataset_id)
        if not found:
            raise NotFound.of("data set", dataset_id)
        return found[0]

    def delete(self, dataset: Dataset) -> None:
        """Delete a data set with its frozen versions; its batches and conversations stay."""
        if not self.store.delete(dataset.id):
            raise NotFound.of("data set", dataset.id)

    def describe(self, dataset_id: DatasetId) -> DatasetDetail:
        """Return the data set with its plan cell by cell, batches and versions; raise NotFound."""
        return self.store.describe(dataset_id, counts_simulated=self.batches.simulated)

    def plan_top_up(self, dataset: Dataset) -> tuple[TopUp, ...]:
        """Return what a top-up would submit now: a batch for each category of which something is missing."""
        return plan_top_ups(self.describe(dataset.id).cells, choose_skip(simulated=self.batches.simulated))

    def top_up(self, dataset: Dataset, settings: BatchSettings) -> tuple[Submitted, ...]:
        """Submit what the plan still misses; nothing where nothing is missing."""
        return self.submit_top_ups(dataset, self.plan_top_up(dataset), settings)

    def submit_top_ups(self, dataset: Dataset, top_ups: Sequence[TopUp], settings: BatchSettings) -> tuple[Submitted, ...]:
        """Submit what was planned.

        The database takes of it only what is missing at that moment, so two top-ups at once buy nothing twice.
        """
        return tuple(
            self.batches.submit_picks(
                each.selection,
                each.picks,
                settings,
                name=f"{dataset.name}: {len(each.picks):,} {each.selection.category}",
                dataset_id=dataset.id,
            )
            for each in top_ups
        )

    def approve_passing(self, dataset: Dataset) -> ApprovedTogether:
        """Approve what waits for review and passes the verdict."""
        approved: list[UUID] = []
        read = refused = 0
        for page in self._list_candidates(dataset):
            waiting = [each for each in page if each.review_status is ReviewStatus.PENDING_REVIEW]
            passing = [each.id for each in waiting if find_problem(each.turns) is None]
            if passing:
                read += self.conversations.review(passing, ReviewStatus.APPROVED).read
            approved += passing
            refused += len(waiting) - len(passing)
        before = tuple((each, ReviewStatus.PENDING_REVIEW) for each in approved)
        return ApprovedTogether(before=before, read=read, refused=refused)

    def reject_unusable(self, dataset: Dataset) -> ReviewedTogether:
        """Reject what a version now would keep out and only another conversation can replace."""
        rule = VersionRule(counted=dataset.counted, include_simulated=self.batches.simulated)
        builder = VersionBuilder(rule, self._count_wanted(dataset))
        before: list[tuple[UUID, ReviewStatus]] = []
        read = 0
        for page in self._list_candidates(dataset):
            for each in page:
                builder.add(each)
            for reason in REPLACEABLE:
                found = [each for each in page if builder.excluded.get(each.id) is reason]
                if found:
                    ids = [each.id for each in found]
                    read += self.conversations.review(ids, ReviewStatus.REJECTED, explain_exclusion(reason)).read
                before += [(each.id, each.review_status) for each in found]
        return ReviewedTogether(before=tuple(before), read=read)

    def freeze(
        self,
        dataset: Dataset,
        *,
        include_simulated: bool,
        longest_tokens: int | None = None,
        measure: TokenMeasure = ESTIMATE,
    ) -> DatasetVersion:
        """Freeze what may be in a version; raise InvalidRequest where nothing may, saying why each was kept out."""
        rule = VersionRule(
            counted=dataset.counted,
            include_simulated=include_simulated,
            longest_tokens=longest_tokens,
            tokenizer=measure.tokenizer,
        )
        wanted = self._count_wanted(dataset)
        for _ in range(MOST_FREEZES):
            builder = VersionBuilder(rule, wanted, measure)
            version_id = self.store.begin_version(dataset.id)
            staged = all(
                self.store.stage(version_id, self._choose(builder, page)) for page in self._list_candidates(dataset)
            )
            if not staged:
                continue  # Something was edited between judging and freezing; judge again.
            if not builder.members:
                exclusions = builder.summarize()["exclusions"]
                why = (
                    f"Kept out: {describe_exclusions(exclusions)}."
                    if exclusions
                    else "It has no accepted conversation yet; top it up first."
                )
                raise InvalidRequest(f"Nothing of {dataset.name} can be frozen. {why}")
            number = self.store.freeze(version_id, make_fingerprint(builder.members), builder.summarize())
            return self.get_version(dataset, number)
        raise InvalidRequest("The conversations are being edited at this moment. Freeze again when that is done.")

    def get_version(self, dataset: Dataset, number: int | None = None) -> DatasetVersion:
        """Return a frozen version, the newest without a number; raise NotFound."""
        versions = self.describe(dataset.id).versions
        found = next((each for each in versions if number is None or each.number == number), None)
        if found is None:
            which = "no frozen version" if number is None else f"no version {number}"
            raise NotFound(f"{dataset.name} has {which}. `brightrun dataset freeze` makes one.")
        return found

    def read_version(self, version: DatasetVersion) -> Iterator[FrozenConversation]:
        """Yield the conversations of a version in their order."""
        position = 0
        while rows := self.store.read_version(version.id, position, PAGE_SIZE):
            yield from rows
            position = rows[-1].position + 1

    def list_exclusions(self, version: DatasetVersion) -> tuple[Exclusion, ...]:
        """Return what a version keeps out, the rarest reason first."""
        return order_exclusions(self.store.read_exclusions(version.id)) if version.exclusions else ()

    def note_export(
        self,
        version: DatasetVersion,
        target: ExportTarget,
        formats: Sequence[TrainingFormat],
        repository: str | None = None,
    ) -> None:
        """Note that a version was exported; lists and Home say so."""
        self.store.note_export(version.id, target, [form.value for form in formats], repository)

    def compare(self, before: DatasetVersion, after: DatasetVersion) -> VersionChange:
        """Return what was added, removed and edited from one version to another."""
        members = [{each.id: each.text_hash for each in self.read_version(version)} for version in (before, after)]
        return compare_members(*members)

    def _count_wanted(self, dataset: Dataset) -> dict[Combination, int]:
        return {
            (cell.persona_id, cell.emotional_arc_id, cell.training_topic_id): cell.wanted
            for cell in self.describe(dataset.id).cells
        }

    def _list_candidates(self, dataset: Dataset) -> Iterator[tuple[Candidate, ...]]:
        cursor: RowCursor | None = None
        while rows := self.store.list_candidates(dataset.id, PAGE_SIZE, cursor):
            yield rows
            cursor = RowCursor(created_at=rows[-1].created_at, id=rows[-1].id)

    @staticmethod
    def _choose(builder: VersionBuilder, page: Sequence[Candidate]) -> list[tuple[int, Candidate]]:
        placed = [(builder.add(each), each) for each in page]
        return [(position, each) for position, each in placed if position is not None]
