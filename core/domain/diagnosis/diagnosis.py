"""What the outcomes say, as tidy rows: rates by dimension, matrices, time line, tokens, waste, failure signatures."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import assert_never
from uuid import UUID

import numpy as np

from core.domain.datasets.importing import UNNAMED
from core.domain.diagnosis.facts import Facts, Field, Ints, make_field, make_ordered_field
from core.domain.diagnosis.fingerprint import label_fingerprint
from core.domain.diagnosis.intervals import Rate, measure_rate
from core.domain.diagnosis.outcomes import (
    ACCEPTED,
    OTHER_BATCHES,
    QUARTER_HOUR_SECONDS,
    BatchOutcome,
    Combination,
    FailureSignature,
    OutcomeCells,
    Outcomes,
)
from core.domain.diagnosis.plain_names import NONE
from core.domain.record import Record
from core.domain.verdict.verdict import FailureType


class Dimension(StrEnum):
    """A setting of an item, whether it failed or not. The names of a suspect are in this order."""

    TEMPLATE = "template"
    ARC = "arc"
    PERSONA = "persona"
    TOPIC = "topic"
    TOPIC_CATEGORY = "topic_category"
    CATEGORY = "category"
    MODEL = "model"
    STRUCTURED_OUTPUT = "structured_output"
    MAX_TOKENS = "max_tokens"
    EFFORT = "effort"
    PROMPT_LENGTH = "prompt_length"
    BATCH = "batch"


class RateRow(Record):
    """Failed of judged items with one value of a dimension.

    `key` is the value as links and filters take it (of an ordered dimension its span, `8600..8700`), None for pooled ones
    and where it is not known.
    """

    dimension: Dimension
    label: str
    key: str | None
    rate: Rate


class MatrixCell(Record):
    """Failed of judged items of one row and one column."""

    row: str
    column: str
    row_key: str
    column_key: str
    rate: Rate


class SignatureRow(Record):
    """Failures of one type, stop_reason and pattern; NONE where there is none."""

    failure_type: FailureType
    stop_reason: str
    truncation_pattern: str
    failures: int


class FingerprintRow(Record):
    """Failures that end alike; `share` is that of all failures. `kinds` are the numbers of their signatures."""

    fingerprint: str
    label: str
    failures: int
    share: float
    kinds: tuple[int, ...]


class TimeRow(Record):
    """Items that closed between `start` and the next row's; `at` is when, in their middle: never in the future."""

    start: datetime
    at: datetime
    rate: Rate


class TokenRow(Record):
    """Items whose last reply used a share of max_tokens from `share_from` up to `share_to`; both 1.0: all of it."""

    share_from: float
    share_to: float
    accepted: int
    failed: int


class TurnRow(Record):
    """Of the conversations that reached turn `turn_index` (from 0), those that failed there."""

    turn_index: int
    rate: Rate


class Waste(Record):
    """Calls, time and cost of judged items, and the part that did not become a conversation."""

    attempts: int
    duration_seconds: float
    cost_usd: float
    failed_attempts: int
    wasted_seconds: float
    wasted_usd: float


class Diagnosis(Record):
    """Everything that the analytics show for one filter, except suspects and examples. `batches`: the newest ones."""

    overall: Rate
    rates: tuple[RateRow, ...]
    signatures: tuple[SignatureRow, ...]
    fingerprints: tuple[FingerprintRow, ...]
    arc_by_persona: tuple[MatrixCell, ...]
    arc_by_topic: tuple[MatrixCell, ...]
    timeline: tuple[TimeRow, ...]
    tokens: tuple[TokenRow, ...]
    turns: tuple[TurnRow, ...]
    waste: Waste
    batches: tuple[BatchOutcome, ...]
    simulated: bool

    def list_rates(self, dimension: Dimension) -> tuple[RateRow, ...]:
        """Return the rates by one dimension, the highest lower bound first."""
        rows = [row for row in self.rates if row.dimension is dimension]
        return tuple(sorted(rows, key=lambda row: row.rate.low or 0.0, reverse=True))


class Bucket(StrEnum):
    """The resolution of the time line."""

    HOUR = "hour"
    DAY = "day"


