"""Foreign JSON is measured before it is parsed."""

import json
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.verdict.bounded_json import ExcessiveJson, find_excess, parse_json
from core.domain.verdict.cut_place import locate_cut
from core.domain.verdict.limits import DEEPEST, LARGEST_RECORD, MOST_VALUES

TRICKY = st.text(alphabet='"\\[]{},: \n\tab' + string.digits, max_size=200)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TRICKY,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TRICKY, inner, max_size=4),
    max_leaves=30,
)


def wrap(value: Any, levels: int) -> Any:
    for level in range(levels):
        value = [value] if level % 2 else {'"[{': value}
    return value


def measure_depth(value: object) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(measure_depth, inner), default=0)


@given(VALUES, st.integers(0, DEEPEST + 5))
@settings(deadline=None)
def test_depth_is_measured_outside_of_strings(value: object, levels: int) -> None:
    whole = wrap(value, levels)
    text = json.dumps(whole)

    if measure_depth(whole) <= DEEPEST:
        assert whole == parse_json(text)
    else:
        with pytest.raises(ExcessiveJson, match="nested more than"):
            parse_json(text)


@given(TRICKY)
@settings(deadline=None)
def test_marks_in_strings_are_no_values(text: str) -> None:
    assert find_excess(json.dumps([text + "[," * MOST_VALUES])) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" + "0," * MOST_VALUES + "0]", "values"),
        ("[" + "[]," * MOST_VALUES + "0]", "values"),
        ("{" + '"":0,' * MOST_VALUES + '"":0}', "values"),
        ("[" * 10**6, "values"),
        ("[" * (DEEPEST + 1), "nested"),
        ("x" * (LARGEST_RECORD + 1), "larger than 4 MB"),
    ],
)
def test_too_much_is_named(text: str, words: str) -> None:
    with pytest.raises(ExcessiveJson, match=words):
        parse_json(text)


def test_the_place_of_a_cut_is_found_in_nested_text_too() -> None:
    reply = '{"turns":[' + '{"a":' * 100_000

    assert len(reply) == locate_cut(reply, 0).offset
