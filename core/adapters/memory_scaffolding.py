"""Edits of the scaffolding in memory, for unit tests; the same contract as the real one."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar, assert_never
from uuid import UUID

from core.adapters.memory import MemoryDatabase
from core.domain.scaffolding import (
    EmotionalArc,
    Persona,
    PromptTemplate,
    SaveOutcome,
    Scaffold,
    ScaffoldKind,
    TemplateId,
    TrainingTopic,
    Uses,
)
from core.domain.scaffolding_rules import find_key

Row = TypeVar("Row", Persona, EmotionalArc, TrainingTopic)
STALE = SaveOutcome(outcome="conflict", reason="Somebody else has changed it since you opened it.")
TAKEN = SaveOutcome(outcome="rejected", reason="This key is taken. Choose another one.")
GONE = SaveOutcome(outcome="rejected", reason="It is not there any more. Reload the list.")


@dataclass(frozen=True, kw_only=True)
class MemoryScaffoldingEditor:
    """Puts new rows in the place of the database's old ones."""

    database: MemoryDatabase

    def save(self, record: Scaffold) -> SaveOutcome:
        match record:
            case Persona():
                outcome, self.database.personas = self._put(self.database.personas, record)
            case EmotionalArc():
                outcome, self.database.arcs = self._put(self.database.arcs, record)
            case TrainingTopic():
                outcome, self.database.topics = self._put(self.database.topics, record)
            case _:
                assert_never(record)
        return outcome

    def save_template(self, template: PromptTemplate, based_on: int | None) -> SaveOutcome:
        versions = [row for row in self.database.templates if row.template_key == template.template_key]
        newest = max(versions, key=lambda row: row.version, default=None)
        if newest is not None and based_on is None:
            return TAKEN
        if (None if newest is None else newest.version) != based_on:
            return STALE
        changes = {
            "version": (based_on or 0) + 1,
            "emotional_arc_id": template.emotional_arc_id if newest is None else newest.emotional_arc_id,
            "is_active": True,
            "updated_at": self.database.clock(),
        }
        self.database.templates = (*self.database.templates, template.model_copy(update=changes))
        return SaveOutcome(outcome="saved", id=template.id)

    def set_template_active(self, template_id: TemplateId, *, active: bool) -> SaveOutcome:
        if all(row.id != template_id for row in self.database.templates):
            return GONE
        changes = {"is_active": active, "updated_at": self.database.clock()}
        self.database.templates = tuple(
            row.model_copy(update=changes) if row.id == template_id else row for row in self.database.templates
        )
        return SaveOutcome(outcome="saved", id=template_id)

    def count_uses(self, kind: ScaffoldKind) -> Mapping[UUID, Uses]:
        counts: defaultdict[UUID, list[str]] = defaultdict(list)
        for row in self.database.items.values():
            item = row.item
            ids: dict[ScaffoldKind, UUID] = {
                ScaffoldKind.PERSONA: item.persona_id,
                ScaffoldKind.ARC: item.emotional_arc_id,
                ScaffoldKind.TOPIC: item.training_topic_id,
                ScaffoldKind.TEMPLATE: item.template_id,
            }
            if row.status in ("completed", "failed") and row.imported is None:
                counts[ids[kind]].append(row.status)
        return {
            record_id: Uses(accepted=statuses.count("completed"), failed=statuses.count("failed"))
            for record_id, statuses in counts.items()
        }

    def _put(self, rows: tuple[Row, ...], record: Row) -> tuple[SaveOutcome, tuple[Row, ...]]:
        old = next((row for row in rows if row.id == record.id), None)
        if record.updated_at is None:
            if any(find_key(row) == find_key(record) for row in rows):
                return TAKEN, rows
            return self._accept(record, (*rows, record))
        if old is None:
            return GONE, rows
        if old.updated_at != record.updated_at:
            return STALE, rows
        return self._accept(record, tuple(record if row.id == record.id else row for row in rows))

    def _accept(self, record: Row, rows: tuple[Row, ...]) -> tuple[SaveOutcome, tuple[Row, ...]]:
        dated = tuple(row.model_copy(update={"updated_at": self.database.clock()}) if row is record else row for row in rows)
        return SaveOutcome(outcome="saved", id=record.id), dated
