"""Edits of the scaffolding, with the analyst's rights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never
from uuid import UUID

from pydantic import TypeAdapter

from core.adapters.supabase.functions import call_function
from core.adapters.supabase.session import Analyst
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


@dataclass(frozen=True, kw_only=True)
class SupabaseScaffoldingEditor:
    """Calls the functions that write; the database decides what it takes."""

    analyst: Analyst

    def save(self, record: Scaffold) -> SaveOutcome:
        return self._save(_name_function(record), payload=record.model_dump(mode="json"))

    def save_template(self, template: PromptTemplate, based_on: int | None) -> SaveOutcome:
        return self._save("save_template", payload=template.model_dump(mode="json"), based_on=based_on)

    def set_template_active(self, template_id: TemplateId, *, active: bool) -> SaveOutcome:
        return self._save("set_template_active", template_id=str(template_id), active=active)

    def count_uses(self, kind: ScaffoldKind) -> Mapping[UUID, Uses]:
        rows = TypeAdapter(list[dict[str, Any]]).validate_python(
            call_function(self.analyst.client, "count_scaffolding_uses", kind=kind)
        )
        return {UUID(row["id"]): Uses.model_validate(row) for row in rows}

    def _save(self, function: str, **parameters: Any) -> SaveOutcome:  # noqa: ANN401 - JSON
        return SaveOutcome.model_validate(call_function(self.analyst.client, function, **parameters))


def _name_function(record: Scaffold) -> str:
    match record:
        case Persona():
            return "save_persona"
        case EmotionalArc():
            return "save_arc"
        case TrainingTopic():
            return "save_topic"
        case VariationAxis():
            return "save_axis"
        case _:
            assert_never(record)
