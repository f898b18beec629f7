"""Everything in memory: stores, doorbell and a scripted Claude, for unit tests and for trying pages without a stack.

They keep the same contract as the real ones; `tests/integration/test_store_contract.py` runs the same tests on both.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import product
from statistics import stdev
from typing import Any
from uuid import UUID, uuid4

from core.domain.batch import (
    BatchAction,
    BatchId,
    BatchProgress,
    BatchSettings,
    BatchStatus,
    ErrorHandling,
    RetryChanges,
    Selection,
    SkipExisting,
    Submitted,
    is_allowed,
)
from core.domain.conversation import Conversation
from core.domain.estimate import Estimate, GenerationHistory
from core.domain.importing import ImportItem, NameKind
from core.domain.pacing import Pace
from core.domain.progress import RECENT_JUDGED
from core.domain.reply import Reply
from core.domain.results import BatchBreakdown, FailureRow
from core.domain.safeguards import NO_LIMIT, check_breaker, check_budget, check_canary
from core.domain.scaffolding import (
    ArcId,
    ConversationCategory,
    EmotionalArc,
    Persona,
    PersonaId,
    PromptTemplate,
    TemplateId,
    Tier,
    TopicId,
    TrainingTopic,
)
from core.domain.work import (
    Attempt,
    AttemptOutcome,
    BatchPlan,
    CallFailure,
    ChatRequest,
    ItemAccepted,
    ItemFailed,
    ItemId,
    ItemReleased,
    ItemResult,
    Lease,
    LeasedItem,
    RecordOutcome,
    Snapshot,
)
from core.errors import InvalidRequest, NotFound, QueueUnavailable


def read_clock() -> datetime:
    """Return the current time; tests put another clock in its place."""
    return datetime.now(UTC)


@dataclass(kw_only=True)
class MemoryItem:
    """A row of batch_items."""

    item: LeasedItem
    batch_id: BatchId
    tier: Tier
    status: str = "queued"
    available_at: datetime
    lease_expires_at: datetime | None = None
    last_lease_token: UUID | None = None
    conversation: Conversation | None = None
    failure: ItemFailed | None = None
    closed_at: datetime | None = None
    attempts: list[tuple[AttemptOutcome, Attempt]] = field(default_factory=list)
    imported: ImportItem | None = None

    @property
    def last_reply(self) -> "Attempt | ImportItem | None":
        """What brought the item's last reply, with its stop_reason."""
        if self.imported is not None:
            return self.imported
        return self.attempts[-1][1] if self.failure is None and self.attempts else self.failure and self.failure.attempt


@dataclass(kw_only=True)
class MemoryBatch:
    """A row of batches."""

    plan: BatchPlan
    selection: Selection
    estimate: Estimate
    status: BatchStatus = BatchStatus.QUEUED
    status_reason: str | None = None
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    watched_since: datetime
    retry_of: BatchId | None = None
    pace: tuple[int, str, datetime] | None = None
    imported: bool = False


