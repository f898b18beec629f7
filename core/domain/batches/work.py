"""A worker's view of a batch: what it leases, what it asks Claude for, and what it records."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NewType
from uuid import UUID

from pydantic import AwareDatetime

from core.domain.batches.batch import BatchId, BatchSettings, BatchStatus
from core.domain.record import Record
from core.domain.scaffolding.prompt import Prompt
from core.domain.scaffolding.records import (
    ArcId,
    AxisId,
    EmotionalArc,
    Persona,
    PersonaId,
    PromptTemplate,
    TemplateId,
    TopicId,
    TrainingTopic,
    VariationAxis,
    VariedValue,
)
from core.domain.verdict.conversation import Conversation
from core.domain.verdict.reply import RawResponse, TokenUsage
from core.domain.verdict.verdict import Failed, FailurePattern, FailureType

ItemId = NewType("ItemId", UUID)


class Snapshot(Record):
    """The scaffolding as it was when the batch was submitted, by id."""

    personas: Mapping[PersonaId, Persona]
    arcs: Mapping[ArcId, EmotionalArc]
    topics: Mapping[TopicId, TrainingTopic]
    templates: Mapping[TemplateId, PromptTemplate]
    axes: Mapping[AxisId, VariationAxis] = {}
    """From these the values of each variation are drawn; batches of before had none."""


class BatchPlan(Record):
    """What a worker needs to know of a batch once."""

    id: BatchId
    name: str
    settings: BatchSettings
    snapshot: Snapshot
    created_by: UUID


class LeasedItem(Record):
    """One item that this worker alone may work on while it keeps extending the lease."""

    item_id: ItemId
    lease_token: UUID
    position: int
    attempt_number: int
    persona_id: PersonaId
    emotional_arc_id: ArcId
    training_topic_id: TopicId
    template_id: TemplateId
    variation: int = 1
    """Counts the items of its combination."""
    max_tokens: int | None = None
    """Overrides the batch's limit after a reply that it cut off."""
    spent_seconds: float = 0.0
    """What earlier attempts at the item have taken, calls and waits."""
    lost_leases: int = 0
    """How many workers in a row took the item and were gone before they had a result."""
    runs_alone: bool = False
    """So many that the item itself may have killed them: it takes no other with it, in its batch or its process."""


class LeaseRequest(Record):
    """What a worker asks for: up to `wanted` items more than the `held` ones, of which it is `calling` some."""

    worker: str
    wanted: int
    lease_seconds: float
    held: int = 0
    calling: int = 0


class Lease(Record):
    """Leased items, and how many calls the worker may make; the status is None where there is no such batch."""

    status: BatchStatus | None
    items: tuple[LeasedItem, ...] = ()
    share: int = 0
    """This worker's part of the batch's calls; 0 where others make them all."""
    slots: int = 0
    """How many of them it may make now: others give theirs back when their calls end."""
    ahead: int = 0
    """How many items it may hold beyond those that it calls."""
    next_available_in_seconds: float | None = None
    """None: no item is queued. 0: one is, but the batch's limits or other workers hold it back."""


class WaitingBatch(Record):
    """An open batch that more workers could help."""

    batch_id: BatchId
    jobs: int
    """How many workers could share it."""


class ChatRequest(Record):
    """One call to Claude."""

    prompt: Prompt
    settings: BatchSettings


class CallFailureKind(StrEnum):
    """Why a call brought no reply."""

    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    INVALID_REQUEST = "invalid_request"
    BAD_KEY = "bad_key"
    FORBIDDEN = "forbidden"
    UNKNOWN_MODEL = "unknown_model"
    NO_CREDIT = "no_credit"
    SPEND_LIMIT = "spend_limit"
    ACCOUNT_BLOCKED = "account_blocked"  #: the organisation or account is disabled
    REGION_BLOCKED = "region_blocked"  #: Claude is not offered where the call came from
    WRONG_ADDRESS = "wrong_address"  #: something other than Claude answered
    PROXY = "proxy"  #: a proxy wants a sign-in, or lets nothing through
    CONTENT_FILTERED = "content_filtered"  #: prompt or reply was blocked by a content filter
    UNEXPECTED = "unexpected"  #: an unexpected exception


