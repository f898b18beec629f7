"""What is no conversation is named as what it looks like, with what to do."""

import json

import pytest

from tests.support.scans import ScanText
from tests.unit.scan.dialogues import GOOD, make_messages, write_lines

MESSAGES = make_messages(GOOD)["messages"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps({"text": "Dear diary."}), "plain text"),
        ("Dear diary,\ntoday", "plain text"),
        (json.dumps({"text": "Good.", "label": 1}), "texts with labels"),
        (json.dumps({"context": "A.", "question": "B?", "answers": {"text": ["A"], "answer_start": [0]}}), "SQuAD"),
        (json.dumps({"anchor": "a", "positive": "b"}), "pairs for a search model"),
        (json.dumps({"dialog": ["Hello.", "Hi."]}), "do not say who speaks"),
        (json.dumps({"messages": str(MESSAGES)}), "Python's notation"),
        (json.dumps({"messages": {"0": MESSAGES, "1": MESSAGES}}), 'to_json(orient="records"'),
        (json.dumps({"object": "chat.completion.chunk", "choices": [{"delta": {"content": "a"}}]}), "streamed reply"),
        (write_lines(*[{"messages": [{"level": "info", "msg": "up"}]}] * 2), "`messages` holds no messages"),
        (write_lines(*[{"conversations": [1, 2]}] * 2), "`conversations` holds no messages"),
        (json.dumps({"turns": [{"lat": 1, "lon": 2}]}), "no known format"),
        (write_lines(*[{"items": [{"sku": 1}], "sku": 7}] * 2), "it has the members items, sku"),
        ("name,age\nAnn,3\nBob,4\n", "looks like a table with the columns name, age"),
        ("<!DOCTYPE html><html>", "a page of HTML"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"SQLite format 3\x00" + bytes(80), "SQLite"),
        (b"ARROW1\x00\x00", "to_parquet"),
        (b"PAR1 cut off", "looks like Parquet and cannot be decoded"),
        ("Hello.".encode("utf-32"), "UTF-32"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_it_is_named(scan_text: ScanText, content: str | bytes, words: str) -> None:
    scanned = scan_text(content)

    assert (2, 0, []) == (scanned.exit_code, scanned.summary["conversations"], scanned.rows)
    assert words in scanned.errors
