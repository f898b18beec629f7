"""What is flagged, and with which words."""

import json

import pytest

from tests.support.scans import ScanText
from tests.unit.scan.dialogues import CUT, GOOD, make_api_message, make_messages, make_written, write_lines


def test_a_row_tells_where_and_how(scan_text: ScanText) -> None:
    long = "It goes on and on. " * 10 + "Then it stops at the \\"
    row = scan_text(write_lines(make_messages((GOOD[0], long), id="c1"))).rows[0]

    assert {key: row[key] for key in ("conversation", "turn", "role", "pattern", "confidence")} == {
        "conversation": "c1",
        "turn": 1,
        "role": "assistant",
        "pattern": "lone_backslash",
        "confidence": "high",
    }
    assert long[-80:] == row["tail"]
    assert row["source"].endswith("data")


def test_damaged_text_is_flagged_in_both_roles(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines(make_messages(("First.\\n\\nSecond.", "Dear {{name}}, hello."))))

    assert scanned.places == [(0, 0, "user", "escaped_text"), (0, 1, "assistant", "unfilled_placeholder")]
    assert scanned.summary == {"conversations": 1, "turns": 2, "flagged_turns": 2, "flagged_conversations": 1}


def test_half_a_character_is_flagged(scan_text: ScanText) -> None:
    assert [row["pattern"] for row in scan_text(write_lines(make_messages((GOOD[0], "Nice \ud83d.")))).rows] == [
        "garbled_text"
    ]


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ({"role": "assistant", "content": " \n"}, "empty"),
        ({"role": "assistant", "content": None}, "empty"),
        ({"role": "assistant"}, "empty"),
        ({"role": "narrator", "content": "All is well."}, "validation_error"),
        ({"content": "All is well."}, "validation_error"),
        ({"role": "user", "content": "I said more."}, "validation_error"),
        ({"role": "assistant", "content": 7}, "validation_error"),
        ("All is well.", "validation_error"),
    ],
)
def test_a_broken_turn_is_flagged(scan_text: ScanText, message: object, pattern: str) -> None:
    scanned = scan_text(write_lines({"messages": [{"role": "user", "content": "Hello."}, message]}))

    assert [(1, pattern)] == [(row["turn"], row["pattern"]) for row in scanned.rows]
    assert scanned.exit_code == 1


def test_a_conversation_without_turns_is_flagged(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines({"messages": []}, make_messages(GOOD)))

    assert scanned.places == [(0, None, None, "empty")]


def test_a_data_set_may_begin_and_end_with_any_speaker(scan_text: ScanText) -> None:
    records = [{"messages": [{"role": "assistant", "content": "Hello."}]}, make_messages(GOOD[:1]), make_messages(GOOD[:3])]

    assert scan_text(write_lines(*records)).exit_code == 0


def test_a_whole_reply_passes(scan_text: ScanText) -> None:
    assert scan_text(json.dumps(make_api_message(json.dumps(make_written(GOOD))), indent=1)).exit_code == 0


@pytest.mark.parametrize("indent", [None, 2])
def test_a_cut_reply_is_flagged_in_the_turn_that_is_cut(scan_text: ScanText, indent: int | None) -> None:
    text = json.dumps(make_written(GOOD), indent=indent)
    scanned = scan_text(text[: text.index("one page") + len("one page")])

    assert scanned.places == [(0, 1, "assistant", "parse_error")]
    assert scanned.rows[0]["tail"] == "Let us look at one page"
    assert scanned.summary == {"conversations": 1, "turns": 2, "flagged_turns": 1, "flagged_conversations": 1}


@pytest.mark.parametrize("length", [20, 60, 120])
def test_a_reply_cut_before_its_first_turn_is_flagged(scan_text: ScanText, length: int) -> None:
    scanned = scan_text(json.dumps(make_written(GOOD))[:length])

    assert scanned.places == [(0, None, None, "parse_error")]


def test_every_cut_of_a_reply_is_flagged(scan_text: ScanText) -> None:
    text = json.dumps(make_written(GOOD))

    assert {1} == {scan_text(text[:length]).exit_code for length in range(20, len(text), 7)}


def test_a_reply_that_stopped_early_is_flagged_though_its_text_looks_whole(scan_text: ScanText) -> None:
    text = json.dumps(make_written(GOOD))
    cut = text[: text.index(GOOD[2]) + len(GOOD[2])]
    scanned = scan_text(json.dumps(make_api_message(cut, stop_reason="max_tokens")))

    assert scanned.places == [("msg_01", 2, "user", "unexpected_stop_reason")]


def test_earlier_turns_of_a_cut_reply_are_judged_too(scan_text: ScanText) -> None:
    text = json.dumps(make_written(CUT))
    scanned = scan_text(text[: text.index("doable")])

    assert scanned.places == [(0, 1, "assistant", "lone_backslash"), (0, 2, "user", "parse_error")]


def test_a_cut_envelope_is_flagged(scan_text: ScanText) -> None:
    assert scan_text(json.dumps(make_api_message("{}"))[:90]).places == [(0, None, None, "parse_error")]


@pytest.mark.parametrize(
    ("reply", "pattern"),
    [
        (make_api_message("I cannot.", stop_reason="refusal"), "refusal"),
        (make_api_message("", stop_reason="end_turn"), "empty"),
        (make_api_message('Here is the conversation: {"turns": []}'), "parse_error"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "api_error"),
        (make_written(()), "empty"),
        (make_written(GOOD[:1]), "validation_error"),
        ({"conversation_metadata": {}}, "validation_error"),
    ],
)
def test_a_reply_that_is_no_conversation_is_flagged(scan_text: ScanText, reply: dict[str, object], pattern: str) -> None:
    scanned = scan_text(json.dumps(reply))

    assert [pattern] == [row["pattern"] for row in scanned.rows]
    assert scanned.exit_code == 1
