"""JSON means the same on a line, in an array and in an object around arrays; encodings are read or named."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.adapters.files.dataset_files import UploadedFile
from core.domain.verdict.formats.entries import JsonEntry, Unreadable
from tests.support.scans import ScanText
from tests.unit.scan.dialogues import CUT, GOOD, make_messages, write_lines

GOOD_RECORD, CUT_RECORD = json.dumps(make_messages(GOOD)), json.dumps(make_messages(CUT))


def read(text: str) -> list[Any]:
    return list(UploadedFile(name="data", content=text.encode()).read_entries(lambda _: None))


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "9" * 30, "-0.0", "1E5"])
def test_numbers_mean_the_same_in_lines_and_in_arrays(number: str) -> None:
    record = f'{{"score":{number},"messages":[]}}'
    lines, items = read(f"{record}\n{record}\n"), read(f"[{record},\n{record}]")

    assert [repr(entry.value) for entry in lines] == [repr(entry.value) for entry in items]
    assert 2 == len(items)


@pytest.mark.parametrize("write", ["{}\n{}\n", "[{},{}]", '{{"data":[{},{}]}}'], ids=["lines", "array", "object"])
class TestRepeatedKeys:
    """A key that stands twice, which readers of JSON take differently."""

    def test_in_a_record_it_is_flagged(self, scan_text: ScanText, write: str) -> None:
        record = '{"id":"a","persona":1,"persona":2,' + GOOD_RECORD[1:]
        scanned = scan_text(write.format(record, GOOD_RECORD))

        assert [("a", None, None, "parse_error")] == scanned.places
        assert "'persona' stands twice" in scanned.rows[0]["details"]

    def test_in_a_message_its_turn_is_flagged(self, scan_text: ScanText, write: str) -> None:
        record = '{"messages":[{"role":"user","content":"Hi."},{"role":"assistant","content":"Yes.","content":"No."}]}'

        assert [(0, 1, "assistant", "parse_error")] == scan_text(write.format(record, GOOD_RECORD)).places


def test_a_key_that_stands_twice_in_json_text_is_flagged(scan_text: ScanText) -> None:
    messages = '[{"role":"user","content":"Hi."},{"role":"assistant","content":"Yes.","content":"No."}]'

    assert [(0, 1, "assistant", "parse_error")] == scan_text(json.dumps({"messages": messages})).places


def test_a_broken_record_in_an_array_costs_no_other(scan_text: ScanText) -> None:
    scanned = scan_text(f'[\n{CUT_RECORD},\n{{"messages": [oops]}},\n{CUT_RECORD}\n]')

    assert (2, [0, 2]) == (scanned.exit_code, [row["conversation"] for row in scanned.rows])
    assert "line 3: not JSON" in scanned.errors


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f"[{GOOD_RECORD},\n{CUT_RECORD},\n]", "line 3: not JSON: a record is missing behind a comma"),
        (f"[{GOOD_RECORD}\n{CUT_RECORD}]", "line 2: not JSON: a comma is missing between two records"),
        (f"[{GOOD_RECORD},{CUT_RECORD}\n", "not JSON: the data end within an array"),
        (f"[{GOOD_RECORD},{CUT_RECORD}]\nand more", "line 2: not JSON: something stands behind the data"),
        (f'{{"data": [{GOOD_RECORD},{CUT_RECORD}], "meta": ', "not JSON: the data end within an object"),
    ],
    ids=["comma at the end", "no comma", "no end", "text behind", "cut object"],
)
def test_what_is_broken_between_records_is_named(scan_text: ScanText, content: str, words: str) -> None:
    scanned = scan_text(content)

    assert (2, words in scanned.errors) == (scanned.exit_code, True)
    assert scanned.summary["conversations"] >= 1


@pytest.mark.parametrize(
    "content",
    [
        f'{{"data": [{GOOD_RECORD},{CUT_RECORD}], "version": 1}}',
        f'{{"object": "list", "rows": [{GOOD_RECORD},{CUT_RECORD}]}}',
        f'{{"train": [{GOOD_RECORD}], "test": [{CUT_RECORD}]}}',
        f'{{"info": {{"data": 1}}, "dataset": {{"train": [{GOOD_RECORD}], "test": [{CUT_RECORD}]}}}}',
        f'{{"rows": [{{"row_idx": 0, "row": {GOOD_RECORD}}}, {{"row_idx": 1, "row": {CUT_RECORD}}}]}}',
        f"{json.dumps(make_messages(GOOD), indent=1)}\n{json.dumps(make_messages(CUT), indent=1)}\n",
        write_lines(
            {"messages": json.dumps(make_messages(GOOD)["messages"])},
            {"messages": json.dumps(make_messages(CUT)["messages"])},
        ),
        write_lines({"chat": make_messages(GOOD)["messages"]}, {"my_talk": make_messages(CUT)["messages"]}),
    ],
    ids=[
        "data",
        "rows",
        "train and test",
        "nested",
        "the viewer's rows",
        "one behind the other",
        "JSON text",
        "other names",
    ],
)
def test_wrapped_records_are_found(scan_text: ScanText, content: str) -> None:
    scanned = scan_text(content)

    assert ({"conversations": 2, "turns": 8, "flagged_turns": 1, "flagged_conversations": 1}, [1]) == (
        scanned.summary, [row["conversation"] for row in scanned.rows]
    )  # fmt: skip


def test_an_object_with_lists_that_is_a_conversation_is_one(scan_text: ScanText) -> None:
    scanned = scan_text(json.dumps({"data": [{"source": 1}], "results": [{"x": 1}]} | make_messages(CUT), indent=1))

    assert [(0, 1, "assistant", "lone_backslash")] == scanned.places


def test_what_the_hubs_viewer_has_cut_is_cut(scan_text: ScanText) -> None:
    rows = [{"row_idx": 0, "row": make_messages(GOOD), "truncated_cells": ["messages"]}]

    assert ["unexpected_stop_reason"] == [row["pattern"] for row in scan_text(json.dumps({"rows": rows})).rows]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
@pytest.mark.parametrize(
    "content", [f"{GOOD_RECORD}\n{CUT_RECORD}\n", f"[{GOOD_RECORD},{CUT_RECORD}]"], ids=["lines", "array"]
)
def test_text_of_windows_is_read(scan_text: ScanText, encoding: str, content: str) -> None:
    assert [(1, 1, "assistant", "lone_backslash")] == scan_text(content.encode(encoding)).places


def test_utf_16_with_long_characters_is_read_to_its_end(scan_text: ScanText) -> None:
    content = json.dumps([make_messages(("三个月的费用是一个好的开始。" * 2_000, "好。"))] * 3, ensure_ascii=False)

    assert (0, 3) == (
        scan_text(content.encode("utf-16")).exit_code,
        scan_text(content.encode("utf-16")).summary["conversations"],
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text('ab"\\[]{},: é\n', max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('a"[', max_size=3), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=5), st.sampled_from([None, 0, 2]), st.booleans())
def test_any_array_is_read_as_it_is(values: list[Any], indent: int | None, as_ascii: bool) -> None:  # noqa: FBT001
    text = json.dumps([{"value": value} for value in values], indent=indent, ensure_ascii=as_ascii)
    entries = read(text)

    assert not any(isinstance(entry, Unreadable) for entry in entries)
    assert values == [entry.value["value"] for entry in entries if isinstance(entry, JsonEntry)]
