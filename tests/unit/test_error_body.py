"""What an error body says, in whichever form and however deep it is wrapped."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.adapters.claude.error_body import find_error_words, find_nested_words, read_error_words

OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


@pytest.mark.parametrize(
    ("body", "said", "error_type"),
    [
        (OVERLOADED, "Overloaded", "overloaded_error"),
        ({"error": "No."}, "No.", None),
        ({"error": "No.", "message": "Never."}, "No.. Never.", None),
        ({"error": True, "detail": "No."}, "No.", None),
        ({"error": True, "at": 5}, '{"at": 5}', None),
        ({"error": ["a", "b"]}, "a. b", None),
        ({"error": [None, {"message": "a"}]}, "a", None),
        ({"error": [[]]}, "{}", None),
        ({"error": {"error": {"type": "x_error", "message": "a"}}}, "a", "x_error"),
        ({"error": {"field": ["is odd"]}}, '{"field": ["is odd"]}', None),
        ({"errors": {"message": "a"}}, "a", None),
        ({"fault": {"faultstring": "a"}}, "a", None),
        ({"msg": "a"}, "a", None),
        ({"detail": [{"msg": "a", "loc": ["b"]}]}, "a", None),
        ({"detail": {"error": {"type": "x_error", "message": "a"}}}, "a", "x_error"),
        ([OVERLOADED], "Overloaded", "overloaded_error"),
    ],
)
def test_words_are_found_in_each_form(body: object, said: str, error_type: str | None) -> None:
    words = read_error_words(body)

    assert words is not None
    assert (said, error_type) == (words.message, words.error_type)


@pytest.mark.parametrize(
    "body",
    [None, 5, "a", [], {}, {"type": "message"}, {"error": None, "errors": [], "fault": {}, "message": ""}, {"content": []}],
)
def test_what_says_nothing_of_an_error_is_none(body: object) -> None:
    assert read_error_words(body) is None


@pytest.mark.parametrize(
    "text",
    [
        f"event: error\ndata: {json.dumps(OVERLOADED)}\n\n",
        f'event: ping\ndata: {{"type": "ping"}}\n\nevent: error\ndata: {json.dumps(OVERLOADED)}\n\n',
        'data: {"type": "content_block_delta"}\n\n' * 500 + f"event: error\ndata: {json.dumps(OVERLOADED)}\n\n",
        f"litellm.InternalServerError: AnthropicException - {json.dumps(OVERLOADED)}. Fallbacks=None",
        f"AnthropicException - b'{json.dumps(OVERLOADED)}'",
        f"Error code: 529 - {OVERLOADED!r} (again)",
        "x - " + json.dumps({"error": {"message": f"y - {json.dumps(OVERLOADED)}", "code": "500"}}),
        json.dumps(OVERLOADED["error"]),
    ],
)
def test_error_within_text_is_found(text: str) -> None:
    words = find_error_words(text)

    assert words is not None
    assert ("Overloaded", "overloaded_error") == (words.message, words.error_type)


@pytest.mark.parametrize(
    "text",
    [
        "No { braces } here",
        'event: message_start\ndata: {"type": "message_start", "message": {"content": []}}\n\n',
        'messages.0.content: expected {"message": "text"}',
        "{'type': " + "[" * 30_000,
        "{'" + "x" * 30_000,
        "{" * 100_000,
    ],
)
def test_text_that_quotes_no_error_has_none(text: str) -> None:
    assert find_error_words(text) is None


def test_quoting_proxy_keeps_what_the_quoted_error_does_not_say() -> None:
    words = read_error_words({"error": {"message": 'x: {"error": "No."}', "type": "auth_error", "code": "401"}})

    assert words is not None
    assert ("No.", "auth_error", 401) == (words.message, words.error_type, words.status)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"message": "a", "code": 429}, 429),
        ({"error": {"message": "a", "code": "502"}}, 502),
        ({"error": "a", "status": 503}, 503),
        ({"message": "a", "code": 200}, None),
        ({"message": "a", "code": 1001}, None),
        ({"message": "a", "code": True}, None),
        ({"message": "a", "code": "٤٢٩"}, None),
    ],
)
def test_status_that_a_body_gives_is_one_of_an_error(body: object, status: int | None) -> None:
    words = read_error_words(body)

    assert words is not None
    assert status == words.status


def test_page_as_a_message_is_told_in_a_few_words_and_known_as_one() -> None:
    words = read_error_words({"error": {"message": "Error: <html><title>No</title><p>Never</p>", "type": "<b>x</b>"}})

    assert words is not None
    assert ("Error: an HTML page (No)", "HTML (x)") == (words.message, words.error_type)
    assert "Never" in (words.page or "")


def test_words_within_an_error_are_found_and_those_of_a_request_are_not() -> None:
    body = {
        "error": {"message": "outer", "metadata": {"raw": json.dumps(OVERLOADED)}, "innererror": {"message": "inner"}},
        "cause": "cause",
        "request": {"message": "asked"},
        "input": {"error": "typed in"},
        "id": "req_1",
    }

    assert [words.message for words in find_nested_words(body)] == ["outer", "Overloaded", "inner", "cause"]


def test_nothing_nested_is_endless() -> None:
    deep: object = {"message": "deep"}
    for _ in range(50):
        deep = {"error": deep}

    assert list(find_nested_words(deep)) == []
    assert len(list(find_nested_words({"error": [{"errors": ["x"] * 20}] * 20}))) == 50


def wrapped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    names = st.sampled_from(["error", "errors", "message", "type", "detail", "code", "x"])
    quoted = st.one_of(inner.map(json.dumps), inner.map(repr)).map(lambda text: f"x - {text}")
    return st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3), quoted)


@given(st.recursive(st.sampled_from([None, True, 0, "a", "error", "x_error", "{", "<b>"]), wrapped, max_leaves=12))
def test_no_wrapping_is_endless(value: object) -> None:
    words = read_error_words(value)

    assert words is None or "<" not in words.message or "<" in json.dumps(value)
