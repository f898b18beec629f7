"""Failed generations of the in-memory database."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from core.adapters.memory import MemoryDatabase, MemoryItem, describe_failure
from core.adapters.memory_reading import has_words, list_memory_options, read_memory_page
from core.domain.error_report import FailureMaterial
from core.domain.paging import Direction, Page, RowCursor
from core.domain.result_options import ResultOptions
from core.domain.results import FailureFilters, FailureRow, FailureStatistics


@dataclass(frozen=True, kw_only=True)
class MemoryFailureStore:
    """Implements FailureStore; a failure's id is its item's."""

    database: MemoryDatabase

    def describe(self, failure_id: UUID) -> FailureMaterial | None:
        for row in self.database.items.values():
            if row.item.item_id == failure_id and row.failure is not None:
                return _describe(row)
        return None

    def list_page(
        self, filters: FailureFilters, page_size: int, cursor: RowCursor | None, direction: Direction = Direction.OLDER
    ) -> Page[FailureRow]:
        return read_memory_page(self._list(filters), page_size, cursor, direction)

    def count(self, filters: FailureFilters) -> FailureStatistics:
        def list_without(field: str) -> list[FailureRow]:
            return self._list(filters.model_copy(update={field: None}))

        return FailureStatistics(
            total=len(self._list(filters)),
            by_type=dict(Counter(row.failure_type for row in list_without("failure_type"))),
            by_stop_reason=dict(Counter(row.stop_reason or "none" for row in list_without("stop_reason"))),
            by_pattern=dict(Counter(row.truncation_pattern or "none" for row in list_without("truncation_pattern"))),
        )

    def list_options(self) -> ResultOptions:
        return list_memory_options(self.database)

    def download(self, path: str) -> bytes | None:  # noqa: ARG002 - the port's; nothing is ever uploaded here
        return None

    def _list(self, filters: FailureFilters) -> list[FailureRow]:
        rows = [
            describe_failure(row)
            for row in self.database.items.values()
            if row.failure is not None and fits_failure(filters, row, describe_failure(row))
        ]
        return sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)


def fits_failure(filters: FailureFilters, row: MemoryItem, failure: FailureRow) -> bool:
    """Say whether a failure is meant by the filters."""
    wanted = [
        (filters.failure_type, failure.failure_type),
        (filters.stop_reason, failure.stop_reason or "none"),
        (filters.truncation_pattern, failure.truncation_pattern or "none"),
        (filters.batch_id, row.batch_id),
        (filters.persona_id, row.item.persona_id),
        (filters.emotional_arc_id, row.item.emotional_arc_id),
        (filters.training_topic_id, row.item.training_topic_id),
        (filters.template_id, row.item.template_id),
        (filters.model, failure.model),
    ]
    reply = None if row.failure is None else row.failure.reply_text
    text = " ".join(part for part in (failure.truncation_details, failure.error_message, reply) if part)
    return (
        all(asked is None or asked == found for asked, found in wanted)
        and (filters.date_from is None or failure.created_at >= filters.date_from)
        and (filters.date_to is None or failure.created_at < filters.date_to)
        and (filters.text is None or has_words(text, filters.text))
    )


def _describe(row: MemoryItem) -> FailureMaterial:
    if row.failure is None:
        raise ValueError("This item has not failed.")
    failure = describe_failure(row).model_dump(mode="json")
    prompt = row.failure.prompt_text
    return FailureMaterial(
        failure=failure
        | {
            "run_id": str(row.batch_id),
            "prompt": prompt,
            "prompt_length": len(prompt),
            "response_content": row.failure.reply_text,
            "raw_response": None if row.imported is None else {"imported_from": row.imported.source.model_dump()},
        },
        attempts=[attempt.model_dump(mode="json", exclude={"raw"}) for _, attempt in row.attempts],
    )
