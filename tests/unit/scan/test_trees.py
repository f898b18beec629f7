"""Messages that name their parents or their conversation, one for each record."""

import json
from typing import Any

import pytest

from tests.support.scans import ScanText
from tests.unit.scan.dialogues import write_lines

ASKED, WHOLE, BROKEN = "How do I begin?", "With one drawer, on a quiet evening.", "With one drawer, on a quiet eveni"


def row(key: str, parent: str | None, role: str, text: str, tree: str) -> dict[str, Any]:
    return {"message_id": key, "parent_id": parent, "role": role, "text": text, "message_tree_id": tree}


ROWS = [
    row("a1", None, "prompter", ASKED, "a"),
    row("a2", "a1", "assistant", WHOLE, "a"),
    row("a3", "a1", "assistant", BROKEN, "a"),
    row("a4", "a2", "prompter", "Thank you.", "a"),
    row("b1", None, "prompter", ASKED, "b"),
    row("b2", "b1", "assistant", WHOLE, "b"),
]


@pytest.mark.parametrize("write", [lambda rows: write_lines(*rows), json.dumps], ids=["lines", "array"])
@pytest.mark.parametrize("left_out", ["rank", "message_tree_id"])
def test_rows_of_several_trees_are_several_conversations(scan_text: ScanText, write: Any, left_out: str) -> None:
    scanned = scan_text(write([{key: value for key, value in each.items() if key != left_out} for each in ROWS]))

    assert (2, 6) == (scanned.summary["conversations"], scanned.summary["turns"])
    assert [(1, "assistant", "truncation", "branch")] == [
        (found["turn"], found["role"], found["failure_type"], found["field"]) for found in scanned.rows
    ]


def test_trees_whose_rows_are_mixed_keep_their_places(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines(*(ROWS[index] for index in (0, 4, 1, 5, 3, 2))))

    assert (2, 6) == (scanned.summary["conversations"], scanned.summary["turns"])
    assert [("a", 1, "assistant")] == [place[:3] for place in scanned.places]


def test_rows_that_name_their_conversation_alone_follow_each_other(scan_text: ScanText) -> None:
    said = (("user", ASKED), ("assistant", BROKEN), ("user", "Go on."), ("user", "Please."))
    scanned = scan_text(write_lines(*({"conversation_id": "c", "role": role, "content": text} for role, text in said)))

    assert [("c", 1, "assistant"), ("c", 3, "user")] == [place[:3] for place in scanned.places]


def test_a_nested_tree_is_one_conversation(scan_text: ScanText) -> None:
    replies = [
        {"role": "assistant", "text": BROKEN, "replies": []},
        {"role": "assistant", "text": WHOLE, "replies": [{"role": "prompter", "text": "Good.", "replies": []}]},
    ]
    prompt = {"role": "prompter", "text": ASKED, "replies": replies}
    scanned = scan_text(json.dumps({"message_tree_id": "t", "prompt": prompt}))

    assert ((1, 4), [("t", 1, "assistant")]) == (
        (scanned.summary["conversations"], scanned.summary["turns"]), [place[:3] for place in scanned.places]
    )  # fmt: skip


def test_messages_that_say_nothing_of_their_conversation_are_named(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines({"role": "user", "content": ASKED}, {"role": "assistant", "content": WHOLE}))

    assert (2, 2) == (scanned.exit_code, scanned.errors.count("does not say to which conversation it belongs"))
