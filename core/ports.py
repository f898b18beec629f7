"""What the services need from the outside world. Adapters implement these; tests script them (`tests/fakes`).

Every method may also raise DatabaseUnavailable, QueueUnavailable or DatabaseRejected (see core.errors).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from core.domain.paging import Direction, Page, RowCursor, RowPlace

# For the type checker alone, so that a service with one port does not load the modules of all.
if TYPE_CHECKING:
    from pathlib import Path

    from core.domain.batches.batch import (
        BatchAction,
        BatchId,
        BatchProgress,
        BatchSettings,
        BatchStatus,
        RetryChanges,
        Selection,
        SkipExisting,
        Submitted,
    )
    from core.domain.batches.estimate import Estimate, GenerationHistory
    from core.domain.batches.monitor import BatchFilters, BatchPage, BatchWatch, ItemPage, ItemStatus, LogRow, RetryTemplate
    from core.domain.batches.overview import Overview
    from core.domain.batches.pacing import Pace
    from core.domain.batches.result_options import ResultOptions
    from core.domain.batches.results import (
        FailureFilters,
        FailureRow,
        FailureStatistics,
    )
    from core.domain.batches.work import (
        BatchPlan,
        CallFailure,
        ChatRequest,
        ItemResult,
        KeptResult,
        Lease,
        LeasedItem,
        LeaseRequest,
        RecordOutcome,
        WaitingBatch,
    )
    from core.domain.datasets.freezing import Candidate
    from core.domain.datasets.importing import FileDigest, ImportFinish, ImportId, ImportItem, ImportStart
    from core.domain.datasets.plans import Dataset, DatasetDetail, DatasetId, ExportTarget, PlanPart, VersionId
    from core.domain.datasets.records import (
        ConversationCounts,
        ConversationFilters,
        ConversationPlace,
        ExportedConversation,
        ListedConversation,
        OpenedConversation,
        Reviewed,
        ReviewStatus,
        StoredConversation,
    )
    from core.domain.datasets.splits import Split
    from core.domain.datasets.training_formats import TrainingFormat
    from core.domain.datasets.versions import CountedStatus, FrozenConversation
    from core.domain.diagnosis.alerts import AlertBoard, AlertEvaluation, RaisedAlert, StoredAlert
    from core.domain.diagnosis.error_report import FailureMaterial
    from core.domain.diagnosis.experiments import Experiment, ExperimentPairs, ExperimentPlan
    from core.domain.diagnosis.fingerprint import UnmarkedFailure
    from core.domain.diagnosis.health import ClaudeHealth, DatabaseHealth, QueueHealth, StorageUse
    from core.domain.diagnosis.notices import Notices
    from core.domain.diagnosis.outcomes import ExampleGroup, FailureExample, Outcomes
    from core.domain.scaffolding.records import (
        EmotionalArc,
        Persona,
        PromptTemplate,
        SaveOutcome,
        Scaffold,
        ScaffoldKind,
        TemplateId,
        TrainingTopic,
        Uses,
        VariationAxis,
    )
    from core.domain.verdict.formats.entries import Entry
    from core.domain.verdict.reply import Reply


class ScaffoldingStore(Protocol):
    """Reads the scaffolding; all rows, active or not."""

    def list_personas(self) -> tuple[Persona, ...]: ...

    def list_arcs(self) -> tuple[EmotionalArc, ...]: ...

    def list_topics(self) -> tuple[TrainingTopic, ...]: ...

    def list_templates(self) -> tuple[PromptTemplate, ...]: ...

    def list_axes(self) -> tuple[VariationAxis, ...]:
        """Return the axes that ship and the analyst's own, also those that a copy of the analyst replaces."""
        ...

    def list_offered_axes(self) -> tuple[VariationAxis, ...]:
        """Return the axes that a new batch of the analyst varies its conversations by."""
        ...

    def list_offered_templates(self) -> tuple[PromptTemplate, ...]:
        """Return the templates that a new batch of the analyst may take, of each arc the first choice first.

        They are active, and ship with Bright Run or were saved by the analyst.
        """
        ...


class ScaffoldingEditor(Protocol):
    """Changes the scaffolding; batches keep the snapshot that they were made from."""

    def save(self, record: Scaffold) -> SaveOutcome:
        """Write a new row, or, where `updated_at` is set, change the row if it still is as of then. Keys never change."""
        ...

    def save_template(self, template: PromptTemplate, based_on: int | None) -> SaveOutcome:
        """Write the next version of a template after `based_on`, its newest so far; None for a new template."""
        ...

    def set_template_active(self, template_id: TemplateId, *, active: bool) -> SaveOutcome: ...

    def count_uses(self, kind: ScaffoldKind) -> Mapping[UUID, Uses]:
        """Return the results of each record; records without any are left out."""
        ...


