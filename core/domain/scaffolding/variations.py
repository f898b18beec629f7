"""Variations: what makes the prompts of several conversations of one combination differ. Pure.

The first conversation of a combination is asked for plainly. Each further one is told a value of every axis, drawn so that
no mixture of values comes twice before all have come, and so that the values of an axis come equally often.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from math import prod
from typing import Self

from core.domain.record import Record
from core.domain.scaffolding.grid import walk_diagonal
from core.domain.scaffolding.prompt import uses_variation
from core.domain.scaffolding.records import (
    ArcId,
    EmotionalArc,
    Persona,
    PersonaId,
    PromptTemplate,
    TopicId,
    TrainingTopic,
    VariationAxis,
    VariedValue,
)


class Combination(Record):
    """What one conversation is about."""

    persona_id: PersonaId
    arc_id: ArcId
    topic_id: TopicId

    @classmethod
    def of(cls, persona: Persona, arc: EmotionalArc, topic: TrainingTopic) -> Self:
        """Return the combination of three records."""
        return cls(persona_id=persona.id, arc_id=arc.id, topic_id=topic.id)


def draw_values(axes: Iterable[VariationAxis], combination: Combination, variation: int) -> tuple[VariedValue, ...]:
    """Return the values of a variation, one of each axis; none for the first. The same arguments draw the same values."""
    ordered = sorted((axis for axis in axes if axis.values), key=lambda axis: axis.axis_key)
    if variation <= 1 or not ordered:
        return ()
    sizes = [len(axis.values) for axis in ordered]
    places = _locate((variation - 2) % prod(sizes), sizes)
    return tuple(
        VariedValue(axis_key=axis.axis_key, name=axis.name, value=_shuffle(axis, combination)[place])
        for axis, place in zip(ordered, places, strict=True)
    )


def count_prompts(axes: Iterable[VariationAxis]) -> int:
    """Return how many different prompts a combination has: the plain one, and one for each mixture of values."""
    sizes = [len(axis.values) for axis in axes if axis.values]
    return 1 + prod(sizes) if sizes else 1


def describe_same_prompts(
    per_combination: int, axes: Sequence[VariationAxis], templates: Iterable[PromptTemplate]
) -> str | None:
    """Say which conversations will share a prompt if a combination has so many; None where each has its own."""
    if per_combination <= 1:
        return None
    prompts = count_prompts(axes)
    if prompts == 1:
        return (
            "All conversations of one combination will have the same prompt, since no axis of variation is active. "
            "Activate one under Scaffolding."
        )
    without = sorted({template.name for template in templates if not uses_variation(template)})
    if without:
        named = f"{without[0]} and {len(without) - 1:,} more do" if len(without) > 1 else f"{without[0]} does"
        return (
            "All conversations of one combination will have the same prompt where the template has no {{ variation }}: "
            f"{named} not."
        )
    if prompts < per_combination:
        return (
            f"The axes of variation make {prompts:,} different prompts of a combination, so some of its {per_combination:,} "
            "conversations will have the same prompt. Add values under Scaffolding."
        )
    return None


def list_values(values: Iterable[VariedValue]) -> Mapping[str, str]:
    """Return values by the keys of their axes, as they are kept with a conversation."""
    return {each.axis_key: each.value for each in values}


def _locate(step: int, sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the place on each axis of a step; any first steps are spread evenly over every axis."""
    *others, last = sizes
    if not others:
        return (step % last,)
    row, column = walk_diagonal(step, prod(others), last)
    return (*_locate(row, others), column)


def _shuffle(axis: VariationAxis, combination: Combination) -> list[str]:
    """Order the values in a way of this combination's own. By hashes, so that it stays the same on every machine."""
    of = f"{combination.persona_id}/{combination.arc_id}/{combination.topic_id}/{axis.axis_key}"
    return sorted(axis.values, key=lambda value: sha256(f"{of}/{value}".encode()).digest())