@dataclass(kw_only=True)
class MemoryDatabase:
    """ScaffoldingStore, BatchStore, WorkStore and Reconciler over plain dictionaries."""

    personas: tuple[Persona, ...] = ()
    arcs: tuple[EmotionalArc, ...] = ()
    topics: tuple[TrainingTopic, ...] = ()
    templates: tuple[PromptTemplate, ...] = ()
    user_id: UUID = field(default_factory=uuid4)
    clock: Callable[[], datetime] = read_clock
    batches: dict[BatchId, MemoryBatch] = field(default_factory=dict)
    items: dict[ItemId, MemoryItem] = field(default_factory=dict)
    imported_names: dict[tuple[NameKind, str], tuple[UUID, str]] = field(default_factory=dict)
    """Id and spelling of names that are not in the scaffolding, by kind and name in lower case."""

    def __post_init__(self) -> None:
        """Date what is there from the beginning."""
        now = self.clock()
        self.personas = tuple(row.model_copy(update={"updated_at": now}) for row in self.personas)
        self.arcs = tuple(row.model_copy(update={"updated_at": now}) for row in self.arcs)
        self.topics = tuple(row.model_copy(update={"updated_at": now}) for row in self.topics)
        self.templates = tuple(row.model_copy(update={"updated_at": now}) for row in self.templates)

    def list_personas(self) -> tuple[Persona, ...]:
        return self.personas

    def list_arcs(self) -> tuple[EmotionalArc, ...]:
        return self.arcs

    def list_topics(self) -> tuple[TrainingTopic, ...]:
        return self.topics

    def list_templates(self) -> tuple[PromptTemplate, ...]:
        return self.templates

    def list_offered_templates(self) -> tuple[PromptTemplate, ...]:
        """One analyst has all: the highest version first, and of two the newer."""
        newest_first = [template for template in reversed(self.templates) if template.is_active]
        return tuple(sorted(newest_first, key=lambda template: -template.version))

    def submit(
        self,
        name: str,
        selection: Selection,
        settings: BatchSettings,
        estimate: Estimate,
        picks: Sequence[int] | None,
        *,
        without_templates: Sequence[TemplateId] = (),
    ) -> Submitted:
        snapshot = self._take_snapshot(selection, without_templates)
        template_ids = {template.emotional_arc_id: template.id for template in snapshot.templates.values()}
        grid = list(product(selection.persona_ids, selection.arc_ids, selection.topic_ids))
        positions = range(len(grid)) if picks is None else picks
        if selection.skip_existing is not None:
            existing = self._find_existing(selection.skip_existing)
            positions = [position for position in positions if grid[position] not in existing][: selection.limit]
            if not positions:
                raise InvalidRequest("Every combination of this selection has a conversation already.")
        batch_id = BatchId(uuid4())
        plan = BatchPlan(id=batch_id, name=name, settings=settings, snapshot=snapshot, created_by=self.user_id)
        self.batches[batch_id] = MemoryBatch(
            plan=plan, selection=selection, estimate=estimate, created_at=(now := self.clock()), watched_since=now
        )
        for position, grid_position in enumerate(positions):
            persona_id, arc_id, topic_id = grid[grid_position]
            item = LeasedItem(
                item_id=ItemId(uuid4()),
                lease_token=uuid4(),
                position=position,
                attempt_number=1,
                persona_id=persona_id,
                emotional_arc_id=arc_id,
                training_topic_id=topic_id,
                template_id=template_ids[arc_id],
            )
            arc = snapshot.arcs[arc_id]
            tier = Tier.EDGE_CASE if arc.conversation_category is ConversationCategory.EDGE else arc.tier
            row = MemoryItem(item=item, batch_id=batch_id, tier=tier, available_at=self.clock())
            self.items[item.item_id] = row
        return Submitted(batch_id=batch_id, planned=len(positions))

    def count_existing(self, selection: Selection, skip: SkipExisting) -> int:
        existing = self._find_existing(skip)
        return sum(cell in existing for cell in product(selection.persona_ids, selection.arc_ids, selection.topic_ids))

    def retry_failed(self, batch_id: BatchId, changes: RetryChanges) -> Submitted:
        batch = self.batches.get(batch_id)
        if batch is None:
            raise NotFound(f"There is no batch {batch_id}, or it is not yours. Look at the list of batches.")
        refuse_imported(batch)
        failed = [row for row in self._rows(batch_id) if row.status == "failed"]
        if not failed:
            raise InvalidRequest("No item of this batch has failed; there is nothing to retry.")
        changed = changes.model_dump(exclude_none=True, exclude={"name", "template_id"})
        snapshot, template = batch.plan.snapshot, None
        if changes.template_id is not None:
            template = next((t for t in self.templates if t.id == changes.template_id and t.is_active), None)
            if template is None or template.emotional_arc_id not in snapshot.arcs:
                raise InvalidRequest("This template is not active or belongs to an arc that the batch does not have.")
            snapshot = snapshot.model_copy(update={"templates": {**snapshot.templates, template.id: template}})
        new_id, now = BatchId(uuid4()), self.clock()
        plan = batch.plan.model_copy(
            update={
                "id": new_id,
                "name": changes.name or f"Retry of {batch.plan.name}",
                "settings": batch.plan.settings.model_copy(update=changed | {"canary_items": 0}),
                "snapshot": snapshot,
            }
        )
        self.batches[new_id] = replace(
            batch, plan=plan, status=BatchStatus.QUEUED, status_reason=None, created_at=now, watched_since=now,
            started_at=None, completed_at=None, retry_of=batch_id, estimate=batch.estimate.scale(len(failed)),
        )  # fmt: skip
        for position, row in enumerate(sorted(failed, key=lambda row: row.item.position)):
            replaces = template is not None and template.emotional_arc_id == row.item.emotional_arc_id
            identity = {"item_id": ItemId(uuid4()), "position": position, "attempt_number": 1, "max_tokens": None}
            item = row.item.model_copy(update=identity | ({"template_id": changes.template_id} if replaces else {}))
            self.items[item.item_id] = MemoryItem(item=item, batch_id=new_id, tier=row.tier, available_at=now)
        return Submitted(batch_id=new_id, planned=len(failed))

    def get(self, batch_id: BatchId) -> BatchProgress | None:
        batch = self.batches.get(batch_id)
        if batch is None:
            return None
        rows = self._rows(batch_id)
        counts = Counter(row.status for row in rows)
        attempts = [attempt for row in rows for _, attempt in row.attempts]
        settings = batch.plan.settings
        return BatchProgress(
            id=batch_id,
            name=batch.plan.name,
            status=batch.status,
            status_reason=batch.status_reason,
            conversation_category=batch.selection.category,
            **settings.model_dump(exclude={"max_tokens", "structured_outputs"}),
            max_tokens=None if batch.imported else settings.max_tokens,
            structured_outputs=None if batch.imported else settings.structured_outputs,
            imported=batch.imported,
            retry_of=batch.retry_of,
            pace_limit=None if batch.pace is None else batch.pace[0],
            pace_reason=None if batch.pace is None else batch.pace[1],
            pace_changed_at=None if batch.pace is None else batch.pace[2],
            estimated_seconds=batch.estimate.seconds,
            estimated_cost_usd=batch.estimate.cost_usd,
            created_by=self.user_id,
            created_at=batch.created_at,
            started_at=batch.started_at,
            completed_at=batch.completed_at,
            planned=len(rows),
            accepted=counts["completed"],
            failed=counts["failed"],
            cancelled=counts["cancelled"],
            running=counts["processing"],
            queued=counts["queued"],
            attempts=len(attempts),
            cost_usd=float(sum(attempt.cost_usd or 0 for attempt in attempts)),
            input_tokens=sum(attempt.usage.input_tokens or 0 for attempt in attempts),
            output_tokens=sum(attempt.usage.output_tokens or 0 for attempt in attempts),
            simulated=any(attempt.simulated for attempt in attempts),
            **_find_recent(batch, rows),
        )

    def list_recent(self, limit: int) -> tuple[BatchProgress, ...]:
        newest_first = sorted(self.batches, key=lambda batch_id: self.batches[batch_id].created_at, reverse=True)
        return tuple(progress for batch_id in newest_first[:limit] if (progress := self.get(batch_id)) is not None)

    def control(self, batch_id: BatchId, action: BatchAction, budget_usd: float | None = None) -> BatchStatus:
        batch = self.batches.get(batch_id)
        if batch is None:
            raise NotFound(f"There is no batch {batch_id}, or it is not yours. Look at the list of batches.")
        if not is_allowed(action, batch.status):
            raise InvalidRequest(f"A batch that is {batch.status} cannot {action}.")
        if action is BatchAction.PAUSE:
            batch.status, batch.status_reason = BatchStatus.PAUSED, "Paused by the analyst."
        elif action is BatchAction.RESUME:
            batch.status = BatchStatus.QUEUED if batch.started_at is None else BatchStatus.PROCESSING
            batch.status_reason, batch.watched_since = None, self.clock()
            if budget_usd is not None:
                settings = batch.plan.settings.model_copy(update={"budget_usd": budget_usd})
                batch.plan = batch.plan.model_copy(update={"settings": settings})
            self._settle(batch_id)
        else:
            self._stop(batch_id, BatchStatus.CANCELLED, "Cancelled by the analyst.")
        return batch.status

    def get_breakdown(self, batch_id: BatchId) -> BatchBreakdown:
        rows = self._rows(batch_id)
        failures = [row.failure.failure for row in rows if row.failure is not None]
        attempts = [attempt for row in rows for _, attempt in row.attempts]
        return BatchBreakdown(
            by_failure_type=dict(Counter(str(failure.failure_type) for failure in failures)),
            by_pattern=dict(Counter(str(failure.pattern) for failure in failures if failure.pattern)),
            by_stop_reason=dict(Counter(attempt.stop_reason or "none" for attempt in attempts)),
        )

    def list_history(self) -> tuple[GenerationHistory, ...]:
        by_model: dict[tuple[str, bool], list[tuple[ItemId, Attempt]]] = {}
        for row in self.items.values():
            for _, attempt in row.attempts:
                by_model.setdefault((attempt.model, attempt.simulated), []).append((row.item.item_id, attempt))
        return tuple(_sum_history(model, attempts, simulated=simulated) for (model, simulated), attempts in by_model.items())

    async def get_plan(self, batch_id: BatchId) -> BatchPlan | None:
        batch = self.batches.get(batch_id)
        return None if batch is None else batch.plan

    async def lease(self, batch_id: BatchId, worker: str, wanted: int, lease_seconds: float) -> Lease:  # noqa: ARG002
        batch = self.batches.get(batch_id)
        if batch is None:
            return Lease(status=None)
        self._reclaim(batch_id)
        rows, now = self._rows(batch_id), self.clock()
        leased: list[LeasedItem] = []
        canary = rows[: batch.plan.settings.canary_items]
        candidates = canary if any(row.status in ("queued", "processing") for row in canary) else rows
        allowed = self._check_limits(batch, rows) if batch.status.is_active else 0
        if batch.status.is_active:
            in_flight = sum(row.status == "processing" for row in rows)
            free = max(min(wanted, allowed, _count_slots(batch) - in_flight), 0)
            ready = [row for row in candidates if row.status == "queued" and row.available_at <= now][:free]
            for row in ready:
                spent_ms = sum(attempt.duration_ms + attempt.wait_ms for _, attempt in row.attempts)
                row.item = row.item.model_copy(
                    update={
                        "lease_token": uuid4(),
                        "attempt_number": len(row.attempts) + 1,
                        "spent_seconds": spent_ms / 1000,
                    }
                )
                row.status, row.lease_expires_at = "processing", now + timedelta(seconds=lease_seconds)
                leased.append(row.item)
            if leased and batch.status is BatchStatus.QUEUED:
                batch.status, batch.started_at = BatchStatus.PROCESSING, batch.started_at or now
        waiting = [row.available_at for row in candidates if row.status == "queued"]
        return Lease(
            status=batch.status,
            items=tuple(leased),
            open=sum(row.status in ("queued", "processing") for row in rows),
            next_available_in_seconds=max((min(waiting) - now).total_seconds(), 0.0) if waiting else None,
        )

    async def extend(
        self,
        batch_id: BatchId,  # noqa: ARG002 - the port's
        items: Sequence[LeasedItem],
        lease_seconds: float,
    ) -> frozenset[UUID]:
        kept: set[UUID] = set()
        for item in items:
            row = self.items[item.item_id]
            if row.status == "processing" and row.item.lease_token == item.lease_token:
                row.lease_expires_at = self.clock() + timedelta(seconds=lease_seconds)
                kept.add(item.item_id)
        return frozenset(kept)

    async def set_pace(self, batch_id: BatchId, limit: int, reason: str) -> None:
        self.batches[batch_id].pace = (limit, reason, self.clock())

    async def pause(self, batch_id: BatchId, reason: str) -> None:
        _pause(self.batches[batch_id], reason)

    async def record(self, results: Sequence[ItemResult]) -> tuple[RecordOutcome, ...]:
        return tuple(self._record(result) for result in results)

    def reconcile(self) -> tuple[BatchId, ...]:
        for batch_id in self.batches:
            self._reclaim(batch_id)
            self._settle(batch_id)
        now = self.clock()
        return tuple(
            batch_id
            for batch_id, batch in self.batches.items()
            if batch.status.is_active
            and any(row.status == "queued" and row.available_at <= now for row in self._rows(batch_id))
        )

    def _record(self, result: ItemResult) -> RecordOutcome:
        row = self.items[result.item.item_id]
        batch = self.batches[row.batch_id]
        if result.attempt is not None and any(attempt.id == result.attempt.id for _, attempt in row.attempts):
            return RecordOutcome(outcome="recorded", batch_status=batch.status)
        holds_lease = row.status == "processing" and row.item.lease_token == result.item.lease_token
        came_late = row.status in ("queued", "cancelled") and row.last_lease_token == result.item.lease_token
        if not holds_lease and not came_late:
            if result.attempt is not None:
                row.attempts.append((AttemptOutcome.SUPERSEDED, result.attempt))
            return RecordOutcome(outcome="lease_lost")
        row.lease_expires_at, row.last_lease_token = None, None
        if isinstance(result, ItemReleased):
            if result.attempt is not None:
                row.attempts.append((AttemptOutcome.RETRIED, result.attempt))
            row.status = "cancelled" if batch.status.is_final else "queued"
            row.available_at = self.clock() + timedelta(seconds=result.delay_seconds)
            if result.raised_max_tokens is not None:
                row.item = row.item.model_copy(update={"max_tokens": result.raised_max_tokens})
        elif isinstance(result, ItemAccepted):
            row.attempts.append((AttemptOutcome.ACCEPTED, result.attempt))
            row.status, row.conversation, row.closed_at = "completed", result.conversation, self.clock()
        else:
            self._fail(row, batch, result)
        self._settle(row.batch_id)
        return RecordOutcome(outcome="recorded", batch_status=batch.status)

    def _fail(self, row: MemoryItem, batch: MemoryBatch, result: ItemFailed) -> None:
        if result.attempt is not None:
            row.attempts.append((AttemptOutcome.FAILED, result.attempt))
        row.status, row.failure, row.closed_at = "failed", result, self.clock()
        if result.stop_batch_because is not None:
            _pause(batch, f"Paused automatically: {result.stop_batch_because}")
        elif batch.plan.settings.error_handling is ErrorHandling.STOP:
            because = f"Stopped at the first failed item ({result.failure.failure_type}), as this batch asks."
            self._stop(row.batch_id, BatchStatus.FAILED, because)
        self._check_breaker(batch, row.batch_id)

    def _check_breaker(self, batch: MemoryBatch, batch_id: BatchId) -> None:
        closed = [
            (row.closed_at, row.status == "failed")
            for row in self._rows(batch_id)
            if row.status in ("completed", "failed") and row.closed_at is not None and row.closed_at >= batch.watched_since
        ]
        newest_first = [failed for _, failed in sorted(closed, key=lambda entry: entry[0], reverse=True)]
        _pause(batch, check_breaker(newest_first))

    def _check_limits(self, batch: MemoryBatch, rows: list[MemoryItem]) -> int:
        settings, allowed = batch.plan.settings, NO_LIMIT
        if settings.canary_items:
            canary = Counter(row.status for row in rows if row.item.position < settings.canary_items)
            allowance = check_canary(
                size=min(settings.canary_items, len(rows)),
                accepted=canary["completed"],
                failed=canary["failed"],
                queued=canary["queued"],
                was_resumed=all(
                    row.closed_at is not None and row.closed_at < batch.watched_since
                    for row in rows
                    if row.item.position < settings.canary_items
                ),
            )
            _pause(batch, allowance.pause_because)
            allowed = min(allowed, allowance.items)
        if settings.budget_usd is not None:
            attempts = [attempt for row in rows for _, attempt in row.attempts]
            costs = [float(attempt.cost_usd) for attempt in attempts if attempt.cost_usd is not None]
            unpriced = sum(attempt.cost_usd is None and attempt.stop_reason is not None for attempt in attempts)
            expected_usd = sum(costs) / len(costs) if costs else batch.estimate.cost_usd / len(rows)
            allowance = check_budget(
                budget_usd=settings.budget_usd,
                spent_usd=sum(costs) + unpriced * expected_usd,
                expected_usd=expected_usd,
                in_flight=sum(row.status == "processing" for row in rows),
            )
            _pause(batch, allowance.pause_because)
            allowed = min(allowed, allowance.items)
        return allowed

    def _find_existing(self, skip: SkipExisting) -> set[tuple[PersonaId, ArcId, TopicId]]:
        return {
            (row.item.persona_id, row.item.emotional_arc_id, row.item.training_topic_id)
            for row in self.items.values()
            if row.conversation is not None and (skip is SkipExisting.ANY or not row.attempts[-1][1].simulated)
        }

    def _rows(self, batch_id: BatchId) -> list[MemoryItem]:
        return [row for row in self.items.values() if row.batch_id == batch_id]

    def _reclaim(self, batch_id: BatchId) -> None:
        now = self.clock()
        for row in self._rows(batch_id):
            if row.status == "processing" and row.lease_expires_at is not None and row.lease_expires_at < now:
                row.status = "cancelled" if self.batches[batch_id].status.is_final else "queued"
                row.available_at, row.lease_expires_at, row.last_lease_token = now, None, row.item.lease_token

    def _stop(self, batch_id: BatchId, status: BatchStatus, reason: str) -> None:
        batch = self.batches[batch_id]
        if batch.status.is_final:
            return
        batch.status, batch.status_reason = status, reason
        for row in self._rows(batch_id):
            if row.status == "queued":
                row.status, row.closed_at = "cancelled", self.clock()
        self._settle(batch_id)

    def _settle(self, batch_id: BatchId) -> None:
        batch, rows = self.batches[batch_id], self._rows(batch_id)
        if any(row.status in ("queued", "processing") for row in rows):
            return
        batch.completed_at = batch.completed_at or self.clock()
        if not batch.status.is_final:
            failed_only = any(row.status == "failed" for row in rows) and all(row.status != "completed" for row in rows)
            batch.status = BatchStatus.FAILED if failed_only else BatchStatus.COMPLETED
            batch.status_reason = "No conversation was accepted." if failed_only else None

    def _take_snapshot(self, selection: Selection, without_templates: Sequence[TemplateId]) -> Snapshot:
        personas = {persona.id: persona for persona in self.personas if persona.is_active}
        arcs = {arc.id: arc for arc in self.arcs if arc.is_active and arc.conversation_category is selection.category}
        topics = {topic.id: topic for topic in self.topics if topic.is_active}
        unknown = [str(i) for i in selection.persona_ids if i not in personas]
        unknown += [str(i) for i in selection.arc_ids if i not in arcs]
        unknown += [str(i) for i in selection.topic_ids if i not in topics]
        if unknown:
            message = f"Not there, not active or of the other category: {', '.join(unknown)}. Reload and select again."
            raise InvalidRequest(message)
        offered = [template for template in self.list_offered_templates() if template.id not in without_templates]
        found = {
            arc_id: next((template for template in offered if template.emotional_arc_id == arc_id), None)
            for arc_id in selection.arc_ids
        }
        if missing := [arcs[arc_id].name for arc_id, template in found.items() if template is None]:
            raise InvalidRequest(f"No active prompt template for: {', '.join(missing)}. Add one, or leave these arcs out.")
        return Snapshot(
            personas={i: personas[i] for i in selection.persona_ids},
            arcs={i: arcs[i] for i in selection.arc_ids},
            topics={i: topics[i] for i in selection.topic_ids},
            templates={template.id: template for template in found.values() if template is not None},
        )


