import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from core.domain.verdict.conversation import Conversation, ConversationMetadata, EmotionalContext, Turn
from core.domain.verdict.parsing import ParseProblem, conversation_json_schema, parse_conversation
from core.domain.verdict.verdict import FailurePattern, FailureType
from tests.evaluation.replies import conversation_document

QUESTION = "How do I start?"
ANSWER = "With one envelope."
WHOLE = conversation_document([QUESTION, ANSWER, "And then?", "Then the next one."])


def problem_with(text: str) -> ParseProblem:
    parsed = parse_conversation(text)
    assert isinstance(parsed, ParseProblem)
    return parsed


def changed(path: list[str | int], value: object) -> str:
    """The JSON of a good conversation with one place set to a value."""
    document: Any = json.loads(WHOLE)
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        f"\n  {WHOLE}\n",
        json.dumps(json.loads(WHOLE), indent=2),
        f"```json\n{WHOLE}\n```",
        f"```\n{WHOLE}\n```\n",
        f"````json\n{WHOLE}\n````",
        f"```json\n{WHOLE}\n`````",
        f"~~~ JSON \r\n{WHOLE}\r\n~~~",
        f"```{WHOLE}```",
        f"```json {WHOLE}\n```",
        f"```json\n{WHOLE}```",
        f"\u00a0```json\u00a0\n{WHOLE}\n```\u00a0",
        f"\ufeff\u200b```\n\u00a0{WHOLE}\n```",
    ],
)
def test_a_conversation_is_read_with_or_without_one_fence(text: str) -> None:
    parsed = parse_conversation(text)

    assert isinstance(parsed, Conversation)
    assert [turn.content for turn in parsed.turns[:2]] == [QUESTION, ANSWER]


@pytest.mark.parametrize("turns", [["Why?", "Because."], ["Why?", "Because.", "Oh!"]])
def test_a_conversation_may_end_on_the_users_turn(turns: list[str]) -> None:
    parsed = parse_conversation(conversation_document(turns))

    assert isinstance(parsed, Conversation)
    assert turns == [turn.content for turn in parsed.turns]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Sorry, I cannot.",
        WHOLE[:-1],
        WHOLE + "}",
        WHOLE + "\nI hope this helps!",
        f"Here you are:\n```json\n{WHOLE}\n```",
        f"```json\n{WHOLE}",
        f"```json\n```json\n{WHOLE}\n```\n```",
        f"````json\n{WHOLE}\n```",
        f"```json\n{WHOLE}\n~~~",
        f"`{WHOLE}`",
        f"```json of the talk\n{WHOLE}\n```",
        "`" * 200_000,
        "\ufeff" + WHOLE,
        WHOLE.replace('"', "'"),
        WHOLE.replace("0.5", "NaN"),
        WHOLE.replace("0.5", "-Infinity"),
        WHOLE.replace("0.5", "1e999"),
        WHOLE.replace("0.5", "1" * 5000),
        WHOLE.replace('"turns":', '"turns": [], "turns":'),
        WHOLE.replace("one envelope", "one\nenvelope"),
        WHOLE.replace("one envelope", "one\x00envelope"),
        "[" * 200_000,
        '{"turns":' * 200_000,
    ],
)
def test_what_is_not_exactly_json_is_a_parse_error(text: str) -> None:
    assert FailureType.PARSE_ERROR is problem_with(text).failure_type


