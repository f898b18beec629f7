import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.domain.verdict.judgement import judge_conversation, judge_reply
from core.domain.verdict.reply import StopReason, TokenUsage
from core.domain.verdict.truncation import detect_truncated_turns
from core.domain.verdict.verdict import Accepted, Confidence, Failed, FailurePattern, FailureType
from tests.evaluation.replies import as_reply, conversation_document
from tests.evaluation.turns import Label, load_corpus

T, P = FailureType, FailurePattern
COMPLETE = [turn.text for turn in load_corpus() if turn.label is Label.COMPLETE]
WHOLE = conversation_document(["I opened the envelope. Now what?", 'Now you say: "One line at a time." We\'ll start there.'])
SENTENCES = st.sampled_from(COMPLETE)


def failed(text: str, stop_reason: str | None = StopReason.END_TURN) -> Failed:
    verdict = judge_reply(as_reply(text, stop_reason))
    assert isinstance(verdict, Failed)
    return verdict


def test_a_whole_reply_is_accepted() -> None:
    verdict = judge_reply(as_reply(WHOLE))

    assert isinstance(verdict, Accepted)
    assert json.loads(WHOLE) == json.loads(verdict.conversation.model_dump_json())


@pytest.mark.parametrize(
    ("stop_reason", "expected"),
    [
        (None, (T.API_ERROR, None)),
        ("max_tokens", (T.TRUNCATION, P.UNEXPECTED_STOP_REASON)),
        ("model_context_window_exceeded", (T.TRUNCATION, P.UNEXPECTED_STOP_REASON)),
        ("stop_sequence", (T.TRUNCATION, P.UNEXPECTED_STOP_REASON)),
        ("tool_use", (T.TRUNCATION, P.UNEXPECTED_STOP_REASON)),
        ("pause_turn", (T.TRUNCATION, P.UNEXPECTED_STOP_REASON)),
        ("compaction", (T.TRUNCATION, P.UNEXPECTED_STOP_REASON)),
        ("", (T.TRUNCATION, P.UNEXPECTED_STOP_REASON)),
        ("refusal", (T.REFUSAL, None)),
    ],
)
@pytest.mark.parametrize("text", [WHOLE, WHOLE[:-40], "", "{}"])
def test_any_stop_but_end_turn_fails_whatever_the_text(
    text: str, stop_reason: str | None, expected: tuple[FailureType, FailurePattern | None]
) -> None:
    verdict = failed(text, stop_reason)

    assert expected == (verdict.failure_type, verdict.pattern)
    assert Confidence.HIGH is verdict.confidence


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (["Why is it so", "Because."], (T.TRUNCATION, P.MID_WORD, 0)),
        (["Why?", "It was the fear of making the \\"], (T.TRUNCATION, P.LONE_BACKSLASH, 1)),
        (["Why?", "Because.", "And it isn't \\", "Right."], (T.TRUNCATION, P.LONE_BACKSLASH, 2)),
        (["Why?", "Because it costs $400"], (T.TRUNCATION, P.NO_PUNCTUATION, 1)),
        (["Why?", "Well.\\n\\nBecause.", "I", "Yes."], (T.TRUNCATION, P.MID_WORD, 2)),
        (["Why?", "Well.\\n\\nBecause."], (T.CORRUPTION, P.ESCAPED_TEXT, 1)),
        (["Why?", "Itâ€™s late."], (T.CORRUPTION, P.GARBLED_TEXT, 1)),
        (["Why, {{name}}?", "Because."], (T.CORRUPTION, P.UNFILLED_PLACEHOLDER, 0)),
        (["Why?", " "], (T.VALIDATION_ERROR, P.EMPTY, 1)),
        (["Why?"], (T.VALIDATION_ERROR, None, 0)),
    ],
)
def test_the_first_failure_of_a_turn_decides(
    contents: list[str], expected: tuple[FailureType, FailurePattern | None, int]
) -> None:
    verdict = failed(conversation_document(contents))

    assert expected == (verdict.failure_type, verdict.pattern, verdict.turn_index)


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_reply_without_text_is_empty(text: str) -> None:
    verdict = failed(text)

    assert (verdict.failure_type, verdict.pattern) == (T.VALIDATION_ERROR, P.EMPTY)


def test_a_reply_cut_by_max_tokens_behind_a_full_stop_says_where() -> None:
    cut = conversation_document(["Why?", "You are tired. And"])
    text = cut[: cut.index(" And")]
    reply = as_reply(text, StopReason.MAX_TOKENS).model_copy(update={"usage": TokenUsage(output_tokens=4096)})

    verdict = judge_reply(reply)

    assert isinstance(verdict, Failed)
    assert verdict.details.startswith("The reply reached max_tokens after 4096 output tokens; turn 2 stops at: ")
    assert verdict.details.endswith("stops at: You are tired. (the end alone would look whole)")
    assert verdict.turn_index == 1


def test_cut_json_that_claude_ended_by_itself_says_where() -> None:
    text = WHOLE[: WHOLE.index(" line at")]

    verdict = failed(text)

    assert T.PARSE_ERROR is verdict.failure_type
    assert 'turn 2 stops at: Now you say: \\"One (pattern of the end: mid_word)' in verdict.details
    assert verdict.turn_index == 1


def test_details_show_the_end_of_the_turn_and_name_the_other_cut_turns() -> None:
    verdict = failed(conversation_document(["Why?", "x " * 200 + "the \\", "I", "Yes."]))

    tail = verdict.details.partition("stops at: ")[2].partition(" - ")[0]
    assert verdict.details.startswith("Turn 2 (assistant) stops at: …")
    assert tail.endswith("x the \\")
    assert len(tail) <= 80
    assert verdict.details.endswith("also cut: turn 3")


def test_a_refusal_carries_its_category() -> None:
    reply = as_reply("", StopReason.REFUSAL).model_copy(
        update={"refusal_category": "frontier_llm", "refusal_explanation": "It could train a model."}
    )

    verdict = judge_reply(reply)

    assert isinstance(verdict, Failed)
    assert verdict.details == "Claude declined (category: frontier_llm): It could train a model."


@given(st.text(), st.none() | st.text() | st.sampled_from(StopReason))
def test_any_reply_gets_a_verdict_and_prose_is_never_accepted(text: str, stop_reason: str | None) -> None:
    assert isinstance(judge_reply(as_reply(text, stop_reason)), Failed)


def test_a_reply_cut_anywhere_is_never_accepted() -> None:
    verdicts = [judge_reply(as_reply(WHOLE[:position])) for position in range(len(WHOLE))]

    assert all(isinstance(verdict, Failed) for verdict in verdicts)


@settings(max_examples=50)
@given(st.lists(SENTENCES, min_size=2, max_size=8), st.data())
def test_a_reply_that_lost_a_piece_is_not_accepted(contents: list[str], data: st.DataObject) -> None:
    document = conversation_document(contents)
    position = data.draw(st.integers(min_value=0, max_value=len(document) - 1))

    assert isinstance(judge_reply(as_reply(document[:position])), Failed)


@settings(max_examples=50)
@given(st.lists(SENTENCES | st.text(max_size=60), min_size=2, max_size=6))
def test_every_turn_of_an_accepted_conversation_passes_the_detector(contents: list[str]) -> None:
    verdict = judge_reply(as_reply(conversation_document(contents)))

    match verdict:
        case Accepted(conversation=conversation):
            assert detect_truncated_turns(conversation.turns) == ()
            assert verdict == judge_conversation(conversation)
            assert contents == [turn.content for turn in conversation.turns]
        case Failed():
            assert verdict == judge_reply(as_reply(conversation_document(contents)))
