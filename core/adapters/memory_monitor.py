"""Monitor and overview of the in-memory database."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from core.adapters.memory import MemoryDatabase, MemoryItem
from core.domain.batch import BatchId, BatchStatus
from core.domain.monitor import (
    BatchFilters,
    BatchLink,
    BatchPage,
    BatchWatch,
    ItemPage,
    ItemRow,
    ItemStatus,
    LogRow,
    RetryTemplate,
    TrendPoint,
)
from core.domain.overview import Coverage, CoverageCell, CoveredArc, CoveredPersona, Overview, PatternSeen
from core.domain.work import Attempt, AttemptOutcome


@dataclass(frozen=True, kw_only=True)
class MemoryMonitorStore:
    """Implements MonitorStore; conversation and failure have the id of their item."""

    database: MemoryDatabase

    def list_batches(self, filters: BatchFilters, page_size: int, offset: int) -> BatchPage:
        text = (filters.text or "").lower()
        matching = [
            batch
            for batch in self.database.list_recent(len(self.database.batches))
            if (text in batch.name.lower() or text in batch.model.lower() or str(batch.id).startswith(text))
            and (not filters.statuses or batch.status in filters.statuses)
        ]
        return BatchPage(total=len(matching), batches=tuple(matching[offset : offset + page_size]))

    def watch(self, batch_id: BatchId, trend_points: int) -> BatchWatch | None:
        progress = self.database.get(batch_id)
        if progress is None:
            return None
        retried = None if progress.retry_of is None else self.database.get(progress.retry_of)
        retries = sorted(
            (batch for batch in self.database.list_recent(len(self.database.batches)) if batch.retry_of == batch_id),
            key=lambda batch: batch.created_at,
        )
        return BatchWatch(
            progress=progress,
            retry_of_name=None if retried is None else retried.name,
            retries=tuple(BatchLink(id=batch.id, name=batch.name, status=batch.status) for batch in retries),
            breakdown=self.database.get_breakdown(batch_id),
            trend=self._read_trend(batch_id, trend_points),
        )

    def list_items(self, batch_id: BatchId, status: ItemStatus | None, page_size: int, offset: int) -> ItemPage:
        matching = [row for row in self._rows(batch_id) if status is None or row.status == status]
        shown = matching[offset : offset + page_size]
        return ItemPage(total=len(matching), items=tuple(self._describe(row) for row in shown))

    def list_log(self, batch_id: BatchId, after: LogRow | None, page_size: int) -> tuple[LogRow, ...]:
        attempts = [
            self._log(row, number, outcome, attempt)
            for row in self._rows(batch_id)
            for number, (outcome, attempt) in enumerate(row.attempts, start=1)
        ]
        ordered = sorted(attempts, key=lambda row: (row.recorded_at, row.id))
        rest = [row for row in ordered if after is None or (row.recorded_at, row.id) > (after.recorded_at, after.id)]
        return tuple(rest[:page_size])

    def list_retry_templates(self, batch_id: BatchId) -> tuple[RetryTemplate, ...]:
        failed = [row.item for row in self._rows(batch_id) if row.status == "failed"]
        arcs = {arc.id: arc.name for arc in self.database.arcs}
        used, wanted = {item.template_id for item in failed}, {item.emotional_arc_id for item in failed}
        return tuple(
            RetryTemplate(
                id=template.id,
                name=template.name,
                version=template.version,
                arc=arcs[template.emotional_arc_id],
                is_used=template.id in used,
            )
            for template in sorted(
                self.database.templates, key=lambda template: (arcs[template.emotional_arc_id], -template.version)
            )
            if template.is_active and template.emotional_arc_id in wanted
        )

    def _rows(self, batch_id: BatchId) -> list[MemoryItem]:
        rows = (row for row in self.database.items.values() if row.batch_id == batch_id)
        return sorted(rows, key=lambda row: row.item.position)

    def _read_trend(self, batch_id: BatchId, points: int) -> tuple[TrendPoint, ...]:
        batch = self.database.batches[batch_id]
        begins_at = batch.started_at
        if begins_at is None:
            return ()
        ends_at = batch.completed_at or self.database.clock()
        if batch.status is BatchStatus.PAUSED:
            ends_at = max((row.closed_at for row in self._rows(batch_id) if row.closed_at), default=ends_at)
        seconds = max((ends_at - begins_at).total_seconds() / max(points - 1, 1), 1.0)
        counts: dict[int, Counter[str]] = {}
        for row in self._rows(batch_id):
            if row.closed_at is not None and row.status in ("completed", "failed"):
                number = max(min(int((row.closed_at - begins_at).total_seconds() / seconds), points - 1), 0)
                counts.setdefault(number, Counter())[row.status] += 1
        return tuple(
            TrendPoint(
                begins_at=begins_at + timedelta(seconds=number * seconds),
                seconds=seconds,
                accepted=counted["completed"],
                failed=counted["failed"],
            )
            for number, counted in sorted(counts.items())
        )

    def _describe(self, row: MemoryItem) -> ItemRow:
        attempts = [attempt for _, attempt in row.attempts]
        costs = [float(attempt.cost_usd) for attempt in attempts if attempt.cost_usd is not None]
        tokens = [attempt.usage.output_tokens for attempt in attempts if attempt.usage.output_tokens is not None]
        failure = None if row.failure is None else row.failure.failure
        persona, arc, topic = self._name(row)
        return ItemRow(
            id=row.item.item_id,
            position=row.item.position,
            status=ItemStatus(row.status),
            persona=persona,
            arc=arc,
            topic=topic,
            tier=row.tier,
            finished_at=row.closed_at,
            attempts=len(attempts),
            duration_ms=sum(attempt.duration_ms for attempt in attempts),
            output_tokens=sum(tokens) if tokens else None,
            cost_usd=sum(costs) if costs else None,
            simulated=any(attempt.simulated for attempt in attempts),
            last_error=attempts[-1].error_type if attempts else None,
            last_http_status=attempts[-1].http_status if attempts else None,
            conversation_id=row.item.item_id if row.conversation is not None else None,
            turn_count=None if row.conversation is None else len(row.conversation.turns),
            failure_id=row.item.item_id if failure is not None else None,
            failure_type=None if failure is None else str(failure.failure_type),
            truncation_pattern=None if failure is None or failure.pattern is None else str(failure.pattern),
            failure_details=None if failure is None else failure.details,
            turn_index=None if failure is None else failure.turn_index,
        )

    def _log(self, row: MemoryItem, number: int, outcome: AttemptOutcome, attempt: Attempt) -> LogRow:
        persona, arc, topic = self._name(row)
        return LogRow(
            id=attempt.id,
            recorded_at=attempt.started_at,
            item=row.item.position,
            persona=persona,
            arc=arc,
            topic=topic,
            attempt=number,
            outcome=outcome,
            max_tokens=attempt.settings.max_tokens,
            input_tokens=attempt.usage.input_tokens,
            output_tokens=attempt.usage.output_tokens,
            cost_usd=None if attempt.cost_usd is None else float(attempt.cost_usd),
            **attempt.model_dump(
                include={
                    "started_at", "duration_ms", "wait_ms", "stop_reason", "http_status", "failure_type", "failure_pattern",
                    "error_type", "error_message", "model", "request_id", "simulated",
                }
            ),
        )  # fmt: skip

    def _name(self, row: MemoryItem) -> tuple[str, str, str]:
        if row.imported is not None:
            return row.imported.persona.name, row.imported.arc.name, row.imported.topic.name
        snapshot = self.database.batches[row.batch_id].plan.snapshot
        item = row.item
        return (
            snapshot.personas[item.persona_id].name,
            snapshot.arcs[item.emotional_arc_id].name,
            snapshot.topics[item.training_topic_id].name,
        )


@dataclass(frozen=True, kw_only=True)
class MemoryOverviewStore:
    """Implements OverviewStore."""

    database: MemoryDatabase

    def read(self) -> Overview:
        database = self.database
        rows = [row for row in database.items.values() if row.imported is None]
        batches = [batch for batch in database.batches.values() if not batch.imported]
        since = database.clock() - timedelta(days=7)
        counts = Counter(row.status for row in rows)
        recent = Counter(row.status for row in rows if row.closed_at is not None and row.closed_at >= since)
        attempts = [attempt for row in rows for _, attempt in row.attempts]
        kept = [row for row in rows if row.conversation is not None]
        return Overview(
            accepted=counts["completed"],
            failed=counts["failed"],
            recent_accepted=recent["completed"],
            recent_failed=recent["failed"],
            conversations=len(kept),
            simulated_conversations=sum(row.attempts[-1][1].simulated for row in kept),
            spend_usd=float(sum(attempt.cost_usd or 0 for attempt in attempts if not attempt.simulated)),
            simulated_spend_usd=float(sum(attempt.cost_usd or 0 for attempt in attempts if attempt.simulated)),
            batches=len(batches),
            active_batches=sum(batch.status.is_active for batch in batches),
            paused_batches=sum(batch.status is BatchStatus.PAUSED for batch in batches),
            open_items=sum(
                row.status in ("queued", "processing") and database.batches[row.batch_id].status.is_active for row in rows
            ),
            first_batch_at=min((batch.created_at for batch in batches), default=None),
            patterns=self._find_patterns(rows),
            coverage=self._cover(kept),
        )

    def _find_patterns(self, rows: list[MemoryItem]) -> tuple[PatternSeen, ...]:
        first: dict[str, PatternSeen] = {}
        for row in sorted((row for row in rows if row.closed_at is not None), key=lambda row: str(row.closed_at)):
            if row.failure is not None and row.failure.failure.pattern is not None and row.closed_at is not None:
                pattern = str(row.failure.failure.pattern)
                first.setdefault(pattern, PatternSeen(pattern=pattern, first_seen_at=row.closed_at))
        return tuple(first.values())

    def _cover(self, kept: list[MemoryItem]) -> Coverage:
        database = self.database
        active = {topic.id for topic in database.topics if topic.is_active}
        pairs = Counter((row.item.persona_id, row.item.emotional_arc_id) for row in kept)
        topics = {(row.item.persona_id, row.item.emotional_arc_id, row.item.training_topic_id) for row in kept}
        return Coverage(
            topics=len(active),
            personas=tuple(
                CoveredPersona(id=persona.id, name=persona.name)
                for persona in sorted(database.personas, key=lambda persona: persona.name)
                if persona.is_active
            ),
            arcs=tuple(
                CoveredArc(id=arc.id, name=arc.name, conversation_category=arc.conversation_category)
                for arc in sorted(database.arcs, key=lambda arc: (arc.conversation_category, arc.name))
                if arc.is_active
            ),
            cells=tuple(
                CoverageCell(
                    persona_id=persona_id,
                    emotional_arc_id=arc_id,
                    topics=sum((persona_id, arc_id, topic_id) in topics for topic_id in active),
                    conversations=conversations,
                )
                for (persona_id, arc_id), conversations in pairs.items()
            ),
        )
