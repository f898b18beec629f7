"""What came of items: failed generations, conversations, error reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from core.domain.paging import Direction, Page, RowCursor, RowPlace

if TYPE_CHECKING:
    from core.domain.batches.result_options import ResultOptions
    from core.domain.batches.results import FailureFilters, FailureRow, FailureStatistics
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
    from core.domain.diagnosis.error_report import FailureMaterial


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
