"""Each format gives the same conversations, whatever the file is called."""

import json

import pytest

from tests.support.scans import ScanText
from tests.unit.scan.dialogues import (
    CUT,
    GOOD,
    make_api_message,
    make_enriched,
    make_full_file,
    make_messages,
    make_pairs,
    make_sharegpt,
    make_written,
    write_lines,
    write_v4_lines,
)

FORMATS = {
    "messages JSONL": write_lines(make_messages(GOOD), make_messages(CUT)),
    "our export": write_lines(
        *({"id": i, "metadata": {"persona": "p"}} | make_messages(t) for i, t in enumerate((GOOD, CUT)))
    ),
    "messages array": json.dumps([make_messages(GOOD), make_messages(CUT)]),
    "indented array": json.dumps([make_messages(GOOD), make_messages(CUT)], indent=2),
    "one record a line in an array": f"[\n{json.dumps(make_messages(GOOD))},\n{json.dumps(make_messages(CUT))}\n]\n",
    "lists of messages": write_lines(make_messages(GOOD)["messages"], make_messages(CUT)["messages"]),
    "ShareGPT JSONL": write_lines(make_sharegpt(GOOD, system="Be kind."), make_sharegpt(CUT)),
    "ShareGPT array": json.dumps([make_sharegpt(GOOD), make_sharegpt(CUT)]),
    "conversations object": json.dumps({"name": "x", "conversations": [make_messages(GOOD), make_messages(CUT)]}),
    "conversation JSON lines": write_lines(make_written(GOOD), make_written(CUT)),
    "conversation JSON array": json.dumps([make_written(GOOD), make_written(CUT)]),
    "API message lines": write_lines(
        *(make_api_message(json.dumps(make_written(texts))) | {"id": None} for texts in (GOOD, CUT))
    ),
    "pairs of several conversations": json.dumps(make_pairs(GOOD, "") + make_pairs(CUT, "")),
    "enriched lines": write_lines(make_enriched(GOOD, ""), make_enriched(CUT, "")),
    "mixed lines": write_lines(make_messages(GOOD), make_sharegpt(CUT)),
}


@pytest.mark.parametrize("content", FORMATS.values(), ids=FORMATS.keys())
def test_every_format_gives_the_same_conversations(scan_text: ScanText, content: str) -> None:
    scanned = scan_text(content)

    assert scanned.summary == {"conversations": 2, "turns": 8, "flagged_turns": 1, "flagged_conversations": 1}
    assert scanned.places == [(1, 1, "assistant", "lone_backslash")]
    assert scanned.exit_code == 1
    assert scanned.errors == ""


SINGLES = {
    "compact conversation": json.dumps(make_written(CUT)),
    "indented conversation": json.dumps(make_written(CUT), indent=2),
    "fenced conversation": f"```json\n{json.dumps(make_written(CUT), indent=2)}\n```\n",
    "indented messages": json.dumps(make_messages(CUT), indent=2),
    "indented ShareGPT": json.dumps(make_sharegpt(CUT), indent=2),
    "one line": write_lines(make_messages(CUT)),
    "list of messages": json.dumps(make_messages(CUT)["messages"], indent=2),
    "with a byte order mark": "\ufeff" + write_lines(make_messages(CUT)),
}


@pytest.mark.parametrize("content", SINGLES.values(), ids=SINGLES.keys())
def test_a_file_may_be_one_conversation(scan_text: ScanText, content: str) -> None:
    scanned = scan_text(content)

    assert scanned.places == [(0, 1, "assistant", "lone_backslash")]
    assert scanned.summary["turns"] == 4
    assert scanned.exit_code == 1


def test_an_enriched_file_is_one_conversation(scan_text: ScanText) -> None:
    scanned = scan_text(json.dumps(make_enriched(CUT), indent=2))

    assert scanned.summary == {"conversations": 1, "turns": 4, "flagged_turns": 1, "flagged_conversations": 1}
    assert scanned.places == [("category", 1, "assistant", "lone_backslash")]


def test_a_full_file_names_its_conversations(scan_text: ScanText) -> None:
    scanned = scan_text(json.dumps(make_full_file(GOOD, CUT, GOOD)))

    assert scanned.summary == {"conversations": 3, "turns": 12, "flagged_turns": 1, "flagged_conversations": 1}
    assert scanned.places == [("conv-1", 1, "assistant", "lone_backslash")]


def test_training_lines_count_each_turn_once(scan_text: ScanText) -> None:
    other = ("May I ask about rent?", *GOOD[1:])
    scanned = scan_text(write_v4_lines(CUT, other))

    assert scanned.summary == {"conversations": 2, "turns": 8, "flagged_turns": 1, "flagged_conversations": 1}
    assert scanned.places == [("category", 1, "assistant", "lone_backslash")]


def test_training_lines_tell_conversations_with_one_beginning_apart(scan_text: ScanText) -> None:
    scanned = scan_text(write_v4_lines(GOOD, CUT))

    assert scanned.summary == {"conversations": 2, "turns": 8, "flagged_turns": 1, "flagged_conversations": 1}


@pytest.mark.parametrize("order", [(3, 0, 2, 1), (1, 3, 0, 2), (3, 2, 1, 0)])
def test_shuffled_training_lines_count_each_turn_once(scan_text: ScanText, order: tuple[int, ...]) -> None:
    pairs = make_pairs((*GOOD[:3], "And then the"), "a", user_turns=False) + make_pairs(CUT, "b", user_turns=False)
    scanned = scan_text(write_lines(*(pairs[index] for index in order)))

    assert scanned.summary == {"conversations": 2, "turns": 8, "flagged_turns": 2, "flagged_conversations": 2}
    assert sorted(scanned.places) == [("a", 3, "assistant", "mid_word"), ("b", 1, "assistant", "lone_backslash")]


def test_a_cut_user_turn_in_a_history_is_flagged_once(scan_text: ScanText) -> None:
    scanned = scan_text(write_v4_lines(("I feel like a \\", *GOOD[1:])))

    assert scanned.places == [("category", 0, "user", "lone_backslash")]


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"id": "a"}, "a"),
        ({"id": 7}, 7),
        ({"conversation_id": "c"}, "c"),
        ({"metadata": {"id": "m"}}, "m"),
        ({"id": None}, 0),
    ],
)
def test_a_conversation_has_the_id_of_its_record(scan_text: ScanText, members: dict[str, object], expected: object) -> None:
    assert expected == scan_text(write_lines(make_messages(CUT, **members))).rows[0]["conversation"]


def test_system_messages_are_neither_judged_nor_counted(scan_text: ScanText) -> None:
    record = make_messages(CUT)
    record["messages"].insert(0, {"role": "system", "content": "You are a coach, and you"})
    scanned = scan_text(write_lines(record))

    assert scanned.places == [(0, 1, "assistant", "lone_backslash")]
    assert scanned.summary["turns"] == 4


def test_text_blocks_are_one_text(scan_text: ScanText) -> None:
    record = make_messages(GOOD)
    record["messages"][1]["content"] = [{"type": "text", "text": "It is "}, {"type": "text", "text": "fine, and"}]

    assert [row["tail"] for row in scan_text(write_lines(record)).rows] == ["It is fine, and"]
