"""Failed generations of the in-memory database."""

from collections import Counter
from dataclasses import dataclass
from math import floor
from uuid import UUID

from core.adapters.memory import MemoryDatabase, MemoryItem, describe_failure
from core.adapters.memory_reading import has_words, list_memory_options, read_memory_page
from core.domain.error_report import FailureMaterial
from core.domain.fingerprint import fingerprint_failure
from core.domain.paging import Direction, Page, RowCursor
from core.domain.result_options import ResultOptions
from core.domain.results import FailureFilters, FailureRow, FailureStatistics
from core.domain.work import ItemFailed


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
            if row.failure is not None
            and fits_failure(filters, row)
            and fits_settings(self.database, filters, row, model=row.failure.settings.model)
            and _fits_time(filters, row)
        ]
        return sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)


def fits_failure(filters: FailureFilters, row: MemoryItem) -> bool:
    """Say whether an item has failed in the way that the filters mean."""
    if row.failure is None:
        return False
    failure = describe_failure(row)
    wanted = [
        (filters.failure_type, failure.failure_type),
        (filters.stop_reason, failure.stop_reason or "none"),
        (filters.truncation_pattern, failure.truncation_pattern or "none"),
        (filters.fingerprint, fingerprint_item(row, row.failure)),
        (filters.turn_index, failure.turn_index),
        (filters.limit_twentieth, find_twentieth(row)),
    ]
    text = " ".join(part for part in (failure.truncation_details, failure.error_message, row.failure.reply_text) if part)
    return all(asked is None or asked == found for asked, found in wanted) and (
        filters.text is None or has_words(text, filters.text)
    )


def fits_settings(database: MemoryDatabase, filters: FailureFilters, row: MemoryItem, *, model: str) -> bool:
    """Say whether an item was made with the scaffolding and the settings that the filters mean."""
    batch, given = database.batches[row.batch_id], row.imported
    attempt = row.attempts[-1][1] if row.attempts else None
    settings = batch.plan.settings if attempt is None else attempt.settings
    category = batch.selection.category
    if given is not None:
        category = next((arc.conversation_category for arc in database.arcs if arc.id == row.item.emotional_arc_id), None)
    prompt_chars = find_prompt_length(row)
    categories = {topic.id: topic.category for topic in database.topics}
    wanted = [
        (filters.batch_id, row.batch_id),
        (filters.persona_id, row.item.persona_id),
        (filters.emotional_arc_id, row.item.emotional_arc_id),
        (filters.training_topic_id, row.item.training_topic_id),
        (filters.template_id, row.item.template_id),
        (filters.topic_category, categories.get(row.item.training_topic_id)),
        (filters.conversation_category, category),
        (filters.model, model),
        (filters.structured_outputs, settings.structured_outputs if given is None else None),
        (filters.max_tokens, settings.max_tokens if given is None else given.max_tokens),
        (filters.effort, settings.effort or "none"),
    ]
    return (
        all(asked is None or asked == found for asked, found in wanted)
        and (filters.prompt_from is None or (prompt_chars is not None and prompt_chars >= filters.prompt_from))
        and (filters.prompt_to is None or (prompt_chars is not None and prompt_chars < filters.prompt_to))
    )


def fingerprint_item(row: MemoryItem, failure: ItemFailed) -> str:
    """Return the key of a failure's kind, as the worker computes it."""
    if row.imported is not None and row.imported.failure is not None:
        return row.imported.failure.fingerprint
    attempt = failure.attempt
    return fingerprint_failure(
        failure_type=failure.failure.failure_type,
        pattern=failure.failure.pattern,
        stop_reason=None if attempt is None else attempt.stop_reason,
        reply_text=failure.reply_text,
        turn_index=failure.failure.turn_index,
        message=(None if attempt is None else attempt.error_message) or failure.failure.details,
    )


def find_prompt_length(row: MemoryItem) -> int | None:
    """Return the length of the prompt in characters; None where there was none, or nobody knows it."""
    given = row.attempts[-1][1].prompt_length if row.attempts else 0
    return given or len("" if row.failure is None else row.failure.prompt_text) or None


def find_share_used(row: MemoryItem) -> float | None:
    """Return the share of max_tokens that the last reply used, at most all of it; None where it is not known."""
    if row.imported is not None:
        tokens, limit = row.imported.output_tokens, row.imported.max_tokens
    elif row.attempts:
        attempt = row.attempts[-1][1]
        tokens, limit = attempt.usage.output_tokens, attempt.settings.max_tokens
    else:
        return None
    return None if tokens is None or limit is None else min(tokens / limit, 1.0)


def find_twentieth(row: MemoryItem) -> int | None:
    """Return the same in twentieths."""
    share = find_share_used(row)
    return None if share is None else floor(share * 20)


def _fits_time(filters: FailureFilters, row: MemoryItem) -> bool:
    created_at = describe_failure(row).created_at
    return (filters.date_from is None or created_at >= filters.date_from) and (
        filters.date_to is None or created_at < filters.date_to
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