def diagnose(
    outcomes: Outcomes, facts: Facts, *, bucket: Bucket, zone: tzinfo, now: datetime, asks_how: bool = False
) -> Diagnosis:
    """Compute everything from outcomes and the facts built of them; days and hours are those of `zone`.

    `asks_how`: the filters name a failure signature; only such failures count as failed and as wasted.
    """
    kinds = {kind.id: kind for kind in outcomes.kinds}
    by_kind = Counter[int]()
    for kind, items in zip(outcomes.cells.kind, outcomes.cells.items, strict=True):
        by_kind[kind] += items
    failures = {kinds[number]: count for number, count in by_kind.items() if number != ACCEPTED}
    return Diagnosis(
        overall=measure_rate(facts.total_failed, facts.total_judged),
        rates=tuple(_list_rates(outcomes, facts)),
        signatures=_list_signatures(failures),
        fingerprints=_list_fingerprints(failures),
        arc_by_persona=_build_matrix(outcomes, facts, Dimension.ARC, Dimension.PERSONA),
        arc_by_topic=_build_matrix(outcomes, facts, Dimension.ARC, Dimension.TOPIC),
        timeline=_build_timeline(outcomes, bucket, zone, now),
        tokens=_list_tokens(outcomes),
        turns=_list_turns(outcomes),
        waste=_sum_waste(outcomes, asks_how=asks_how),
        batches=outcomes.batches,
        simulated=outcomes.simulated,
    )


def build_facts(outcomes: Outcomes) -> Facts:
    """Return the cells as facts, one for each combination and batch slot, with a field for each dimension."""
    cells = outcomes.cells
    groups, numbers = group_cells(cells)
    items = np.array(cells.items, dtype=np.int64)
    is_failed = np.array(cells.kind, dtype=np.int64) != ACCEPTED
    judged = np.bincount(numbers, weights=items, minlength=len(groups)).astype(np.int64)
    failed = np.bincount(numbers, weights=items * is_failed, minlength=len(groups)).astype(np.int64)
    known = {combination.id: combination for combination in outcomes.combinations}
    ids, places = np.unique(groups[:, 0], return_inverse=True)
    used, slots = [known[number] for number in ids.tolist()], groups[:, 1].tolist()
    fields = tuple(_build_field(outcomes, dimension, used, places, slots=slots, judged=judged) for dimension in Dimension)
    return Facts(judged=judged, failed=failed, fields=fields)


