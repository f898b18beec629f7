import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.diagnosis.fingerprint import (
    KEY_LENGTH,
    LastToken,
    describe_tail,
    fingerprint_failure,
    label_fingerprint,
    normalise_message,
)
from core.domain.verdict.verdict import FailureType
from tests.factories import TURNS, make_conversation_json


def fingerprint(reply: str | None = None, **changes: object) -> str:
    values: dict[str, object] = {
        "failure_type": "truncation",
        "pattern": "lone_backslash",
        "stop_reason": "end_turn",
        "reply_text": reply,
        "turn_index": 3,
        "message": None,
    }
    return fingerprint_failure(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the fear of making the \\", LastToken.BACKSLASH),
        ('it is not \\"', LastToken.ESCAPED_QUOTE),
        ("one line\\n", LastToken.LITERAL_ESCAPE),
        ('You can say "', LastToken.OPENING_QUOTE),
        ('You can say "yes"', LastToken.CLOSING_QUOTE),
        ("the rate (", LastToken.OPENING_BRACKET),
        ("All of it.", LastToken.SENTENCE_END),
        ("first,", LastToken.COMMA),
        ("as follows:", LastToken.COLON),
        ("about 4", LastToken.NUMBER),
        ("some mid", LastToken.WORD),
        ("", LastToken.NOTHING),
    ],
)
def test_last_token(text: str, expected: LastToken) -> None:
    assert describe_tail(text).last is expected


def test_open_quotation_and_brackets_count_in_the_last_paragraph_only() -> None:
    shape = describe_tail('An open ( and an open "\n\nThen (he said [that "it')

    assert (shape.in_quotation, shape.bracket_depth) == (True, 2)
    assert describe_tail('An open ( and "\n\nThen it').bracket_depth == 0


def test_failures_that_end_alike_have_one_key_whatever_they_say() -> None:
    first = make_conversation_json((*TURNS[:3], "What you are really telling me is \\"))
    second = make_conversation_json((*TURNS[:3], "It isn't \\"))

    assert fingerprint(first) == fingerprint(second) == "truncation|end_turn|backslash"
    assert label_fingerprint(fingerprint(first)).startswith("Text ends at a lone backslash")


def test_place_of_a_limit_counts_but_not_the_word_it_fell_on() -> None:
    cut = json.dumps({"turns": [{"role": "user", "content": "I felt"}]})

    assert fingerprint(cut[:-20], stop_reason="max_tokens", turn_index=0) == "truncation|max_tokens|in_text"
    assert fingerprint(cut, stop_reason="max_tokens", turn_index=None) == "truncation|max_tokens|between_texts"


def test_messages_differ_only_in_kind() -> None:
    messages = [
        f"Overloaded (request req_{n}a) after {n} attempts, see https://example.com/{n}: '{n} items' at \"{n}\""
        for n in (1, 27)
    ]
    keys = {fingerprint(failure_type="api_error", pattern=None, stop_reason=None, message=message) for message in messages}

    assert len(keys) == 1
    assert "req_" not in keys.pop()
    assert normalise_message("it doesn't fit, isn't it") == "it doesn't fit, isn't it"


@given(st.text(), st.text(), st.sampled_from(list(FailureType)))
def test_any_failure_has_a_key_that_fits_its_column_and_a_label(reply: str, message: str, failure_type: FailureType) -> None:
    key = fingerprint(reply, failure_type=failure_type, message=message)

    assert 0 < len(key) <= KEY_LENGTH
    assert label_fingerprint(key)
