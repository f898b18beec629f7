"""Splits: the same every time, stratified, and nothing that belongs together on two sides."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.datasets.splits import (
    Split,
    SplitMember,
    SplitRule,
    assign_splits,
    check_splits,
    describe_empty,
    hold_out,
    parse_split_rule,
)
from core.errors import InvalidRequest


def make_members(*, personas: int = 3, arcs: int = 5, topics: int = 6, variations: int = 1) -> list[SplitMember]:
    grid = [
        (f"persona-{p}", f"arc-{a}", f"topic-{t}", v)
        for p in range(personas)
        for a in range(arcs)
        for t in range(topics)
        for v in range(variations)
    ]
    return [
        SplitMember(position=position, persona=persona, arc=arc, topic=topic, text_hash=f"text-{position}")
        for position, (persona, arc, topic, _) in enumerate(grid)
    ]


def test_a_share_is_of_the_whole_and_of_each_arc() -> None:
    members = make_members()

    assigned = assign_splits(members, SplitRule(validation_share=0.1, test_share=0.2))

    assert {Split.TRAIN: 63, Split.VALIDATION: 9, Split.TEST: 18} == Counter(assigned.values())
    held_back = Counter(each.arc for each in members if assigned[each.position] is not Split.TRAIN)
    assert all(4 <= count <= 7 for count in held_back.values())


def test_small_arcs_do_not_swell_a_share() -> None:
    assigned = assign_splits(make_members(topics=2), SplitRule(validation_share=0.1))

    assert 3 == Counter(assigned.values())[Split.VALIDATION]  # of 30, not one for each of five arcs


@given(st.randoms(use_true_random=False), st.integers(0, 5))
def test_order_does_not_matter_and_the_seed_does(random: object, seed: int) -> None:
    members = make_members()
    shuffled = members.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    rule = SplitRule(validation_share=0.2, seed=seed)

    assert assign_splits(members, rule) == assign_splits(shuffled, rule)
    assert assign_splits(members, rule) != assign_splits(members, rule.model_copy(update={"seed": seed + 1}))


def test_variations_of_a_combination_and_equal_texts_stay_on_one_side() -> None:
    members = make_members(variations=4)
    copies = [each.model_copy(update={"text_hash": f"copy-{each.position % 7}"}) for each in members[:28]]
    members = copies + members[28:]

    assigned = assign_splits(members, SplitRule(validation_share=0.3, test_share=0.1))

    assert {Split.TRAIN, Split.VALIDATION, Split.TEST} == set(assigned.values())
    for shared in check_splits(members, assigned):
        assert (0, 0) == (shared.combinations, shared.texts)


def test_held_out_topics_and_personas_are_the_test_split() -> None:
    members = make_members()
    rule = SplitRule(held_out_topics=frozenset({"topic-1"}), held_out_personas=frozenset({"persona-2"}))

    assigned = assign_splits(members, rule)

    tested = [each for each in members if assigned[each.position] is Split.TEST]
    assert tested == [each for each in members if each.topic == "topic-1" or each.persona == "persona-2"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("validation", "is no split"),
        ("validation=x", "is no split"),
        ("dev=0.1", "is no split"),
        ("validation=1", "less than 1"),
        ("validation=0.6,test=0.5", "leave some"),
        ("test=-0.1", "more than 0"),
        ("test=nan", "more than 0"),
        ("validation=0", "Leave out a split that you do not want"),
        ("train=0.5", "what the others leave"),
        ("train=0.5,validation=0.1", "what the others leave"),
        ("validation=0.1,validation=0.2", "validation split is asked for twice"),
    ],
)
def test_a_split_that_is_none_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        parse_split_rule(text)


@pytest.mark.parametrize("held_out", [{"topics": "topic-1"}, {"personas": "persona-2"}])
def test_what_is_held_out_is_mixed_with_nothing(held_out: dict[str, str]) -> None:
    chosen = {"topics": frozenset[str](), "personas": frozenset[str]()}
    chosen |= {name: frozenset({key}) for name, key in held_out.items()}

    with pytest.raises(InvalidRequest, match="Leave out the share of test"):
        hold_out(SplitRule(test_share=0.1), **chosen)

    rule = hold_out(SplitRule(validation_share=0.1), **chosen)
    assert (0.1, chosen["topics"], chosen["personas"]) == (
        rule.validation_share,
        rule.held_out_topics,
        rule.held_out_personas,
    )
    assert SplitRule(test_share=0.1) == hold_out(SplitRule(test_share=0.1), frozenset(), frozenset())


def tell_empty(members: list[SplitMember], rule: SplitRule) -> tuple[str, ...]:
    return describe_empty(rule, Counter(assign_splits(members, rule).values()))


def test_a_split_that_gets_nothing_is_told_with_the_reason() -> None:
    rule = SplitRule(validation_share=0.2, test_share=0.2)

    rounded = tell_empty(make_members(personas=1, arcs=1, topics=2), rule)
    whole = tell_empty(make_members(personas=1, arcs=1, topics=2, variations=4), rule)
    single = tell_empty(make_members(personas=1, arcs=1, topics=1), SplitRule(validation_share=0.1))

    none = "split got nothing: 20 % of 2 conversations are 0.4, which rounds to none."
    assert (f"The validation {none}", f"The test {none}") == rounded
    assert ["The validation split got nothing", "The test split got nothing"] == [each.split(":")[0] for each in whole]
    assert all("20 % of 8 conversations are 1.6, and nothing as small was left" in each for each in whole)
    assert ("The validation split got nothing: 10 % of 1 conversation is 0.1, which rounds to none.",) == single


def test_nothing_is_told_of_splits_that_were_filled_or_not_asked_for() -> None:
    assert () == tell_empty(make_members(), SplitRule(validation_share=0.1, test_share=0.1))
    assert () == tell_empty(make_members(topics=1, arcs=1), SplitRule())


def test_held_out_conversations_are_no_part_of_what_is_divided() -> None:
    rule = SplitRule(validation_share=0.1, held_out_topics=frozenset({"topic-1"}))

    (told,) = tell_empty(make_members(personas=1, arcs=1, topics=4), rule)

    assert "10 % of 3 conversations are 0.3" in told


def test_shares_are_read() -> None:
    assert SplitRule(validation_share=0.1, test_share=0.2, seed=3) == parse_split_rule("test=0.2, validation=0.1", seed=3)
    assert SplitRule() == parse_split_rule("")
