"""What a record says of why its reply ended counts before its last character."""

import pytest

from tests.support.scans import ScanText
from tests.unit.scan.dialogues import GOOD, make_messages, write_lines

LIMITS = (
    "length",
    "max_tokens",
    "MAX_TOKENS",
    "FinishReason.MAX_TOKENS",
    "model_length",
    "ERROR_LIMIT",
    "maxTokens",
    "out_of_tokens",
)
FILTERS = (
    "content_filter",
    "content-filter",
    "SAFETY",
    "guardrail_intervened",
    "ERROR_TOXIC",
    "RECITATION",
    "MODEL_ARMOR",
    "policy_violation",
)
BREAKS = ("error", "timeout", "USER_CANCEL", "abort", "insufficient_system_resource", "pause_turn", "server_error")
ENDS = (
    "stop",
    "end_turn",
    "STOP",
    "eos_token",
    "stop_sequence",
    "COMPLETE",
    "tool_calls",
    "</s>",
    "\n\n###",
    "unknown",
    "no_error",
    "\nError:",
)


@pytest.mark.parametrize("reason", [*LIMITS, *FILTERS, *BREAKS])
def test_a_reply_that_says_it_was_cut_is_cut_though_it_looks_whole(scan_text: ScanText, reason: str) -> None:
    scanned = scan_text(write_lines(make_messages(GOOD, finish_reason=reason), make_messages(GOOD)))

    assert [(0, 3, "assistant", "unexpected_stop_reason")] == scanned.places
    assert ("truncation", 1) == (scanned.rows[0]["failure_type"], scanned.exit_code)


@pytest.mark.parametrize("reason", ENDS)
def test_a_reply_that_ended_by_itself_passes(scan_text: ScanText, reason: str) -> None:
    assert 0 == scan_text(write_lines(make_messages(GOOD, stop_reason=reason))).exit_code


@pytest.mark.parametrize(
    "members",
    [
        {"metadata": {"finish_reason": "length"}},
        {"response_metadata": {"stop_reason": "max_tokens"}},
        {"details": {"finish_reason": "length", "generated_tokens": 20}},
        {"meta_info": {"finish_reason": {"type": "length", "length": 512}}},
        {"choices": [{"index": 0, "finish_reason": "length"}]},
        {"finish_reasons": ["length"]},
        {"finishReason": "MAX_TOKENS"},
        {"done_reason": "length", "done": True},
        {"completionReason": "LENGTH"},
        {"finish_reason": 2},
        {"finish_reason": "stop", "native_finish_reason": "max_tokens"},
        {"truncated": True},
        {"stopped_limit": True},
        {"truncated": "True"},
        {"FINISH_REASON": "length"},
        {"Finish Reason": "length"},
        {"generation_finish_reason": "length"},
        {"end_reason": "length"},
        {"is_finished": False},
        {"status": "incomplete"},
    ],
    ids=str,
)
def test_it_is_found_wherever_a_record_keeps_it(scan_text: ScanText, members: dict[str, object]) -> None:
    scanned = scan_text(write_lines(make_messages(GOOD, **members)))

    assert ["unexpected_stop_reason"] == [row["pattern"] for row in scanned.rows]


@pytest.mark.parametrize(
    "members",
    [
        {"stop_reason": 2, "finish_reason": "stop"},
        {"finish_reason": None},
        {"finish_reason": 1},
        {"truncated": False},
        {"truncated": "False", "is_complete": "True"},
        {"status": "failed", "category": "length", "reason": "other"},
        {"rejected": {"role": "assistant", "content": "No.", "finish_reason": "length"}},
        {"tools": [{"finish_reason": "length"}]},
        {"generation_config": {"stop_reason": "length"}},
    ],
    ids=str,
)
def test_what_is_said_of_something_else_is_no_sign(scan_text: ScanText, members: dict[str, object]) -> None:
    assert 0 == scan_text(write_lines(make_messages(GOOD, **members))).exit_code


@pytest.mark.parametrize("said", [{"finish_reason": "length"}, {"response_metadata": {"finish_reason": "length"}}], ids=str)
def test_a_message_that_says_it_is_the_one_to_blame(scan_text: ScanText, said: dict[str, object]) -> None:
    record = make_messages(GOOD, finish_reason="stop")
    record["messages"][1] |= said

    assert [(0, 1, "assistant", "unexpected_stop_reason")] == scan_text(write_lines(record)).places


def test_a_list_of_reasons_tells_of_each_answer(scan_text: ScanText) -> None:
    talk = make_messages(GOOD, finish_reasons=["length", "stop"])
    several = {"problem": GOOD[0], "generations": [GOOD[1], GOOD[3]], "answer": "4", "finish_reasons": ["stop", "length"]}

    scanned = scan_text(write_lines(talk, several))

    assert [(0, 1, None), (1, 1, "generations[1]")] == [
        (row["conversation"], row["turn"], row.get("field")) for row in scanned.rows
    ]


def test_a_message_of_an_export_that_was_broken_off_is_cut(scan_text: ScanText) -> None:
    record = make_messages(GOOD)
    record["messages"][3]["status"] = "finished_partial_completion"

    assert [(0, 3, "assistant", "unexpected_stop_reason")] == scan_text(write_lines(record)).places


def test_a_refusal_is_one(scan_text: ScanText) -> None:
    declined = {"role": "assistant", "content": None, "refusal": "I cannot help with that."}
    records = [make_messages(GOOD, stop_reason="refusal"), {"messages": [*make_messages(GOOD[:1])["messages"], declined]}]

    assert ["refusal", "refusal"] == [row["failure_type"] for row in scan_text(write_lines(*records)).rows]