class TokenCounter(Protocol):
    """Counts the tokens of a prompt without sending it."""

    def count_tokens(self, request: ChatRequest) -> int | None:
        """Return the request's input tokens; None where no worker answers within a few seconds."""
        ...


class DatasetStore(Protocol):
    """The analyst's data sets. Simulated conversations fill a plan where `counts_simulated` says so."""

    def create(self, name: str, counted: CountedStatus, plan: Sequence[PlanPart]) -> DatasetId:
        """Write a data set; raise InvalidRequest with the reason if the database refuses."""
        ...

    def list_all(
        self, *, counts_simulated: bool, name: str | None = None, dataset_id: UUID | None = None, most: int | None = None
    ) -> tuple[Dataset, ...]:
        """Return all data sets or the newest so many, newest first, or the one of this name or id."""
        ...

    def delete(self, dataset_id: DatasetId) -> bool:
        """Delete a data set with its frozen versions; False if there is none."""
        ...

    def describe(self, dataset_id: DatasetId, *, counts_simulated: bool) -> DatasetDetail:
        """Return plan, batches and versions; raise NotFound."""
        ...

    def note_export(
        self, version_id: VersionId, target: ExportTarget, formats: Sequence[str], repository: str | None
    ) -> None:
        """Note that a version was exported; raise NotFound."""
        ...

    def list_candidates(self, dataset_id: DatasetId, page_size: int, cursor: RowCursor | None) -> tuple[Candidate, ...]:
        """Return a page of the conversations of its batches, oldest first."""
        ...

    def begin_version(self, dataset_id: DatasetId) -> VersionId:
        """Begin a version that nobody reads before it is frozen; raise NotFound."""
        ...

    def stage(self, version_id: VersionId, members: Sequence[tuple[int, Candidate]]) -> bool:
        """Put conversations at their positions; False if one of them is no longer what it was when it was listed."""
        ...

    def freeze(self, version_id: VersionId, fingerprint: str, summary: Mapping[str, object]) -> int:
        """Freeze a version and return its number; from then on it never changes."""
        ...

    def read_version(self, version_id: VersionId, position: int, page_size: int) -> tuple[FrozenConversation, ...]:
        """Return a page of a version's conversations, from a position on."""
        ...


class ExportFolder(Protocol):
    """Where the files of an export go; paths are relative to it."""

    def write_text(self, path: str, text: str) -> None: ...

    def write_rows(self, path: str, rows: Iterable[dict[str, Any]]) -> int:
        """Write rows one by one, in the form that the name's ending says; return how many there were."""
        ...


class HubUpload(Protocol):
    """A place on the Hub, with a token."""

    def push(self, folder: Path, repository: str, *, is_private: bool, message: str) -> str:
        """Upload a folder in one commit and return its address; raise InvalidRequest or HubUnavailable."""
        ...


class HubCard(Protocol):
    """Puts the data that the Hub reads before the text of a card."""

    def __call__(
        self,
        text: str,
        *,
        name: str,
        formats: Sequence[TrainingFormat],
        splits: Sequence[Split],
        rows: int,
        licence: str,
    ) -> str: ...


class BatchStore(Protocol):
    """Batches as the signed-in analyst sees them: their own only."""

    def submit(
        self,
        name: str,
        selection: Selection,
        settings: BatchSettings,
        estimate: Estimate,
        picks: Sequence[int] | None,
        *,
        without_templates: Sequence[TemplateId] = (),
        dataset_id: DatasetId | None = None,
    ) -> Submitted:
        """Write the batch and all items of its grid, or nothing; for a data set, what its plan still misses of `picks`.

        `picks` are row-major positions of the grid. With `selection.skip_existing` they are all of it in the order in which
        they are wanted: what exists is left out, then the first `selection.limit` are taken. Raises InvalidRequest with the
        reason if the database refuses.
        """
        ...

    def count_existing(self, selection: Selection, skip: SkipExisting) -> int:
        """Return how many combinations of the grid `skip` leaves out."""
        ...

    def retry_failed(self, batch_id: BatchId, changes: RetryChanges) -> Submitted:
        """Write a new batch of the failed items. Raises NotFound, or InvalidRequest where there is nothing to retry."""
        ...

    def get(self, batch_id: BatchId) -> BatchProgress | None: ...

    def control(self, batch_id: BatchId, action: BatchAction, budget_usd: float | None = None) -> BatchStatus:
        """Return the new status; a resume may set a new budget.

        Raises NotFound, or InvalidRequest where the action is not legal now.
        """
        ...

    def list_history(self) -> tuple[GenerationHistory, ...]: ...


