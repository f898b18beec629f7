"""The scaffolding that Bright Run ships with: personas, arcs, training topics, prompt templates and axes of variation.

The JSON files beside this module are the facts; `brightrun seed` copies them into the database, where analysts may add
their own. All topics are active here: the reduction to twenty is `core.domain.scaffolding.topic_selection`.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from core.domain.scaffolding.records import EmotionalArc, Persona, PromptTemplate, TrainingTopic, VariationAxis


@cache
def load_personas() -> tuple[Persona, ...]:
    """Return the three personas, in the order of the file."""
    return tuple(Persona.model_validate(row) for row in _read_rows("personas.json"))


@cache
def load_emotional_arcs() -> tuple[EmotionalArc, ...]:
    """Return five active core arcs, two inactive ones and three edge arcs."""
    return tuple(EmotionalArc.model_validate(row) for row in _read_rows("emotional_arcs.json"))


@cache
def load_training_topics() -> tuple[TrainingTopic, ...]:
    """Return all 65 topics, every one of them active."""
    return tuple(TrainingTopic.model_validate(row) for row in _read_rows("training_topics.json"))


@cache
def load_prompt_templates() -> tuple[PromptTemplate, ...]:
    """Return one template for each active arc; the file names the arc by key, the record by id."""
    arc_ids = {arc.arc_key: arc.id for arc in load_emotional_arcs()}
    return tuple(
        PromptTemplate.model_validate({**row, "emotional_arc_id": arc_ids[row["arc_key"]]})
        for row in _read_rows("prompt_templates.json")
    )


@cache
def load_variation_axes() -> tuple[VariationAxis, ...]:
    """Return the five axes, every one of them active."""
    return tuple(VariationAxis.model_validate(row) for row in _read_rows("variation_axes.json"))


def _read_rows(file_name: str) -> tuple[Mapping[str, Any], ...]:
    rows: list[dict[str, Any]] = json.loads(files(__name__).joinpath(file_name).read_text(encoding="utf-8"))
    return tuple(rows)