@dataclass(kw_only=True)
class MemoryQueue:
    """A doorbell that remembers who rang; set `is_away` to make it unavailable."""

    rung: list[BatchId] = field(default_factory=list)
    is_away: bool = False

    def ring(self, batch_id: BatchId) -> None:
        if self.is_away:
            raise QueueUnavailable("The queue is away.")
        self.rung.append(batch_id)


@dataclass(kw_only=True)
class MemoryPaceBoard:
    """A PaceBoard for one process."""

    paces: dict[str, Pace] = field(default_factory=dict)

    async def read(self, model: str) -> Pace | None:
        return self.paces.get(model)

    async def write(self, model: str, pace: Pace) -> None:
        self.paces[model] = pace


@dataclass(kw_only=True)
class ScriptedModel:
    """A ChatModel that answers from a function of the request and the number of the call, counted from 1."""

    answer: Callable[[ChatRequest, int], Reply | CallFailure]
    requests: list[ChatRequest] = field(default_factory=list)

    async def complete(self, request: ChatRequest) -> Reply | CallFailure:
        self.requests.append(request)
        return self.answer(request, len(self.requests))


def refuse_imported(batch: MemoryBatch) -> None:
    """Raise InvalidRequest for a batch of which nothing can be generated again."""
    if batch.imported:
        raise InvalidRequest(
            "This batch was imported: it has no prompts, so nothing of it can be generated again. "
            "Generate the same combinations as a new batch."
        )