class MonitorStore(Protocol):
    """Batches as the monitor shows them: pages, one batch whole, its items and its log. The analyst's own only."""

    def list_batches(self, filters: BatchFilters, page_size: int, offset: int) -> BatchPage: ...

    def watch(self, batch_id: BatchId, trend_points: int) -> BatchWatch | None: ...

    def list_items(self, batch_id: BatchId, status: ItemStatus | None, page_size: int, offset: int) -> ItemPage: ...

    def list_log(self, batch_id: BatchId, after: LogRow | None, page_size: int) -> tuple[LogRow, ...]:
        """Return the next attempts after a row, in the order in which they were recorded; none only at the end."""
        ...

    def list_retry_templates(self, batch_id: BatchId) -> tuple[RetryTemplate, ...]:
        """Return the active templates of the arcs that the batch's failed items have."""
        ...


class OverviewStore(Protocol):
    """Totals of everything that the signed-in analyst made."""

    def read(self) -> Overview: ...


class DatabaseProbe(Protocol):
    """Checks database and storage with the signed-in analyst's rights."""

    def read_database(self) -> DatabaseHealth: ...

    def measure_storage(self) -> StorageUse:
        """Check the storage, and return its size, and what else takes room."""
        ...

    def dismiss_spool(self, spool_id: UUID) -> bool:
        """Forget a folder of waiting replies whose host is silent; false where there is none such."""
        ...

    def read_claude(self) -> ClaudeHealth:
        """Return how Claude answered this analyst last."""
        ...


class QueueProbe(Protocol):
    """Reads the queue and its workers."""

    def read_queue(self) -> QueueHealth: ...


class JobQueue(Protocol):
    """Tells workers that a batch has work. Only its id is enqueued, and anything in the queue may be lost."""

    def enqueue(self, batch_id: BatchId, useful_jobs: int = ...) -> None:
        """Enqueue a job for each worker, but no more than are useful, unless they are queued or at work.

        Raises QueueUnavailable.
        """
        ...