def group_cells(cells: OutcomeCells) -> tuple[Ints, Ints]:
    """Return the combinations and batch slots that occur, a pair a row, and for each cell the number of its row."""
    pairs = np.array([cells.combination, cells.slot], dtype=np.int64)
    # One number for both: those are sorted many times faster than pairs.
    width = int(pairs[1].max(initial=OTHER_BATCHES)) - OTHER_BATCHES + 1
    keys, numbers = np.unique(pairs[0] * width + pairs[1] - OTHER_BATCHES, return_inverse=True)
    return np.column_stack((keys // width, keys % width + OTHER_BATCHES)), numbers.astype(np.int64)


def _build_field(
    outcomes: Outcomes,
    dimension: Dimension,
    used: Sequence[Combination],
    places: Ints,
    *,
    slots: Sequence[int],
    judged: Ints,
) -> Field:
    """Name each combination once; `places` is the combination of each group, `slots` its batch."""
    if dimension is Dimension.BATCH:
        names = _name_batches(outcomes)
        return make_field(dimension, [names[slot] for slot in slots])
    if dimension is Dimension.PROMPT_LENGTH:
        return make_ordered_field(dimension, [used[int(place)].prompt_chars for place in places], judged, "characters")
    field = make_field(dimension, list(map(_make_namer(outcomes, dimension), used)))
    return replace(field, codes=field.codes[places])


def _name_batches(outcomes: Outcomes) -> dict[int, str]:
    names = _tell_apart({batch.id: batch.name for batch in outcomes.batches})
    return {**{batch.slot: names[batch.id] for batch in outcomes.batches}, OTHER_BATCHES: "(other batches)"}


def _make_namer(outcomes: Outcomes, dimension: Dimension) -> Callable[[Combination], str]:
    labels = outcomes.labels

    def name_topic_category(each: Combination) -> str:
        key = each.training_topic_id
        return (labels[key].category or NONE) if key in labels else NONE

    if dimension in _ID_ATTRIBUTES:
        names = _name_ids(outcomes, dimension)
        return lambda each: names[getattr(each, _ID_ATTRIBUTES[dimension])]
    return name_topic_category if dimension is Dimension.TOPIC_CATEGORY else _SETTING_NAMERS[dimension]


def _name_ids(outcomes: Outcomes, dimension: Dimension) -> dict[UUID, str]:
    """Name the scaffolding; rows of the same name, as from imports, get part of their id."""
    labels, attribute = outcomes.labels, _ID_ATTRIBUTES[dimension]
    ids: set[UUID] = {getattr(each, attribute) for each in outcomes.combinations}
    names = {key: labels[key].label if key in labels else str(key) for key in ids}
    return _tell_apart(names)


def _tell_apart(names: Mapping[UUID, str]) -> dict[UUID, str]:
    counts = Counter(names.values())
    return {key: name if counts[name] == 1 else f"{name} ({str(key)[:8]})" for key, name in names.items()}


_SWITCH_WORDS = {True: "on", False: "off", None: UNNAMED}
_SETTING_NAMERS: Mapping[Dimension, Callable[[Combination], str]] = {
    Dimension.CATEGORY: lambda each: each.conversation_category,
    Dimension.MODEL: lambda each: each.model,
    Dimension.STRUCTURED_OUTPUT: lambda each: _SWITCH_WORDS[each.structured_outputs],
    Dimension.MAX_TOKENS: lambda each: UNNAMED if each.max_tokens is None else f"{each.max_tokens:,}",
    Dimension.EFFORT: lambda each: each.effort or NONE,
}


def _list_keys(outcomes: Outcomes, dimension: Dimension) -> dict[str, str]:
    """The values as filters take them, by label."""
    match dimension:
        case Dimension.TEMPLATE | Dimension.ARC | Dimension.PERSONA | Dimension.TOPIC:
            return {name: str(key) for key, name in _name_ids(outcomes, dimension).items()}
        case Dimension.BATCH:
            names = _name_batches(outcomes)
            return {names[batch.slot]: str(batch.id) for batch in outcomes.batches}
        case Dimension.MAX_TOKENS:
            limits = {each.max_tokens for each in outcomes.combinations}
            return {f"{limit:,}": str(limit) for limit in limits if limit is not None}
        case _:
            return {}


_ID_ATTRIBUTES = {
    Dimension.TEMPLATE: "template_id",
    Dimension.ARC: "emotional_arc_id",
    Dimension.PERSONA: "persona_id",
    Dimension.TOPIC: "training_topic_id",
}


def _list_rates(outcomes: Outcomes, facts: Facts) -> Iterable[RateRow]:
    for column in facts.fields:
        dimension = Dimension(column.name)
        keys = _list_keys(outcomes, dimension)
        codes, is_known = column.codes[column.is_known], column.is_known
        judged = np.bincount(codes, weights=facts.judged[is_known], minlength=len(column.values))
        failed = np.bincount(codes, weights=facts.failed[is_known], minlength=len(column.values))
        for code, value in enumerate(column.values):
            label = value if column.steps is None else _label_step(column, code)
            is_pooled = dimension is Dimension.BATCH and value not in keys
            # Scaffolding that an import does not name has an id of its own; settings that it does not name have none.
            is_missing = value not in keys and (
                value == UNNAMED or (dimension is Dimension.TOPIC_CATEGORY and value == NONE)
            )
            key = keys.get(value, value) if column.steps is None else _span_step(column.steps, code)
            yield RateRow(
                dimension=dimension,
                label=label,
                key=None if is_pooled or is_missing else key,
                rate=measure_rate(round(failed[code]), round(judged[code])),
            )
        unknown = measure_rate(int(facts.failed[~is_known].sum()), int(facts.judged[~is_known].sum()))
        if unknown.judged:
            yield RateRow(dimension=dimension, label=UNNAMED, key=None, rate=unknown)


def _label_step(column: Field, code: int) -> str:
    steps = column.steps or ()
    return f"from {column.values[code]}" if code + 1 == len(steps) else f"{column.values[code]}-{steps[code + 1] - 1:,}"


def _span_step(steps: Sequence[int], code: int) -> str:
    return f"{steps[code]}.." if code + 1 == len(steps) else f"{steps[code]}..{steps[code + 1]}"


def _list_signatures(failures: Mapping[FailureSignature, int]) -> tuple[SignatureRow, ...]:
    counts = Counter[tuple[FailureType, str, str]]()
    for kind, count in failures.items():
        counts[kind.failure_type, kind.stop_reason or NONE, kind.truncation_pattern or NONE] += count
    return tuple(
        SignatureRow(failure_type=failure_type, stop_reason=stop_reason, truncation_pattern=pattern, failures=count)
        for (failure_type, stop_reason, pattern), count in counts.most_common()
    )


def _list_fingerprints(failures: Mapping[FailureSignature, int]) -> tuple[FingerprintRow, ...]:
    grouped: dict[str, list[FailureSignature]] = defaultdict(list)
    for kind in failures:
        grouped[kind.fingerprint or kind.failure_type].append(kind)
    total = sum(failures.values())
    rows = [
        FingerprintRow(
            fingerprint=fingerprint,
            label=label_fingerprint(fingerprint),
            failures=(count := sum(failures[kind] for kind in kinds)),
            share=count / total,
            kinds=tuple(kind.id for kind in kinds),
        )
        for fingerprint, kinds in grouped.items()
    ]
    return tuple(sorted(rows, key=lambda row: row.failures, reverse=True))


def _build_matrix(outcomes: Outcomes, facts: Facts, row: Dimension, column: Dimension) -> tuple[MatrixCell, ...]:
    rows, columns = (next(each for each in facts.fields if each.name == name) for name in (row, column))
    row_keys, column_keys = _list_keys(outcomes, row), _list_keys(outcomes, column)
    codes = rows.codes * len(columns.values) + columns.codes
    size = len(rows.values) * len(columns.values)
    judged = np.bincount(codes, weights=facts.judged, minlength=size)
    failed = np.bincount(codes, weights=facts.failed, minlength=size)
    return tuple(
        MatrixCell(
            row=rows.values[code // len(columns.values)],
            column=columns.values[code % len(columns.values)],
            row_key=row_keys[rows.values[code // len(columns.values)]],
            column_key=column_keys[columns.values[code % len(columns.values)]],
            rate=measure_rate(round(failed[code]), round(judged[code])),
        )
        for code in range(size)
        if judged[code]
    )


def _build_timeline(outcomes: Outcomes, bucket: Bucket, zone: tzinfo, now: datetime) -> tuple[TimeRow, ...]:
    judged, failed, seconds = Counter[datetime](), Counter[datetime](), Counter[datetime]()
    begins = sorted(batch.created_at.timestamp() for batch in outcomes.batches)
    before = -1
    for each in sorted(outcomes.quarter_hours, key=lambda each: each.quarter_hour):
        begin = each.quarter_hour * QUARTER_HOUR_SECONDS
        end = begin + QUARTER_HOUR_SECONDS
        start = _begin_bucket(datetime.fromtimestamp(begin, UTC).astimezone(zone), bucket)
        judged[start] += each.judged
        failed[start] += each.failed
        # Items closed before now, and after a pause not before the batch began that ended it.
        began = (
            next((moment for moment in begins if begin <= moment < end), begin) if each.quarter_hour > before + 1 else begin
        )
        seconds[start] += round((began + max(min(end, now.timestamp()), began)) / 2 * each.judged)
        before = each.quarter_hour
    return tuple(
        TimeRow(
            start=start,
            at=datetime.fromtimestamp(seconds[start] / judged[start], UTC).astimezone(zone),
            rate=measure_rate(failed[start], judged[start]),
        )
        for start in sorted(judged)
    )


def _begin_bucket(moment: datetime, bucket: Bucket) -> datetime:
    match bucket:
        case Bucket.HOUR:
            return moment.replace(minute=0, second=0, microsecond=0)
        case Bucket.DAY:
            return moment.replace(hour=0, minute=0, second=0, microsecond=0)
        case _:
            assert_never(bucket)


def _list_tokens(outcomes: Outcomes) -> tuple[TokenRow, ...]:
    return tuple(
        TokenRow(
            share_from=each.share_bin / 20,
            share_to=min((each.share_bin + 1) / 20, 1.0),
            accepted=each.accepted,
            failed=each.failed,
        )
        for each in sorted(outcomes.tokens, key=lambda each: each.share_bin)
    )


def _list_turns(outcomes: Outcomes) -> tuple[TurnRow, ...]:
    """A conversation of ten turns reached turns 0 to 9; one that failed at turn 3 reached turn 3."""
    last = max((each.turn for each in outcomes.turns if each.failed), default=-1)
    broken = {each.turn: each.failed for each in outcomes.turns}
    whole = {each.turn: each.accepted for each in outcomes.turns}
    return tuple(
        TurnRow(
            turn_index=turn,
            rate=measure_rate(
                broken.get(turn, 0),
                sum(count for index, count in broken.items() if index >= turn)
                + sum(count for length, count in whole.items() if length > turn),
            ),
        )
        for turn in range(last + 1)
    )


def _sum_waste(outcomes: Outcomes, *, asks_how: bool) -> Waste:
    totals = outcomes.totals
    # Else the retried calls of accepted items are wasted, too.
    wasted = [each for each in totals if each.kind != ACCEPTED or not asks_how]
    return Waste(
        attempts=sum(each.attempts for each in totals),
        duration_seconds=sum(each.duration_ms for each in totals) / 1000,
        cost_usd=sum(each.cost_usd for each in totals),
        failed_attempts=sum(each.attempts for each in totals if each.kind != ACCEPTED),
        wasted_seconds=sum(each.wasted_ms for each in wasted) / 1000,
        wasted_usd=sum(each.wasted_usd for each in wasted),
    )
