"""Imports of the in-memory database."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from core.adapters.memory import MemoryBatch, MemoryDatabase, MemoryItem
from core.domain.batch import BatchId, BatchSettings, BatchStatus, Selection
from core.domain.estimate import Estimate
from core.domain.importing import (
    MOST_CONVERSATIONS,
    FileDigest,
    ImportedName,
    ImportFinish,
    ImportId,
    ImportItem,
    ImportStart,
    KnownFile,
    NameKind,
)
from core.domain.scaffolding import ArcId, ConversationCategory, PersonaId, TemplateId, Tier, TopicId
from core.domain.verdict import Failed
from core.domain.work import BatchPlan, ItemFailed, ItemId, LeasedItem, Snapshot
from core.errors import InvalidRequest

_NO_LIMIT = 1
"""In a BatchSettings, which wants one; readers ask the item."""


@dataclass(frozen=True, kw_only=True)
class _Stage:
    name: str
    files: tuple[FileDigest, ...]
    items: dict[int, ImportItem] = field(default_factory=dict[int, ImportItem])


@dataclass(frozen=True, kw_only=True)
class MemoryImportStore:
    """Implements ImportStore."""

    database: MemoryDatabase
    stages: dict[ImportId, _Stage] = field(default_factory=dict[ImportId, _Stage])
    files: dict[str, BatchId] = field(default_factory=dict[str, BatchId])
    finished: dict[ImportId, ImportFinish] = field(default_factory=dict[ImportId, ImportFinish])

    def begin(self, name: str, files: Sequence[FileDigest]) -> ImportStart:
        known = self._find_known(files)
        if len(known) == len(files):
            return ImportStart(known=known)
        import_id, digests = ImportId(uuid4()), {each.digest for each in known}
        self.stages[import_id] = _Stage(name=name, files=tuple(file for file in files if file.digest not in digests))
        return ImportStart(import_id=import_id, known=known)

    def stage(self, import_id: ImportId, items: Sequence[ImportItem]) -> None:
        staged = self._get(import_id).items
        for item in items:
            kept = staged.get(item.position)
            if kept is None or kept.failure is None:
                staged[item.position] = item

    def finish(self, import_id: ImportId) -> ImportFinish:
        if import_id in self.finished:
            return self.finished[import_id]
        stage = self._get(import_id)
        if known := self._find_known(stage.files):
            del self.stages[import_id]
            return ImportFinish(known=known)
        if not 1 <= len(stage.items) <= MOST_CONVERSATIONS:
            raise InvalidRequest(
                f"An import holds 1 to {MOST_CONVERSATIONS} conversations; this one has {len(stage.items)}. "
                "Import the files in parts."
            )
        batch_id = self._add_batch(stage)
        for position, (_, given) in enumerate(sorted(stage.items.items())):
            self._add_item(batch_id, position, given)
        self.files.update(dict.fromkeys((file.digest for file in stage.files), batch_id))
        del self.stages[import_id]
        self.finished[import_id] = ImportFinish(batch_id=batch_id)
        return self.finished[import_id]

    def _get(self, import_id: ImportId) -> _Stage:
        stage = self.stages.get(import_id)
        if stage is None:
            raise InvalidRequest("This import is gone: it was finished before. Import the files again.")
        return stage

    def _find_known(self, files: Sequence[FileDigest]) -> tuple[KnownFile, ...]:
        batches = self.database.batches
        found = ((file.digest, self.files[file.digest]) for file in files if file.digest in self.files)
        return tuple(
            KnownFile(digest=digest, batch_id=batch_id, batch_name=batches[batch_id].plan.name) for digest, batch_id in found
        )

    def _add_batch(self, stage: _Stage) -> BatchId:
        database, now, batch_id = self.database, self.database.clock(), BatchId(uuid4())
        items = list(stage.items.values())
        models = {item.model for item in items}
        categories = {self._find_category(item) for item in items}
        has_failed = all(item.failure is not None for item in items)
        category = ConversationCategory.EDGE if categories == {ConversationCategory.EDGE} else ConversationCategory.CORE
        settings = BatchSettings(model=models.pop() if len(models) == 1 else "several models", max_tokens=_NO_LIMIT)
        database.batches[batch_id] = MemoryBatch(
            plan=BatchPlan(
                id=batch_id,
                name=stage.name,
                settings=settings,
                snapshot=Snapshot(personas={}, arcs={}, topics={}, templates={}),
                created_by=database.user_id,
            ),
            selection=Selection(category=category, persona_ids=(), arc_ids=(), topic_ids=()),
            estimate=Estimate(conversations=0, seconds=0, cost_usd=0, basis="imported"),
            status=BatchStatus.FAILED if has_failed else BatchStatus.COMPLETED,
            status_reason="No conversation passed." if has_failed else None,
            created_at=now,
            completed_at=now,
            watched_since=now,
            imported=True,
        )
        return batch_id

    def _add_item(self, batch_id: BatchId, position: int, given: ImportItem) -> None:
        now = self.database.clock()
        item = LeasedItem(
            item_id=ItemId(uuid4()),
            lease_token=uuid4(),
            position=position,
            attempt_number=1,
            persona_id=PersonaId(self._resolve(NameKind.PERSONA, given.persona)),
            emotional_arc_id=ArcId(self._resolve(NameKind.ARC, given.arc)),
            training_topic_id=TopicId(self._resolve(NameKind.TOPIC, given.topic)),
            template_id=TemplateId(self._resolve(NameKind.TEMPLATE, given.template)),
        )
        arc = next((each for each in self.database.arcs if each.id == given.arc.id), None)
        self.database.items[item.item_id] = MemoryItem(
            item=item,
            batch_id=batch_id,
            tier=Tier.TEMPLATE if arc is None else arc.tier,
            status="completed" if given.failure is None else "failed",
            available_at=now,
            closed_at=given.made_at or now,
            failure=_make_failure(item, given),
            imported=given,
        )

    def _find_category(self, item: ImportItem) -> ConversationCategory | None:
        return next((arc.conversation_category for arc in self.database.arcs if arc.id == item.arc.id), None)

    def _resolve(self, kind: NameKind, named: ImportedName) -> UUID:
        if named.id is not None:
            return named.id
        key = kind, named.name.casefold()
        known = self.database.imported_names.get(key)
        if known is None:
            known = self.database.imported_names[key] = (uuid4(), named.name)
        return known[0]


def _make_failure(item: LeasedItem, given: ImportItem) -> ItemFailed | None:
    if given.failure is None:
        return None
    found = Failed.model_validate(given.failure, from_attributes=True)
    settings = BatchSettings(model=given.model, max_tokens=_NO_LIMIT)
    return ItemFailed(
        item=item, attempt=None, prompt_text="", settings=settings, failure=found, reply_text=given.failure.text
    )
