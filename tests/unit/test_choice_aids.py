"""What helps to choose: presets, hints, and estimates with their range."""

from dataclasses import replace
from uuid import uuid4

import pytest

from core.domain.batches.estimate import GenerationHistory, estimate_batch, estimate_tokens
from core.domain.scaffolding.compatibility import find_hints
from core.domain.scaffolding.records import ConversationCategory, EmotionalArc
from core.services.choice_links import decode_choices
from core.services.presets import build_presets
from core.services.scaffolding import Choices, ScaffoldingService, find_left_out_arcs, pick_arcs
from tests.factories import make_scaffolding, make_settings

CHOICES = ScaffoldingService(store=make_scaffolding()).list_choices()
EMPTY = Choices(personas=(), arcs=(), topics=(), offered_templates=())


def find(rows: tuple, key: str) -> object:
    return next(row for row in rows if key in row.model_dump().values())


def make_history(**changes: object) -> GenerationHistory:
    values = {"model": "m", "simulated": False, "items": 100, "cost_usd": 50.0, "duration_seconds": 4000.0}
    deviations = {"cost_deviation_usd": 0.1, "duration_deviation_seconds": 10.0, "characters_per_token": 3.5}
    return GenerationHistory.model_validate(values | deviations | changes)


def test_an_arc_has_another_template_where_two_are_offered_for_it() -> None:
    first, second, *_ = CHOICES.offered_templates
    more = replace(CHOICES, offered_templates=(*CHOICES.offered_templates, first.model_copy(update={"id": uuid4()})))

    assert not CHOICES.has_other_template()
    assert more.has_other_template()
    assert more.has_other_template(template_id=first.id)
    assert not more.has_other_template(arc_id=second.emotional_arc_id)
    assert not more.has_other_template(template_id=second.id)
    assert CHOICES.has_other_template(template_id=uuid4()), "one that is offered no more has a successor"


def test_the_whole_data_set_is_ninety_core_and_ten_edge_conversations() -> None:
    whole = build_presets(CHOICES)[0]

    assert [(s.category, s.planned) for s in whole.selections] == [
        (ConversationCategory.CORE, 90),
        (ConversationCategory.EDGE, 10),
    ]
    assert whole.name == (
        "Whole data set: core 3 personas × 5 arcs × 6 topics = 90, edge 10 of 3 personas × 3 arcs × 20 topics = 180"
    )


def test_a_preset_takes_and_names_a_fourth_persona() -> None:
    fourth = CHOICES.personas[0].model_copy(update={"id": uuid4(), "persona_key": "fourth", "name": "Zoe"})
    whole, trial, *_ = build_presets(replace(CHOICES, personas=(*CHOICES.personas, fourth)))

    assert all(fourth.id in selection.persona_ids for selection in whole.selections)
    assert "core 4 personas × 5 arcs × 6 topics = 120" in whole.name
    assert CHOICES.personas[0].name in trial.name


def test_the_trial_is_two_conversations_and_the_others_are_everything() -> None:
    _, *others = build_presets(CHOICES)

    assert [preset.selections[0].planned for preset in others] == [2, 300, 180]


def without_first_arc() -> tuple[Choices, EmotionalArc]:
    """What somebody is offered who has no template for the first core arc."""
    arc = CHOICES.arcs_of(ConversationCategory.CORE)[0]
    offered = tuple(each for each in CHOICES.offered_templates if each.emotional_arc_id != arc.id)
    return replace(CHOICES, offered_templates=offered), arc


def test_presets_and_all_leave_out_an_arc_without_a_template_that_is_offered() -> None:
    choices, arc = without_first_arc()

    for preset in build_presets(choices):
        assert all(arc.id not in selection.arc_ids for selection in preset.selections)
    assert arc not in pick_arcs(choices, ConversationCategory.CORE, "all")
    assert find_left_out_arcs(choices, ConversationCategory.CORE, "All ") == (arc,)


def test_an_arc_that_is_named_is_not_left_out() -> None:
    choices, arc = without_first_arc()

    assert pick_arcs(choices, ConversationCategory.CORE, arc.arc_key) == (arc,)
    assert find_left_out_arcs(choices, ConversationCategory.CORE, arc.arc_key) == ()


def test_all_arcs_are_asked_for_where_none_has_a_template_so_that_they_are_named() -> None:
    choices = replace(CHOICES, offered_templates=())

    assert pick_arcs(choices, ConversationCategory.CORE, "all") == CHOICES.arcs_of(ConversationCategory.CORE)
    assert find_left_out_arcs(choices, ConversationCategory.CORE, "all") == ()


def test_a_link_to_an_arc_without_a_template_says_so() -> None:
    choices, arc = without_first_arc()

    linked = decode_choices(choices, {"arcs": arc.arc_key}, make_settings())

    assert linked.selection.arc_ids == ()
    assert linked.problems == (f"arcs: {arc.arc_key} (unknown, inactive, or without a template for you).",)
    assert arc.id not in decode_choices(choices, {"arcs": "all"}, make_settings()).selection.arc_ids


def test_an_empty_scaffolding_has_no_presets() -> None:
    assert build_presets(EMPTY) == ()


def test_a_hint_names_the_personas_and_topics_that_an_arc_does_not() -> None:
    arc, david = find(CHOICES.arcs, "shame_to_acceptance"), find(CHOICES.personas, "pragmatic_optimist")
    topics = CHOICES.topics

    (hint,) = find_hints([arc], CHOICES.personas, topics)

    assert hint.personas == (david,)
    assert {topic.topic_key for topic in hint.topics}.isdisjoint(arc.suitable_topics)


def test_an_arc_that_names_no_topics_suits_all() -> None:
    arc = find(CHOICES.arcs, "crisis_to_referral")

    assert find_hints([arc], CHOICES.personas, CHOICES.topics) == ()


def test_the_range_is_around_the_estimate_and_narrower_for_larger_batches() -> None:
    small = estimate_batch(10, concurrency=2, history=make_history())
    large = estimate_batch(1000, concurrency=2, history=make_history())
    assert small.cost_usd_range is not None
    assert large.cost_usd_range is not None
    assert small.cost_usd == pytest.approx(5.0)
    assert small.cost_usd_range.low < small.cost_usd < small.cost_usd_range.high

    def share(estimate: object) -> float:
        return (estimate.cost_usd_range.high - estimate.cost_usd) / estimate.cost_usd

    assert share(large) < share(small)


def test_a_range_is_never_below_zero_and_there_is_none_without_a_history() -> None:
    wild = estimate_batch(1, concurrency=1, history=make_history(cost_deviation_usd=9.0, duration_deviation_seconds=900.0))
    assert wild.cost_usd_range is not None
    assert wild.seconds_range is not None
    assert (wild.cost_usd_range.low, wild.seconds_range.low) == (0.0, 0.0)

    assert estimate_batch(10, concurrency=1).cost_usd_range is None
    assert estimate_batch(10, concurrency=1, history=make_history(items=19)).seconds_range is None


def test_tokens_are_estimated_by_history_else_by_four_characters_each() -> None:
    assert estimate_tokens(7000, make_history()) == 2000
    assert estimate_tokens(8000, None) == 2000
