"""The analyst's side of a database that answers what a test scripts and notes what it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import uuid4

from core.domain.batches.batch import (
    BatchAction,
    BatchId,
    BatchProgress,
    BatchSettings,
    BatchStatus,
    RetryChanges,
    Selection,
    SkipExisting,
    Submitted,
)
from core.domain.batches.estimate import Estimate, GenerationHistory
from core.domain.datasets.plans import DatasetId
from core.domain.scaffolding.records import EmotionalArc, Persona, PromptTemplate, TemplateId, TrainingTopic, VariationAxis


class Submission(NamedTuple):
    """What a store was asked to write."""

    name: str
    selection: Selection
    settings: BatchSettings
    estimate: Estimate
    picks: Sequence[int] | None
    without_templates: Sequence[TemplateId]


@dataclass(kw_only=True)
class ScriptedBatchStore:
    """Implements BatchStore."""

    progress: BatchProgress | None = None
    status: BatchStatus = BatchStatus.QUEUED
    existing: int = 0
    history: tuple[GenerationHistory, ...] = ()
    submissions: list[Submission] = field(default_factory=list[Submission])
    retries: list[RetryChanges] = field(default_factory=list[RetryChanges])
    controls: list[tuple[BatchAction, float | None]] = field(default_factory=list[tuple[BatchAction, float | None]])

    def submit(
        self,
        name: str,
        selection: Selection,
        settings: BatchSettings,
        estimate: Estimate,
        picks: Sequence[int] | None,
        *,
        without_templates: Sequence[TemplateId] = (),
        dataset_id: DatasetId | None = None,
    ) -> Submitted:
        self.submissions.append(Submission(name, selection, settings, estimate, picks, without_templates))
        return Submitted(batch_id=BatchId(uuid4()), planned=len(picks or ()))

    def count_existing(self, selection: Selection, skip: SkipExisting) -> int:
        return self.existing

    def retry_failed(self, batch_id: BatchId, changes: RetryChanges) -> Submitted:
        self.retries.append(changes)
        return Submitted(batch_id=BatchId(uuid4()), planned=1)

    def get(self, batch_id: BatchId) -> BatchProgress | None:
        return self.progress

    def control(self, batch_id: BatchId, action: BatchAction, budget_usd: float | None = None) -> BatchStatus:
        self.controls.append((action, budget_usd))
        return self.status

    def list_history(self) -> tuple[GenerationHistory, ...]:
        return self.history


@dataclass(kw_only=True)
class ScaffoldingRows:
    """Implements ScaffoldingStore with the rows that it is given; all templates are offered, in their order."""

    personas: tuple[Persona, ...] = ()
    arcs: tuple[EmotionalArc, ...] = ()
    topics: tuple[TrainingTopic, ...] = ()
    templates: tuple[PromptTemplate, ...] = ()
    axes: tuple[VariationAxis, ...] = ()

    def list_personas(self) -> tuple[Persona, ...]:
        return self.personas

    def list_arcs(self) -> tuple[EmotionalArc, ...]:
        return self.arcs

    def list_topics(self) -> tuple[TrainingTopic, ...]:
        return self.topics

    def list_templates(self) -> tuple[PromptTemplate, ...]:
        return self.templates

    def list_axes(self) -> tuple[VariationAxis, ...]:
        return self.axes

    def list_offered_axes(self) -> tuple[VariationAxis, ...]:
        return self.axes

    def list_offered_templates(self) -> tuple[PromptTemplate, ...]:
        return self.templates