def _sum_history(model: str, attempts: list[tuple[ItemId, Attempt]], *, simulated: bool) -> GenerationHistory:
    costs: defaultdict[ItemId, float] = defaultdict(float)
    seconds: defaultdict[ItemId, float] = defaultdict(float)
    for item_id, attempt in attempts:
        costs[item_id] += float(attempt.cost_usd or 0)
        seconds[item_id] += attempt.duration_ms / 1000
    tokens = sum(attempt.usage.input_tokens or 0 for _, attempt in attempts)
    return GenerationHistory(
        model=model,
        simulated=simulated,
        items=len(costs),
        cost_usd=sum(costs.values()),
        duration_seconds=sum(seconds.values()),
        cost_deviation_usd=stdev(costs.values()) if len(costs) > 1 else None,
        duration_deviation_seconds=stdev(seconds.values()) if len(seconds) > 1 else None,
        characters_per_token=sum(attempt.prompt_length for _, attempt in attempts) / tokens if tokens else None,
    )


def _find_recent(batch: MemoryBatch, rows: list[MemoryItem]) -> dict[str, Any]:
    """Return what was judged since the batch was last resumed; while it is open no more than the latest."""
    if batch.started_at is None:
        return {}
    since = max(batch.started_at, batch.watched_since)
    judged = sorted(
        row.closed_at
        for row in rows
        if row.status in ("completed", "failed") and row.closed_at is not None and row.closed_at >= since
    )
    until = judged[-1] if judged else None
    if batch.completed_at is None and len(judged) > RECENT_JUDGED:
        since, judged = judged[-RECENT_JUDGED - 1], judged[-RECENT_JUDGED:]
    return {"recent_since": since, "recent_until": until, "recent_judged": len(judged)}


