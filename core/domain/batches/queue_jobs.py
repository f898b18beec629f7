"""What the queue may carry: the product's few jobs. Whoever knows REDIS_URL can write there, so a job is never trusted.

A name is looked up in the enum below and nowhere else; what a job asks for beyond a name and its arguments is refused.
"""

import re
from collections.abc import Sequence
from enum import StrEnum
from typing import assert_never
from uuid import UUID

from core.domain.batches.batch import BatchId
from core.domain.batches.work import ChatRequest
from core.domain.record import Record

MOST_REQUEST_BYTES = 1_000_000
"""The largest request whose tokens are counted; a larger one fits no model."""
MOST_NAME_LENGTH = 60


class JobFunction(StrEnum):
    """What a worker does for a job."""

    RUN_BATCH = "worker.run_batch"
    COUNT_TOKENS = "worker.count_tokens"


class BatchJob(Record):
    """Work on a batch until nothing is left for this worker."""

    batch_id: BatchId


class TokenCountJob(Record):
    """Count the input tokens of a request, for a page that waits for it."""

    request: ChatRequest


class RefusedJob(Record):
    """A refused job and the reason; both are short lines of plain characters, safe to show."""

    function: str
    reason: str


QueuedJob = BatchJob | TokenCountJob


def read_job(job_id: str, function: str, arguments: Sequence[object]) -> QueuedJob | RefusedJob:
    """Return what a job asks for, or why it is refused."""
    try:
        known = JobFunction(function)
    except ValueError:
        return RefusedJob(function=clean_name(function), reason="no such function")
    match known:
        case JobFunction.RUN_BATCH:
            job = _read_batch_job(job_id, arguments)
        case JobFunction.COUNT_TOKENS:
            job = _read_token_count_job(job_id, arguments)
        case _:
            assert_never(known)
    return job or RefusedJob(function=known, reason="wrong arguments or id")


def name_job(batch_id: BatchId, suffix: str) -> str:
    """Return the id of a batch's job; `suffix` is eight hexadecimal digits that make it unique."""
    return f"{batch_id}_{suffix}"


def find_batch(job_id: str) -> BatchId | None:
    """Return the batch that a job is named after; None for any other job."""
    batch_id, _, suffix = job_id.partition("_")
    return None if re.fullmatch(r"[0-9a-f]{8}", suffix) is None else _read_batch_id(batch_id)


def clean_name(name: str) -> str:
    """Return a foreign name as a short word of plain characters."""
    cleaned = re.sub(r"[^A-Za-z0-9_.:-]", "?", name[: MOST_NAME_LENGTH + 1])
    return cleaned if len(cleaned) <= MOST_NAME_LENGTH else f"{cleaned[: MOST_NAME_LENGTH - 3]}..."


def _read_batch_job(job_id: str, arguments: Sequence[object]) -> BatchJob | None:
    match arguments:
        case [str(text)] if (batch_id := _read_batch_id(text)) is not None and find_batch(job_id) == batch_id:
            return BatchJob(batch_id=batch_id)
        case _:
            return None


def _read_token_count_job(job_id: str, arguments: Sequence[object]) -> TokenCountJob | None:
    match arguments:
        case [str(text)] if len(text) <= MOST_REQUEST_BYTES and _read_uuid(job_id) is not None:
            try:
                return TokenCountJob(request=ChatRequest.model_validate_json(text))
            except ValueError:  # a ValidationError, or text with lone surrogates
                return None
        case _:
            return None


def _read_batch_id(text: str) -> BatchId | None:
    found = _read_uuid(text)
    return None if found is None else BatchId(found)


def _read_uuid(text: str) -> UUID | None:
    """Read a UUID in canonical form only: Python's constructor also takes braces and URNs."""
    return UUID(text) if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) else None
