"""Editing the scaffolding. Existing batches keep their snapshot."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from core.domain.scaffolding.prompt import choose_template
from core.domain.scaffolding.records import (
    ArcId,
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
from core.domain.scaffolding.rules import find_problems
from core.ports.scaffolding import ScaffoldingEditor, ScaffoldingStore


@dataclass(frozen=True, kw_only=True)
class ScaffoldingEditingService:
    """Reads the whole scaffolding, active or not, and saves edits."""

    store: ScaffoldingStore
    editor: ScaffoldingEditor

    def list_personas(self) -> tuple[Persona, ...]:
        """Return all personas by name."""
        return tuple(sorted(self.store.list_personas(), key=lambda persona: persona.name))

    def list_arcs(self) -> tuple[EmotionalArc, ...]:
        """Return all arcs, core before edge, by name."""
        return tuple(sorted(self.store.list_arcs(), key=lambda arc: (arc.conversation_category, arc.name)))

    def list_topics(self) -> tuple[TrainingTopic, ...]:
        """Return all topics by category and name."""
        return tuple(sorted(self.store.list_topics(), key=lambda topic: (topic.category, topic.name)))

    def list_templates(self) -> tuple[PromptTemplate, ...]:
        """Return all versions of all templates, by key, the newest version first."""
        return tuple(sorted(self.store.list_templates(), key=lambda row: (row.template_key, -row.version)))

    def list_axes(self) -> tuple[VariationAxis, ...]:
        """Return the axes by name; of one that the analyst has a copy of, the copy."""
        of_key = {
            axis.axis_key: axis for axis in sorted(self.store.list_axes(), key=lambda axis: axis.created_by is not None)
        }
        return tuple(sorted(of_key.values(), key=lambda axis: axis.name))

    def find_used_template(self, arc_id: ArcId) -> PromptTemplate | None:
        """Return the version that the analyst's new batches take for an arc."""
        return choose_template(self.store.list_offered_templates(), arc_id)

    def count_uses(self, kind: ScaffoldKind) -> Mapping[UUID, Uses]:
        """Return the results of each record; records without any are left out."""
        return self.editor.count_uses(kind)

    def save(self, record: Scaffold) -> SaveOutcome:
        """Save a persona, an arc, a topic or an axis; without `updated_at` it is a new one."""
        return _refuse(find_problems(record)) or self.editor.save(record)

    def save_template(self, template: PromptTemplate, based_on: int | None) -> SaveOutcome:
        """Save the next version of a template; older versions stay, and batches in flight keep theirs."""
        return _refuse(find_problems(template)) or self.editor.save_template(template, based_on)

    def set_template_active(self, template_id: TemplateId, *, active: bool) -> SaveOutcome:
        """Offer a version to new batches, or not."""
        return self.editor.set_template_active(template_id, active=active)


def _refuse(problems: tuple[str, ...]) -> SaveOutcome | None:
    return SaveOutcome(outcome="rejected", reason="\n".join(problems)) if problems else None