def _count_slots(batch: MemoryBatch) -> int:
    concurrency = batch.plan.settings.concurrency
    return concurrency if batch.pace is None else min(concurrency, batch.pace[0])


def _pause(batch: MemoryBatch, because: str | None) -> None:
    if because is not None and batch.status.is_active:
        batch.status, batch.status_reason = BatchStatus.PAUSED, because


def is_simulated(row: MemoryItem) -> bool:
    """Say whether an item's last reply was made up."""
    return bool(row.attempts) and row.attempts[-1][1].simulated


def describe_failure(row: MemoryItem) -> FailureRow:
    """Return a failed item as its row; raise ValueError for any other."""
    if row.failure is None:
        raise ValueError("This item has not failed.")
    attempt, failure, given, reply = row.failure.attempt, row.failure.failure, row.imported, row.last_reply
    return FailureRow(
        id=row.item.item_id,
        failure_type=failure.failure_type,
        truncation_pattern=failure.pattern,
        truncation_details=failure.details,
        stop_reason=None if reply is None else reply.stop_reason,
        error_message=None if attempt is None else attempt.error_message,
        turn_index=failure.turn_index,
        model=row.failure.settings.model,
        max_tokens=row.failure.settings.max_tokens if given is None else given.max_tokens,
        output_tokens=given.output_tokens if given else attempt.usage.output_tokens if attempt else None,
        attempt_count=len(row.attempts),
        batch_id=row.batch_id,
        confidence=failure.confidence,
        simulated=attempt is not None and attempt.simulated,
        imported=given is not None,
        created_at=row.closed_at or read_clock(),
    )
