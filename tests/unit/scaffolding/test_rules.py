"""What keeps a persona, an arc, a topic or a template from being saved."""

from typing import Any

import pytest

from core.domain.scaffolding.records import EmotionalArc, Scaffold, ScaffoldKind, Tier
from core.domain.scaffolding.rules import MOST_CHARACTERS, count_characters, find_key, find_problems, find_required
from core.scaffolding_data import (
    load_emotional_arcs,
    load_personas,
    load_prompt_templates,
    load_training_topics,
    load_variation_axes,
)

PERSONA, ARC, TOPIC = load_personas()[0], load_emotional_arcs()[0], load_training_topics()[0]
TEMPLATE = load_prompt_templates()[0]
AXIS = load_variation_axes()[0]
RECORDS = [PERSONA, ARC, TOPIC, TEMPLATE, AXIS]


@pytest.mark.parametrize("record", RECORDS, ids=find_key)
def test_what_is_shipped_can_be_saved(record: Any) -> None:
    assert find_problems(record) == ()


@pytest.mark.parametrize(("kind", "record"), list(zip(ScaffoldKind, RECORDS, strict=True)), ids=list(ScaffoldKind))
def test_each_required_field_is_missed_where_it_is_empty(kind: ScaffoldKind, record: Any) -> None:
    for field in find_required(kind):
        empty = () if isinstance(getattr(record, field), tuple) else " "
        assert len(find_problems(record.model_copy(update={field: empty}))) == 1, field


@pytest.mark.parametrize("key", ["", "Upper", "with space", "a" * 101, "ä"])
@pytest.mark.parametrize("record", RECORDS, ids=find_key)
def test_key_of_other_characters_is_refused(record: Any, key: str) -> None:
    field = next(name for name in type(record).model_fields if name.endswith("_key"))

    assert find_problems(record.model_copy(update={field: key}))[0].startswith("Key: ")


@pytest.mark.parametrize("record", [PERSONA, ARC, TOPIC], ids=find_key)
def test_texts_are_as_long_as_the_limit_and_no_longer(record: Scaffold) -> None:
    room = MOST_CHARACTERS - count_characters(record)
    full, over = (record.model_copy(update={"name": record.name + "x" * more}) for more in (room, room + 1))

    assert find_problems(full) == ()
    (problem,) = find_problems(over)
    assert f"at most {MOST_CHARACTERS:,} characters, not {MOST_CHARACTERS + 1:,}" in problem


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"starting_intensity_min": -0.01}, "Starting intensity: between 0 and 1"),
        ({"ending_intensity_max": 1.01}, "Ending intensity: between 0 and 1"),
        ({"starting_intensity_min": 0.9, "starting_intensity_max": 0.8}, "lower bound 0.9 is above the upper bound 0.8"),
        ({"typical_turn_count_min": 0}, "Turns: at least 1"),
        ({"typical_turn_count_min": 9, "typical_turn_count_max": 8}, "Turns: the lower bound is above"),
        ({"complexity_baseline": 0}, "Complexity: 1 to 10"),
        ({"complexity_baseline": 11}, "Complexity: 1 to 10"),
        ({"tier": Tier.EDGE_CASE}, "Tier: "),
    ],
)
def test_arc_out_of_its_bounds_is_told_which(changes: dict[str, Any], words: str) -> None:
    changed: EmotionalArc = ARC.model_copy(update=changes)

    (problem,) = find_problems(changed)

    assert words in problem


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((), "1 to 50"),
        (tuple(f"value {number}" for number in range(51)), "1 to 50"),
        (("calm", "x" * 201), "at most 200 characters"),
        (("calm", "tired", "calm"), "only once"),
    ],
)
def test_axis_with_wrong_values_is_told_which(values: tuple[str, ...], words: str) -> None:
    (problem,) = find_problems(AXIS.model_copy(update={"values": values}))

    assert problem.startswith("Values: ")
    assert words in problem


def test_template_that_cannot_be_filled_is_refused() -> None:
    assert find_problems(TEMPLATE.model_copy(update={"user_prompt": "{{ nobody.knows }}"}))
