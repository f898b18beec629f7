"""Outcomes and experiments of the in-memory database."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from math import floor
from typing import NamedTuple, TypeVar
from uuid import UUID, uuid4

from core.adapters.memory import MemoryBatch, MemoryDatabase, MemoryItem, describe_failure, is_simulated, refuse_imported
from core.adapters.memory_failures import (
    find_prompt_length,
    find_share_used,
    find_twentieth,
    fingerprint_item,
    fits_failure,
    fits_settings,
)
from core.domain.batch import BatchId, BatchSettings, BatchStatus
from core.domain.experiments import Experiment, ExperimentPairs, ExperimentPlan, ItemScope
from core.domain.importing import UNNAMED, ImportItem
from core.domain.outcomes import (
    ACCEPTED,
    OTHER_BATCHES,
    QUARTER_SECONDS,
    BatchOutcome,
    Combination,
    ExampleGroup,
    FailureExample,
    Kind,
    KindTotal,
    OutcomeCells,
    Outcomes,
    QuarterCount,
    ScaffoldingLabel,
    TokenCount,
    TurnCount,
)
from core.domain.results import WAYS_OF_FAILING, FailureFilters
from core.domain.scaffolding import PromptTemplate
from core.domain.work import AttemptOutcome, ItemId
from core.errors import InvalidRequest, NotFound

_Numbered = TypeVar("_Numbered", Combination, Kind)


class _Judged(NamedTuple):
    row: MemoryItem
    combination: int
    kind: int


@dataclass(kw_only=True)
class MemoryDiagnosticStore:
    """Implements DiagnosticStore; combinations and kinds get their numbers when they are first seen."""

    database: MemoryDatabase
    combinations: list[Combination] = field(default_factory=list[Combination])
    kinds: list[Kind] = field(default_factory=list[Kind])

    def count(self, filters: FailureFilters, most_batches: int) -> Outcomes:
        judged = self._judge(filters)
        batches = self.database.batches
        found = {each.row.batch_id for each in judged}
        shown = sorted(found, key=lambda batch_id: batches[batch_id].created_at, reverse=True)[:most_batches]
        slots = {batch_id: slot for slot, batch_id in enumerate(shown)}
        cells: dict[tuple[int, int, int], list[_Judged]] = defaultdict(list)
        for each in judged:
            cells[each.combination, slots.get(each.row.batch_id, OTHER_BATCHES), each.kind].append(each)
        shares = [
            [round(share * 10_000) for each in group if each.kind and (share := find_share_used(each.row)) is not None]
            for group in cells.values()
        ]
        return Outcomes(
            combinations=tuple(self.combinations),
            kinds=tuple(self.kinds),
            batches=tuple(self._describe_batch(batch_id, slot) for batch_id, slot in slots.items()),
            cells=OutcomeCells(
                combination=tuple(key[0] for key in cells),
                slot=tuple(key[1] for key in cells),
                kind=tuple(key[2] for key in cells),
                items=tuple(len(group) for group in cells.values()),
                simulated=tuple(sum(is_simulated(each.row) for each in group) for group in cells.values()),
                share_low=tuple(min(group, default=None) for group in shares),
                share_high=tuple(max(group, default=None) for group in shares),
            ),
            totals=_sum_totals(judged),
            quarters=_count_quarters(judged),
            tokens=_count_tokens(judged),
            turns=_count_turns(judged),
            labels=self._list_labels(),
            simulated=any(is_simulated(each.row) for each in judged),
        )

    def list_examples(self, groups: Sequence[ExampleGroup], most: int) -> tuple[tuple[FailureExample, ...], ...]:
        judged = [each for each in self._judge(FailureFilters()) if each.kind != ACCEPTED]
        return tuple(
            tuple(_describe_example(each.row) for each in judged if _fits_group(group, each))[:most] for group in groups
        )

    def _judge(self, filters: FailureFilters) -> list[_Judged]:
        scope = filters.model_copy(update=dict.fromkeys(WAYS_OF_FAILING))
        rows = [row for row in self.database.items.values() if row.status in ("completed", "failed")]
        return [
            _Judged(row, self._number_combination(row), self._number_kind(row, filters))
            for row in rows
            if self._fits_scope(scope, row)
        ]

    def _fits_scope(self, scope: FailureFilters, row: MemoryItem) -> bool:
        quarter = _quarter(row)
        model = self.database.batches[row.batch_id].plan.settings.model if row.imported is None else row.imported.model
        return (
            fits_settings(self.database, scope, row, model=model)
            and (scope.date_from is None or quarter >= floor(scope.date_from.timestamp() / QUARTER_SECONDS))
            and (scope.date_to is None or quarter < -floor(-scope.date_to.timestamp() / QUARTER_SECONDS))
        )

    def _number_combination(self, row: MemoryItem) -> int:
        batch = self.database.batches[row.batch_id]
        settings, given = batch.plan.settings, row.imported
        found = Combination(
            id=0,
            persona_id=row.item.persona_id,
            emotional_arc_id=row.item.emotional_arc_id,
            training_topic_id=row.item.training_topic_id,
            template_id=row.item.template_id,
            model=settings.model if given is None else given.model,
            max_tokens=_find_limit(row, settings),
            effort=settings.effort,
            structured_outputs=settings.structured_outputs if given is None else None,
            conversation_category=batch.selection.category if given is None else self._find_category(given),
            prompt_chars=None if (length := find_prompt_length(row)) is None else length // 100 * 100,
        )
        return _number(self.combinations, found)

    def _find_category(self, given: ImportItem) -> str:
        found = (arc.conversation_category for arc in self.database.arcs if arc.id == given.arc.id)
        return next(found, UNNAMED)

    def _number_kind(self, row: MemoryItem, filters: FailureFilters) -> int:
        if row.failure is None or not fits_failure(_keep_failure_fields(filters), row):
            return ACCEPTED
        failure = row.failure
        found = Kind(
            id=0,
            failure_type=failure.failure.failure_type,
            stop_reason=None if (reply := row.last_reply) is None else reply.stop_reason,
            truncation_pattern=failure.failure.pattern,
            fingerprint=fingerprint_item(row, failure),
        )
        return _number(self.kinds, found)

    def _describe_batch(self, batch_id: BatchId, slot: int) -> BatchOutcome:
        batch = self.database.batches[batch_id]
        return BatchOutcome(slot=slot, id=batch_id, name=batch.plan.name, created_at=batch.created_at)

    def _list_labels(self) -> dict[UUID, ScaffoldingLabel]:
        database = self.database
        return {
            **{each.id: ScaffoldingLabel(label=each.name) for each in (*database.personas, *database.arcs)},
            **{each.id: ScaffoldingLabel(label=each.name, category=each.category) for each in database.topics},
            **{each.id: ScaffoldingLabel(label=f"{each.name} v{each.version}") for each in database.templates},
            **{name_id: ScaffoldingLabel(label=name) for name_id, name in database.imported_names.values()},
        }


def _number(known: list[_Numbered], found: _Numbered) -> int:
    """Return the number of a combination or kind; one never seen before gets the next."""
    for each in known:
        if each.model_copy(update={"id": 0}) == found:
            return each.id
    known.append(found.model_copy(update={"id": len(known) + 1}))
    return len(known)


@dataclass(kw_only=True)
class MemoryExperimentStore:
    """Implements ExperimentStore."""

    database: MemoryDatabase
    experiments: list[Experiment] = field(default_factory=list[Experiment])
    pairs: dict[UUID, list[tuple[ItemId, ItemId]]] = field(default_factory=dict[UUID, list[tuple[ItemId, ItemId]]])

    def create(self, plan: ExperimentPlan) -> Experiment:
        base = self.database.batches.get(plan.batch_id)
        if base is None:
            raise NotFound(f"There is no batch {plan.batch_id}, or it is not yours. Look at the list of batches.")
        refuse_imported(base)
        change = plan.change.model_dump(exclude_none=True, exclude={"template_id"})
        settings = base.plan.settings.model_copy(update=change)
        if change and settings == base.plan.settings:
            raise InvalidRequest("The batch has this setting already; there is nothing to compare. Choose another value.")
        template = self._find_template(plan, base)
        chosen = [row for row in self.database.items.values() if _is_chosen(self.database, plan, template, row)]
        chosen = chosen[: plan.limit]
        if not chosen:
            raise InvalidRequest(
                "No judged item of this batch fits; there is nothing to repeat. Choose other items, or wait for the batch."
            )
        experiment = self._add_batch(plan, base, template, chosen)
        self.experiments.append(experiment)
        return experiment

    def list_recent(self, limit: int) -> tuple[Experiment, ...]:
        return tuple(reversed(self.experiments))[:limit]

    def count_pairs(self, experiment_id: UUID) -> ExperimentPairs | None:
        experiment = next((each for each in self.experiments if each.id == experiment_id), None)
        if experiment is None:
            return None
        items = self.database.items
        statuses = [(items[base].status, items[changed].status) for base, changed in self.pairs[experiment_id]]
        changed_rows = [items[changed] for _, changed in self.pairs[experiment_id]]
        return ExperimentPairs(
            experiment=experiment,
            both_failed=statuses.count(("failed", "failed")),
            only_base_failed=statuses.count(("failed", "completed")),
            only_changed_failed=statuses.count(("completed", "failed")),
            neither_failed=statuses.count(("completed", "completed")),
            open=sum(changed not in ("completed", "failed") for _, changed in statuses),
            simulated=any(attempt.simulated for row in changed_rows for _, attempt in row.attempts),
        )

    def _find_template(self, plan: ExperimentPlan, base: MemoryBatch) -> PromptTemplate | None:
        if plan.change.template_id is None:
            return None
        found = next((t for t in self.database.templates if t.id == plan.change.template_id and t.is_active), None)
        if found is None or found.emotional_arc_id not in base.plan.snapshot.arcs:
            raise InvalidRequest("This template is not active or belongs to an arc that the batch does not have.")
        return found

    def _add_batch(
        self, plan: ExperimentPlan, base: MemoryBatch, template: PromptTemplate | None, chosen: list[MemoryItem]
    ) -> Experiment:
        database, now, batch_id = self.database, self.database.clock(), BatchId(uuid4())
        snapshot = base.plan.snapshot
        if template is not None:
            snapshot = snapshot.model_copy(update={"templates": {**snapshot.templates, template.id: template}})
        name = plan.name or f"Compare {base.plan.name}"
        change = plan.change.model_dump(exclude_none=True, exclude={"template_id"})
        changed = {"id": batch_id, "name": name, "snapshot": snapshot}
        database.batches[batch_id] = MemoryBatch(
            plan=base.plan.model_copy(update=changed | {"settings": base.plan.settings.model_copy(update=change)}),
            selection=base.selection,
            estimate=base.estimate,
            status=BatchStatus.QUEUED,
            created_at=now,
            watched_since=now,
        )
        experiment = Experiment(
            id=uuid4(),
            name=name,
            scope=plan.scope,
            change=plan.change,
            base_batch_id=plan.batch_id,
            changed_batch_id=batch_id,
            pairs=len(chosen),
            created_at=now,
        )
        pairs = self.pairs.setdefault(experiment.id, [])
        for position, row in enumerate(sorted(chosen, key=lambda row: row.item.position)):
            identity = {"item_id": ItemId(uuid4()), "position": position, "attempt_number": 1, "max_tokens": None}
            template_id = row.item.template_id if template is None else template.id
            item = row.item.model_copy(update=identity | {"template_id": template_id})
            database.items[item.item_id] = MemoryItem(item=item, batch_id=batch_id, tier=row.tier, available_at=now)
            pairs.append((row.item.item_id, item.item_id))
        return experiment


def _is_chosen(database: MemoryDatabase, plan: ExperimentPlan, template: PromptTemplate | None, row: MemoryItem) -> bool:
    statuses = ("failed",) if plan.scope is ItemScope.FAILED else ("completed", "failed")
    if row.batch_id != plan.batch_id or row.status not in statuses:
        return False
    if template is not None and (
        row.item.emotional_arc_id != template.emotional_arc_id or row.item.template_id == template.id
    ):
        return False
    return fits_settings(database, plan.items, row, model=database.batches[row.batch_id].plan.settings.model)


def _keep_failure_fields(filters: FailureFilters) -> FailureFilters:
    return FailureFilters.model_validate(filters.model_dump(include=set(WAYS_OF_FAILING)))


def _find_limit(row: MemoryItem, settings: BatchSettings) -> int | None:
    if row.imported is not None:
        return row.imported.max_tokens
    return row.attempts[-1][1].settings.max_tokens if row.attempts else settings.max_tokens


def _quarter(row: MemoryItem) -> int:
    closed_at = row.closed_at or row.available_at
    return floor(closed_at.astimezone(UTC).timestamp() / QUARTER_SECONDS)


def _sum_totals(judged: Sequence[_Judged]) -> tuple[KindTotal, ...]:
    groups: dict[int, list[_Judged]] = defaultdict(list)
    for each in judged:
        groups[each.kind].append(each)
    totals: list[KindTotal] = []
    for kind, group in groups.items():
        attempts = [entry for each in group for entry in each.row.attempts]
        wasted = [attempt for outcome, attempt in attempts if outcome is not AttemptOutcome.ACCEPTED]
        total = KindTotal(
            kind=kind,
            items=len(group),
            attempts=len(attempts),
            duration_ms=sum(attempt.duration_ms for _, attempt in attempts),
            wasted_ms=sum(attempt.duration_ms for attempt in wasted),
            cost_usd=float(sum(attempt.cost_usd or 0 for _, attempt in attempts)),
            wasted_usd=float(sum(attempt.cost_usd or 0 for attempt in wasted)),
        )
        totals.append(total)
    return tuple(totals)


def _count_quarters(judged: Sequence[_Judged]) -> tuple[QuarterCount, ...]:
    all_items = Counter(_quarter(each.row) for each in judged)
    failed = Counter(_quarter(each.row) for each in judged if each.kind != ACCEPTED)
    return tuple(QuarterCount(quarter=quarter, judged=count, failed=failed[quarter]) for quarter, count in all_items.items())


def _count_tokens(judged: Sequence[_Judged]) -> tuple[TokenCount, ...]:
    bins = Counter(
        (twentieth, each.kind != ACCEPTED)
        for each in judged
        if (each.kind != ACCEPTED or each.row.failure is None) and (twentieth := find_twentieth(each.row)) is not None
    )
    return tuple(
        TokenCount(twentieth=number, accepted=bins[number, False], failed=bins[number, True])
        for number in sorted({number for number, _ in bins})
    )


def _count_turns(judged: Sequence[_Judged]) -> tuple[TurnCount, ...]:
    turns = Counter[tuple[int, bool]]()
    for each in judged:
        row, last = each.row, None
        if row.failure is not None:
            last = row.failure.failure.turn_index
        elif row.conversation is not None:
            last = len(row.conversation.turns)
        elif row.imported is not None:
            last = row.imported.turns
        if last is not None:
            turns[last, each.kind != ACCEPTED] += 1
    return tuple(
        TurnCount(turn=turn, accepted=turns[turn, False], failed=turns[turn, True])
        for turn in sorted({turn for turn, _ in turns})
    )


def _fits_group(group: ExampleGroup, each: _Judged) -> bool:
    return (
        (group.kinds is None or each.kind in group.kinds)
        and (group.combinations is None or each.combination in group.combinations)
        and (group.batches is None or each.row.batch_id in group.batches)
    )


def _describe_example(row: MemoryItem) -> FailureExample:
    failure = describe_failure(row)
    attempt = row.attempts[-1][1] if row.attempts else None
    return FailureExample(
        id=failure.id,
        request_id=None if attempt is None else attempt.request_id,
        truncation_details=failure.truncation_details,
    )