class CallFailure(Record):
    """A call that brought no reply."""

    kind: CallFailureKind
    message: str
    error_type: str | None = None
    http_status: int | None = None
    request_id: str | None = None
    retry_after_seconds: float | None = None
    access_returns: str | None = None
    """When calls will be taken again, in words; None where the answer does not say."""
    raw: RawResponse | None = None
    usage: TokenUsage = TokenUsage()
    """Tokens of a message that came with the error, which may have been paid for."""
    duration_ms: int
    simulated: bool
    error_stack: str | None = None
    """The stack of an unexpected exception."""


class AttemptOutcome(StrEnum):
    """What the database made of an attempt."""

    ACCEPTED = "accepted"
    FAILED = "failed"
    RETRIED = "retried"  #: the item was given back for another attempt
    SUPERSEDED = "superseded"  #: recorded after another worker had taken the item


class Attempt(Record):
    """One call to Claude as it is recorded, good or bad. The id makes recording it twice harmless."""

    id: UUID
    model: str
    settings: BatchSettings
    prompt_length: int
    started_at: AwareDatetime
    duration_ms: int
    simulated: bool
    worker: str
    stop_reason: str | None = None
    failure_type: FailureType | None = None
    failure_pattern: FailurePattern | None = None
    http_status: int | None = None
    request_id: str | None = None
    usage: TokenUsage = TokenUsage()
    cost_usd: Decimal | None = None
    wait_ms: int = 0
    raw: RawResponse | None = None
    error_type: str | None = None
    error_message: str | None = None


class ItemAccepted(Record):
    """Close an item with its conversation."""

    kind: Literal["success"] = "success"
    item: LeasedItem
    attempt: Attempt
    prompt_text: str
    conversation: Conversation
    variation: tuple[VariedValue, ...] = ()
    """What the prompt was told of each axis."""


class ItemFailed(Record):
    """Close an item with its failed generation.

    `stop_batch_because` is a cause that lets no call succeed: the batch is paused with it. Of the items that met it only the
    first is closed, as evidence; the others go back to the queue.
    """

    kind: Literal["failure"] = "failure"
    item: LeasedItem
    attempt: Attempt | None
    prompt_text: str
    settings: BatchSettings
    failure: Failed
    reply_text: str | None = None
    stop_batch_because: str | None = None
    error_stack: str | None = None
    """Where an exception of ours came from."""


class ItemReleased(Record):
    """Give an item back, untouched or for another attempt."""

    kind: Literal["release"] = "release"
    item: LeasedItem
    attempt: Attempt | None = None
    delay_seconds: float = 0.0
    raised_max_tokens: int | None = None
    """The limit of the next attempt, where the batch allows one raise."""


ItemResult = ItemAccepted | ItemFailed | ItemReleased


@dataclass(frozen=True, kw_only=True)
class KeptResult:
    """A result as it is sent and spooled: encoded once."""

    result: ItemResult
    content: bytes
    """JSON, as `record_results` takes it."""
    is_safe: bool
    """Whether it survives this process: it is on disk, or no call was paid for it."""


class RecordOutcome(Record):
    """What the database made of a result."""

    outcome: Literal["recorded", "lease_lost", "no_such_item"]
    batch_status: BatchStatus | None = None


def encode_body(raw: RawResponse) -> tuple[str, Literal["utf-8", "base64"]]:
    """Return a body as text that PostgreSQL can hold, byte for byte recoverable, and how it is encoded."""
    try:
        text = raw.body.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(raw.body).decode("ascii"), "base64"
    return (base64.b64encode(raw.body).decode("ascii"), "base64") if "\0" in text else (text, "utf-8")