@pytest.mark.parametrize(
    ("text", "turn_index", "words"),
    [
        ("[]", None, "The reply"),
        ('"text"', None, "The reply"),
        ("{}", None, "conversation_metadata"),
        (changed(["turns"], {}), None, "turns"),
        (changed(["turns"], []), None, "no turns"),
        (conversation_document([QUESTION]), 0, "never answers"),
        (changed(["turns", 1, "role"], "system"), 1, "turn 2.role"),
        (changed(["turns", 1, "role"], "user"), 1, "alternate"),
        (changed(["turns", 0, "role"], "assistant"), 0, "alternate"),
        (changed(["turns", 2, "turn_number"], 7), 2, "numbered 7"),
        (changed(["turns", 2, "turn_number"], "3"), 2, "turn 3.turn_number"),
        (changed(["turns", 0, "turn_number"], 1.0), 0, "turn 1.turn_number"),
        (changed(["turns", 0, "turn_number"], value=True), 0, "turn 1.turn_number"),
        (changed(["turns", 3, "content"], " \n\u200b"), 3, "blank"),
        (changed(["turns", 3, "content"], None), 3, "turn 4.content"),
        (changed(["turns", 3, "content"], ["Then."]), 3, "turn 4.content"),
        (changed(["turns", 1, "emotional_context", "intensity"], 1.01), 1, "intensity"),
        (changed(["turns", 1, "emotional_context", "intensity"], -0.1), 1, "intensity"),
        (changed(["turns", 1, "emotional_context", "intensity"], "high"), 1, "intensity"),
        (changed(["turns", 1, "emotional_context"], None), 1, "emotional_context"),
        (changed(["turns", 1, "content"], "Half a \ud83d pair."), 1, "U+D83D"),
        (changed(["turns", 1, "content"], "A \x00 in it."), 1, "U+0000"),
        (changed(["conversation_metadata", "client_persona"], "Da\x00na"), None, "U+0000"),
        (changed(["conversation_metadata", "client_persona"], 5), None, "client_persona"),
        (changed(["\x00key"], "ignored field"), None, "U+0000"),
    ],
)
def test_json_that_is_no_usable_conversation_is_a_validation_error(text: str, turn_index: int | None, words: str) -> None:
    problem = problem_with(text)

    assert FailureType.VALIDATION_ERROR is problem.failure_type
    assert turn_index == problem.turn_index
    assert words in problem.message


@pytest.mark.parametrize("text", [changed(["turns"], []), changed(["turns", 1, "content"], "")])
def test_a_conversation_without_content_has_the_pattern_of_emptiness(text: str) -> None:
    assert FailurePattern.EMPTY is problem_with(text).pattern


@pytest.mark.parametrize("intensity", [0, 1, 0.0, 1.0, 0.73])
def test_intensity_includes_its_bounds(intensity: float) -> None:
    assert isinstance(parse_conversation(changed(["turns", 0, "emotional_context", "intensity"], intensity)), Conversation)


def test_an_emoji_written_as_a_surrogate_pair_is_text() -> None:
    assert isinstance(parse_conversation(changed(["turns", 1, "content"], "Done 🎉")), Conversation)


def test_fields_that_nobody_asked_for_are_ignored() -> None:
    assert isinstance(parse_conversation(changed(["title"], "Envelopes")), Conversation)


@given(st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_any_text_gives_a_value(text: str) -> None:
    assert isinstance(parse_conversation(text), ParseProblem)


def test_a_conversation_cut_anywhere_is_not_json() -> None:
    failures = {problem_with(WHOLE[:position]).failure_type for position in range(len(WHOLE))}

    assert failures == {FailureType.PARSE_ERROR}


def test_the_schema_names_every_field_and_uses_only_what_the_api_compiles() -> None:
    schema = conversation_json_schema()

    assert_matches(schema, Conversation)
    assert_matches(schema["properties"]["conversation_metadata"], ConversationMetadata)
    assert_matches(schema["properties"]["turns"]["items"], Turn)
    emotion = schema["properties"]["turns"]["items"]["properties"]["emotional_context"]
    assert_matches(emotion, EmotionalContext)
    assert emotion["properties"]["secondary_emotion"] == {"anyOf": [{"type": "string"}, {"type": "null"}]}
    assert {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum"} >= keywords(schema)


def assert_matches(schema: dict[str, Any], record: type[BaseModel]) -> None:
    assert list(record.model_fields) == list(schema["properties"]) == schema["required"]
    assert schema["additionalProperties"] is False


def keywords(schema: dict[str, Any]) -> set[str]:
    children = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    children += [schema["items"]] if "items" in schema else []
    return set(schema).union(*(keywords(child) for child in children))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 50_000, "nested more than 64 levels deep"),
        ('{"turns": ' + "[" * 65 + "]" * 65 + "}", "nested more than 64 levels deep"),
        ("[" + "0," * 250_000 + "0]", "more than 250,000 values"),
        ("{" + ",".join(f'"{number}":0' for number in range(90_000)) + ',"89999":0}', "the key '89999' stands twice"),
        ('{"' + "k" * 10_000 + '":0,"' + "k" * 10_000 + '":0}', "stands twice"),
        ('{"turns": [' + "0," * 50_000 + "0]}", "There are more than 50,000 turns"),
    ],
)
def test_text_that_would_cost_too_much_is_no_conversation(text: str, words: str) -> None:
    problem = parse_conversation(text)

    assert isinstance(problem, ParseProblem)
    assert words in problem.message
    assert len(problem.message) < 500
