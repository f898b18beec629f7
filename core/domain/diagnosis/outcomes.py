"""Outcomes of judged items, counted by combinations of settings: the database's answer to a diagnosis.

Judged items are those that were accepted or failed; cancelled ones never were. A filter on settings (batch, persona,
template, time, ...) chooses which items are judged; a filter on failures (type, stop_reason, pattern, text) chooses which of
them count as failed, the others still being judged. So a rate is always
"failed with this signature, of all that were judged there".
"""

from collections.abc import Mapping
from uuid import UUID

from pydantic import AwareDatetime, field_validator

from core.domain.record import Record
from core.domain.verdict.verdict import FailureType

ACCEPTED = 0
"""The signature number of an item that did not fail, or not as the filters ask."""
OTHER_BATCHES = -1
"""The slot of all batches but the newest."""
QUARTER_HOUR_SECONDS = 900


class Combination(Record):
    """Settings that items share; `prompt_chars` is rounded down to hundreds. None: an imported record does not say.

    Nor is there a prompt where an item failed before one could be written.
    """

    id: int
    persona_id: UUID
    emotional_arc_id: UUID
    training_topic_id: UUID
    template_id: UUID
    model: str
    max_tokens: int | None
    effort: str | None = None
    structured_outputs: bool | None
    conversation_category: str
    prompt_chars: int | None


class FailureSignature(Record):
    """How something failed. The database calls it a failure kind.

    An item that was given up without a record of its failure has the type "unknown" there: no usable reply at all.
    """

    id: int
    failure_type: FailureType
    stop_reason: str | None = None
    truncation_pattern: str | None = None
    fingerprint: str | None = None

    @field_validator("failure_type", mode="before")
    @classmethod
    def _read_type(cls, code: str) -> str:
        return code if code in {*FailureType} else FailureType.API_ERROR


class BatchOutcome(Record):
    """A batch among the newest; `slot` is its number in the cells."""

    slot: int
    id: UUID
    name: str
    created_at: AwareDatetime


class SignatureTotal(Record):
    """What items of one signature took; `kind` 0: those that did not fail. Wasted is what did not become a conversation."""

    kind: int
    items: int
    attempts: int
    duration_ms: int
    wasted_ms: int
    cost_usd: float
    wasted_usd: float


class OutcomeCells(Record):
    """Columns of equal length: `items` of this combination, batch slot and failure signature (`kind`).

    `share_low` and `share_high` are the least and greatest share of max_tokens used, in hundredths of a percent; None for
    accepted items and where there was no reply. `simulated` of the items are simulated.
    """

    combination: tuple[int, ...] = ()
    slot: tuple[int, ...] = ()
    kind: tuple[int, ...] = ()
    items: tuple[int, ...] = ()
    simulated: tuple[int, ...] = ()
    share_low: tuple[int | None, ...] = ()
    share_high: tuple[int | None, ...] = ()


class QuarterHourCount(Record):
    """Items that closed in one quarter of an hour; `quarter_hour` is counted from 1970."""

    quarter_hour: int
    judged: int
    failed: int


class TokenCount(Record):
    """Items by the share of max_tokens that their last reply used, in bins of 5 %; 20: all of it.

    What failed otherwise than the filters ask is in neither count.
    """

    share_bin: int
    accepted: int
    failed: int


class TurnCount(Record):
    """`failed`: items whose turn `turn` failed. `accepted`: items with this number of turns."""

    turn: int
    accepted: int
    failed: int


class ScaffoldingLabel(Record):
    """A name for a persona, arc, topic or template; topics have a category."""

    label: str
    category: str | None = None


class Outcomes(Record):
    """Everything that a diagnosis is computed from."""

    combinations: tuple[Combination, ...] = ()
    kinds: tuple[FailureSignature, ...] = ()
    batches: tuple[BatchOutcome, ...] = ()
    cells: OutcomeCells = OutcomeCells()
    totals: tuple[SignatureTotal, ...] = ()
    quarter_hours: tuple[QuarterHourCount, ...] = ()
    tokens: tuple[TokenCount, ...] = ()
    turns: tuple[TurnCount, ...] = ()
    labels: Mapping[UUID, ScaffoldingLabel] = {}
    simulated: bool = False


class ExampleGroup(Record):
    """Failures to show examples of: those of these signatures (`kinds`), combinations and batches; None: of any."""

    kinds: tuple[int, ...] | None = None
    combinations: tuple[int, ...] | None = None
    batches: tuple[UUID, ...] | None = None


class FailureExample(Record):
    """A failure to look at."""

    id: UUID
    request_id: str | None = None
    truncation_details: str | None = None
