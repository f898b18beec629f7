"""What the conversations of one combination are told, so that they differ."""

from collections import Counter
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.scaffolding.prompt import render_prompt, uses_variation
from core.domain.scaffolding.records import ArcId, AxisId, PersonaId, TopicId, VariationAxis
from core.domain.scaffolding.variations import Combination, count_prompts, describe_same_prompts, draw_values
from core.scaffolding_data import (
    load_emotional_arcs,
    load_personas,
    load_prompt_templates,
    load_training_topics,
    load_variation_axes,
)


def make_axes(*sizes: int) -> list[VariationAxis]:
    return [
        VariationAxis(
            id=AxisId(UUID(int=number)),
            axis_key=f"axis_{number}",
            name=f"Axis {number}",
            values=tuple(f"value {value}" for value in range(size)),
        )
        for number, size in enumerate(sizes)
    ]


def make_combination(number: int = 0) -> Combination:
    return Combination(persona_id=PersonaId(UUID(int=number)), arc_id=ArcId(UUID(int=1)), topic_id=TopicId(UUID(int=2)))


def draw(axes: list[VariationAxis], variation: int, combination: int = 0) -> tuple[str, ...]:
    return tuple(each.value for each in draw_values(axes, make_combination(combination), variation))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4))
def test_no_mixture_comes_twice_before_all_have_come(sizes: list[int]) -> None:
    axes = make_axes(*sizes)
    told = [draw(axes, variation) for variation in range(2, count_prompts(axes) + 1)]

    assert set(told) == set(product(*(axis.values for axis in axes)))
    assert len(told) == len(set(told))
    assert draw(axes, count_prompts(axes) + 1) == told[0]


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(2, 40))
def test_the_values_of_an_axis_come_equally_often(sizes: list[int], last: int) -> None:
    axes = make_axes(*sizes)
    told = [draw(axes, variation) for variation in range(2, last + 1)]

    for place, axis in enumerate(axes):
        counts = Counter(dict.fromkeys(axis.values, 0))
        counts.update(values[place] for values in told)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_the_first_is_asked_for_plainly() -> None:
    assert draw(make_axes(3, 3), 1) == ()


def test_nothing_is_drawn_without_axes() -> None:
    assert draw([], 5) == ()


def test_the_same_is_drawn_on_every_machine_and_in_any_order_of_the_axes() -> None:
    axes = make_axes(3, 4)

    assert draw(axes, 2) == draw(axes[::-1], 2) == ("value 1", "value 0")


def test_combinations_begin_at_different_values() -> None:
    assert len({draw(make_axes(4, 4), 2, combination) for combination in range(10)}) > 1


def test_shipped_axes_make_more_prompts_than_a_plan_asks_for() -> None:
    assert count_prompts(load_variation_axes()) > 1_000


def test_every_variation_of_every_shipped_template_is_another_prompt() -> None:
    persona, topic = load_personas()[0], load_training_topics()[0]
    arcs = {arc.id: arc for arc in load_emotional_arcs()}
    for template in load_prompt_templates():
        arc = arcs[template.emotional_arc_id]
        combination = Combination.of(persona, arc, topic)
        drawn = [draw_values(load_variation_axes(), combination, variation) for variation in range(1, 21)]
        prompts = [render_prompt(template, persona, arc, topic, values) for values in drawn]

        assert len({prompt.text for prompt in prompts}) == len(prompts)
        assert all(f"- {each.name}: {each.value}" in prompts[3].user for each in drawn[3])
        assert "particular this time" not in prompts[0].user
        assert "particular this time" in prompts[1].user


TEMPLATE = load_prompt_templates()[0]
PLAIN = TEMPLATE.model_copy(update={"name": "Plain", "user_prompt": "{{ persona_name }}"})
BROKEN = TEMPLATE.model_copy(update={"user_prompt": "{{ variation"})


def test_a_template_uses_variation_where_it_can_be_read_and_names_it() -> None:
    assert [uses_variation(template) for template in (TEMPLATE, PLAIN, BROKEN)] == [True, False, False]


@pytest.mark.parametrize(
    ("per_combination", "axes", "templates", "words"),
    [
        (1, [], [PLAIN], None),
        (2, make_axes(2), [TEMPLATE], None),
        (3, make_axes(2), [TEMPLATE], None),
        (4, make_axes(2), [TEMPLATE], "3 different prompts of a combination, so some of its 4 conversations"),
        (2, [], [TEMPLATE], "no axis of variation is active"),
        (2, make_axes(2), [TEMPLATE, PLAIN], "has no {{ variation }}: Plain does not."),
        (2, make_axes(2), [PLAIN, PLAIN.model_copy(update={"name": "Old"})], "Old and 1 more do not."),
    ],
)
def test_prompts_that_repeat_are_told(
    per_combination: int, axes: list[VariationAxis], templates: list[object], words: str | None
) -> None:
    same_prompts = describe_same_prompts(per_combination, axes, templates)  # pyright: ignore[reportArgumentType]

    assert same_prompts is None if words is None else same_prompts is not None and words in same_prompts
