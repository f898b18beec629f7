"""Scaffolding: read, edited and chosen from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from core.domain.scaffolding.records import (
        EmotionalArc,
        Persona,
        PromptTemplate,
        SaveOutcome,
        Scaffold,
        ScaffoldKind,
        TemplateId,
        TrainingTopic,
        Uses,
        VariationAxis,
    )


class ScaffoldingStore(Protocol):
    """Reads the scaffolding; all rows, active or not."""

    def list_personas(self) -> tuple[Persona, ...]: ...

    def list_arcs(self) -> tuple[EmotionalArc, ...]: ...

    def list_topics(self) -> tuple[TrainingTopic, ...]: ...

    def list_templates(self) -> tuple[PromptTemplate, ...]: ...

    def list_axes(self) -> tuple[VariationAxis, ...]:
        """Return the axes that ship and the analyst's own, also those that a copy of the analyst replaces."""
        ...

    def list_offered_axes(self) -> tuple[VariationAxis, ...]:
        """Return the axes that a new batch of the analyst varies its conversations by."""
        ...

    def list_offered_templates(self) -> tuple[PromptTemplate, ...]:
        """Return the templates that a new batch of the analyst may take, of each arc the first choice first.

        They are active, and ship with Bright Run or were saved by the analyst.
        """
        ...


class ScaffoldingEditor(Protocol):
    """Changes the scaffolding; batches keep the snapshot that they were made from."""

    def save(self, record: Scaffold) -> SaveOutcome:
        """Write a new row, or, where `updated_at` is set, change the row if it still is as of then. Keys never change."""
        ...

    def save_template(self, template: PromptTemplate, based_on: int | None) -> SaveOutcome:
        """Write the next version of a template after `based_on`, its newest so far; None for a new template."""
        ...

    def set_template_active(self, template_id: TemplateId, *, active: bool) -> SaveOutcome: ...

    def count_uses(self, kind: ScaffoldKind) -> Mapping[UUID, Uses]:
        """Return the results of each record; records without any are left out."""
        ...