class WorkStore(Protocol):
    """The worker's side of the database, with the service role's rights."""

    async def get_plan(self, batch_id: BatchId) -> BatchPlan | None:
        """Return what a worker needs to know of a batch; raise PlanUnreadable where its row holds something else."""
        ...

    async def list_batches_to_help(self, worker: str) -> tuple[BatchId, ...]:
        """Return the open batches that one more worker could help, oldest first."""
        ...

    async def lease(self, batch_id: BatchId, request: LeaseRequest) -> Lease: ...

    async def extend(self, batch_id: BatchId, items: Sequence[LeasedItem], lease_seconds: float) -> frozenset[UUID]:
        """Extend the leases; return the ids of the items whose lease is still this worker's."""
        ...

    async def leave(self, batch_id: BatchId, worker: str) -> None:
        """Give this worker's calls to the others."""
        ...

    async def set_pace(self, batch_id: BatchId, limit: int, reason: str) -> None:
        """Note how many calls may be in flight now, and why that changed."""
        ...

    async def pause(self, batch_id: BatchId, reason: str) -> None: ...

    async def keep(self, results: Sequence[ItemResult]) -> tuple[KeptResult, ...]:
        """Encode results and put them on disk; one that the disk does not take says so."""
        ...

    async def record(self, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
        """Record kept results in one transaction, outcomes in the same order."""
        ...


class FailureStore(Protocol):
    """Failed generations as the signed-in analyst sees them: their own only."""

    def get(self, failure_id: UUID) -> FailureMaterial:
        """Return a failure with its attempts and scaffolding; raise NotFound if there is none or it is someone else's."""
        ...

    def list_page(
        self,
        filters: FailureFilters = ...,
        *,
        page_size: int = ...,
        cursor: RowCursor | None = None,
        direction: Direction = ...,
    ) -> Page[FailureRow]:
        """Return a page, newest first, on one side of a cursor; the first page if less than a page is left there."""
        ...

    def count(self, filters: FailureFilters = ...) -> FailureStatistics: ...

    def find_place(self, failure_id: UUID, filters: FailureFilters = ...) -> RowPlace:
        """Return the neighbours of a failure among the filtered ones."""
        ...

    def list_options(self) -> ResultOptions: ...

    def download(self, path: str) -> bytes | None:
        """Return a RAW error report from the bucket; None where it is not there (yet)."""
        ...


class ConversationStore(Protocol):
    """Conversations as the signed-in analyst sees them: their own only."""

    def get(self, conversation_id: UUID) -> StoredConversation:
        """Return a conversation with its turns; raise NotFound if there is none or it is someone else's."""
        ...

    def list_page(
        self,
        filters: ConversationFilters = ...,
        *,
        page_size: int = ...,
        cursor: RowCursor | None = None,
        direction: Direction = ...,
    ) -> Page[ListedConversation]:
        """Return a page, newest first, on one side of a cursor; the first page if less than a page is left there."""
        ...

    def count(self, filters: ConversationFilters = ...) -> ConversationCounts: ...

    def find_place(
        self, conversation_id: UUID | None, filters: ConversationFilters = ..., reader: UUID | None = None
    ) -> ConversationPlace:
        """Return the neighbours of a conversation among the filtered ones; without one, the first as the older neighbour.

        Where conversations that wait for review are asked for, a reader is not led on to what another has open.
        """
        ...

    def open(self, conversation_id: UUID, reader: UUID, filters: ConversationFilters = ...) -> OpenedConversation:
        """Note that a reader has a conversation open; return it with its place. Raise NotFound as `get` does."""
        ...

    def review(self, conversation_ids: Sequence[UUID], status: ReviewStatus, reason: str | None = None) -> Reviewed:
        """Set the review status of up to 1,000 conversations; those that are not the analyst's are left out."""
        ...

    def note(self, conversation_id: UUID, text: str) -> bool:
        """Keep a note, an empty text for none; False where there is no such conversation."""
        ...

    def edit(self, conversation_id: UUID, turn_place: int, content: str, revision: str) -> bool:
        """Replace what a turn says; raise InvalidRequest if the conversation is another by now; False if there is none."""
        ...

    def list_for_export(
        self, filters: ConversationFilters, page_size: int, cursor: RowCursor | None
    ) -> tuple[ExportedConversation, ...]:
        """Return whole conversations, oldest first, behind the row that the cursor names; none only at the end."""
        ...


class ReportStore(Protocol):
    """The worker's side of failed generations, with the service role's rights."""

    def list_missing(self, limit: int) -> tuple[UUID, ...]:
        """Return failures without a report in the bucket, oldest first."""
        ...

    def describe(self, failure_id: UUID) -> FailureMaterial | None: ...

    def upload(self, failure_id: UUID, path: str, report: bytes) -> None:
        """Put a report into the bucket and note its path; doing it twice is harmless."""
        ...

    def delete_older_than(self, moment: datetime) -> int:
        """Delete failures and their reports; return how many."""
        ...


class DiagnosticStore(Protocol):
    """Outcomes of judged items as the signed-in analyst sees them: their own only."""

    def count(self, filters: FailureFilters, most_batches: int) -> Outcomes:
        """Count matching outcomes; at most `most_batches` of the newest batches separately, the others together."""
        ...

    def list_examples(self, groups: Sequence[ExampleGroup], most: int) -> tuple[tuple[FailureExample, ...], ...]:
        """Return at most `most` failures of each group, in the order of the groups."""
        ...


class ExperimentStore(Protocol):
    """Experiments as the signed-in analyst sees them: their own only."""

    def create(self, plan: ExperimentPlan) -> Experiment:
        """Write the batch of the changed arm. Raises NotFound, or InvalidRequest where it cannot be compared."""
        ...

    def list_recent(self, limit: int) -> tuple[Experiment, ...]:
        """Newest first."""
        ...

    def count_pairs(self, experiment_id: UUID) -> ExperimentPairs | None:
        """Return how the pairs came out; None where there is no such experiment, or it is someone else's."""
        ...


class DataSetFile(Protocol):
    """A file of conversations, wherever it is."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int:
        """Return its bytes."""
        ...

    def hash_content(self) -> str:
        """Return the SHA-256 of its bytes; raise InvalidRequest where it cannot be read."""
        ...

    def read_entries(self, on_progress: Callable[[int], None]) -> Iterator[Entry]:
        """Read it from the beginning and report how many bytes have been read."""
        ...


class ImportStore(Protocol):
    """Imports of the signed-in analyst. An import is invisible until it is finished."""

    def begin(self, name: str, files: Sequence[FileDigest]) -> ImportStart:
        """Begin an import of those files that are not imported yet."""
        ...

    def stage(self, import_id: ImportId, items: Sequence[ImportItem]) -> None:
        """Add items; of items with the same position, the first failed one is kept, else the last."""
        ...

    def finish(self, import_id: ImportId) -> ImportFinish:
        """Make a batch of everything staged, or nothing; a second call returns the same batch.

        Raises InvalidRequest where that cannot be.
        """
        ...


class FingerprintStore(Protocol):
    """The worker's side of fingerprints, with the service role's rights."""

    def list_unmarked(self, limit: int) -> tuple[UnmarkedFailure, ...]:
        """Return failures without a fingerprint, oldest first."""
        ...

    def mark(self, fingerprints: Mapping[UUID, str]) -> None: ...


class AlertStore(Protocol):
    """Alerts as the signed-in analyst sees them: their own and those of the installation."""

    def read(self) -> AlertBoard: ...

    def acknowledge(self, alert_id: UUID, *, is_seen: bool) -> None:
        """Mark an open alert as seen, or undo that: it stays away while its condition lasts, unless that gets worse.

        Raises NotFound where there is no such open alert, or it is someone else's.
        """
        ...


class AlertRecorder(Protocol):
    """The worker's side of alerts, with the service role's rights."""

    def begin(self, least_seconds: float, *, has_webhook: bool) -> AlertEvaluation | None:
        """Return the facts to the first who asks `least_seconds` after the last evaluation, None to all others."""
        ...

    def save(self, evaluation_id: UUID, alerts: Sequence[RaisedAlert]) -> bool:
        """Open, update and resolve, so that exactly these are open; False if a newer evaluation has begun."""
        ...

    def claim_unsent(self, most: int) -> tuple[StoredAlert, ...]:
        """Return open alerts that were not sent, the most urgent first; for a while nobody else gets them."""
        ...

    def settle(self, alert_id: UUID, *, was_sent: bool) -> None:
        """Say how the sending of a claimed alert went."""
        ...


class AlertSender(Protocol):
    """Notifies people outside of the pages."""

    def send(self, alert: StoredAlert) -> None:
        """Send one alert; raises WebhookUnavailable."""
        ...


class PaceBoard(Protocol):
    """The pace of calls to Claude, shared between workers; may be lost at any time."""

    async def read(self, model: str) -> Pace | None: ...

    async def write(self, model: str, pace: Pace) -> None: ...


class NoticeBoard(Protocol):
    """Notices of workers for people; may be lost at any time."""

    def note_stuck_results(self, host: str, files: int) -> None:
        """Note how many results on a host need a person."""
        ...

    def read(self) -> Notices:
        """Return recent notices; none where they cannot be read."""
        ...


class Pulse(Protocol):
    """The heartbeat of reconcilers; may be lost at any time."""

    def beat(self) -> None: ...


class Spool(Protocol):
    """Results that workers could not record and left on disk."""

    def replay(self) -> int:
        """Record what waits; return how many."""
        ...

    def count_stuck(self) -> int:
        """Return how many could not be recorded and need a person."""
        ...

    def identify(self) -> UUID:
        """Return the id of the folder, which stays with it."""
        ...

    def measure_waiting(self) -> tuple[int, float]:
        """Return how many files wait, those set aside among them, and the age of the oldest in seconds."""
        ...


class HouseKeeping(Protocol):
    """What a worker keeps in order beside its work."""

    def drop_old_replies(self, keep_days: int, most: int) -> int:
        """Forget the bodies of up to `most` accepted replies older than that; return of how many."""
        ...

    def note_spool(self, spool_id: UUID, host: str, files: int, oldest_seconds: float) -> None:
        """Note what waits in a folder of this host; with no files the note goes."""
        ...


class Reconciler(Protocol):
    """Finds what lost workers and lost jobs left behind."""

    def reconcile(self) -> tuple[WaitingBatch, ...]:
        """Settle expired leases; return the batches that more workers could help, oldest first."""
        ...


class ChatModel(Protocol):
    """Claude, or what stands in for it."""

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        """Make one call, without hidden retries. Any answer with HTTP status 200 is a Reply."""
        ...
