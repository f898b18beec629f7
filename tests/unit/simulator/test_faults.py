"""The fault specification, and which fault a request draws."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.embedded.simulator.faults import (
    FaultKind,
    FaultRule,
    FaultSpecError,
    draw_fault,
    hash_to_unit_interval,
    parse_fault_spec,
)


def test_terms_scopes_and_rates_are_read() -> None:
    rules = parse_fault_spec(" cut_string@shame_to_acceptance+long_prompt=0.25, max_tokens=0.03 ,")

    assert rules == (
        FaultRule(kind=FaultKind.CUT_STRING, scopes=frozenset({"shame_to_acceptance", "long_prompt"}), rate=0.25),
        FaultRule(kind=FaultKind.MAX_TOKENS, rate=0.03),
    )


def test_blank_text_means_no_faults() -> None:
    assert parse_fault_spec("  ") == ()


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("typhoon=0.1", "Unknown fault kind 'typhoon'"),
        ("overloaded", "has no rate"),
        ("overloaded=often", "number from 0 to 1"),
        ("overloaded=1.5", "number from 0 to 1"),
        ("overloaded=-0.1", "number from 0 to 1"),
        ("overloaded=nan", "number from 0 to 1"),
        ("overloaded@=0.1", "wrong scope"),
        ("overloaded@a++b=0.1", "wrong scope"),
        ("=0.1", "Unknown fault kind ''"),
    ],
)
def test_a_wrong_specification_says_what_is_wrong(spec: str, complaint: str) -> None:
    with pytest.raises(FaultSpecError, match=complaint):
        parse_fault_spec(spec)


@given(st.text(alphabet="abc_@=+,.01 ", max_size=40))
def test_any_text_is_read_or_refused_clearly(text: str) -> None:
    try:
        rules = parse_fault_spec(text)
    except FaultSpecError:
        return
    assert all(0 <= rule.rate <= 1 for rule in rules)


def test_all_scopes_of_a_rule_must_match() -> None:
    rules = parse_fault_spec("refusal@anxious_planner+structured=1")

    assert draw_fault(rules, frozenset({"anxious_planner"}), 0.0) is None
    assert draw_fault(rules, frozenset({"anxious_planner", "structured", "more"}), 0.99) is FaultKind.REFUSAL


def test_matching_rates_are_laid_end_to_end() -> None:
    rules = parse_fault_spec("refusal=0.2,overloaded@somewhere_else=0.5,empty=0.3")

    assert draw_fault(rules, frozenset(), 0.19) is FaultKind.REFUSAL
    assert draw_fault(rules, frozenset(), 0.2) is FaultKind.EMPTY
    assert draw_fault(rules, frozenset(), 0.5) is None


@given(st.text(), st.integers())
def test_a_hash_lies_in_the_unit_interval_and_repeats(text: str, number: int) -> None:
    assert 0 <= hash_to_unit_interval(text, number) < 1
    assert hash_to_unit_interval(text, number) == hash_to_unit_interval(text, number)


def test_rates_are_met_over_many_requests() -> None:
    rules = parse_fault_spec("refusal=0.25,max_tokens=0.1")
    drawn = Counter(draw_fault(rules, frozenset(), hash_to_unit_interval("seed", number)) for number in range(4_000))

    assert 900 <= drawn[FaultKind.REFUSAL] <= 1_100
    assert 330 <= drawn[FaultKind.MAX_TOKENS] <= 470
