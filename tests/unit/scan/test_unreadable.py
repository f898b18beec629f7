"""What cannot be read is told on standard error with file and line, and outweighs everything else in the exit code."""

import gzip
import json
from pathlib import Path

import pytest

from tests.support.scans import ScanPaths, ScanText
from tests.unit.scan.dialogues import CUT, GOOD, make_enriched, make_full_file, make_messages, write_lines


def test_a_bad_line_is_told_and_the_rest_is_scanned(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines(make_messages(GOOD)) + '{"messages": [\n\n' + write_lines(make_messages(CUT)))

    assert scanned.exit_code == 2
    assert "line 2: not JSON" in scanned.errors
    assert scanned.places == [(2, 1, "assistant", "lone_backslash")]


@pytest.mark.parametrize("bad", ["what is this", "{", '{"messages": [{"role": "us', '{"rows": 1}', "[1, 2]", "17"])
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_bad_line_may_stand_anywhere(scan_text: ScanText, bad: str, position: int) -> None:
    lines = write_lines(make_messages(CUT), make_messages(GOOD)).splitlines()
    lines.insert(position, bad)
    scanned = scan_text("\n".join(lines))

    assert scanned.exit_code == 2
    assert f"line {position + 1}:" in scanned.errors
    assert scanned.summary["conversations"] == 2
    assert len(scanned.rows) == 1


def test_a_line_of_another_encoding_is_told(scan_text: ScanText) -> None:
    scanned = scan_text(write_lines(make_messages(GOOD)).encode() * 2 + b'{"messages": "\xe9"}\n')

    assert scanned.exit_code == 2
    assert "line 3: not UTF-8" in scanned.errors


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("  \n\n", "the file is empty"),
        ("Dear diary", "line 1: not JSON"),
        ("{}", "no known format"),
        ('{"name": "x",\n "size": 3}', "no known format"),
        ('{\n "name": "x",\n oops\n}', "line 3: not JSON"),
        ("[1, 2]", "item 1: no known format"),
        (b"\xff\xfe\x00", "begins as UTF-16 and is none"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_no_conversations(scan_text: ScanText, content: str | bytes, words: str) -> None:
    scanned = scan_text(content)

    assert scanned.exit_code == 2
    assert words in scanned.errors
    assert scanned.summary["conversations"] == 0


@pytest.mark.parametrize(
    "document", [[make_messages(CUT), make_messages(GOOD)], make_full_file(CUT, GOOD), make_enriched((*CUT, *GOOD))]
)
def test_of_a_cut_data_set_the_beginning_is_scanned(scan_text: ScanText, document: object) -> None:
    text = json.dumps(document, indent=1)
    cut = text[: text.rindex(GOOD[3]) + 4]
    scanned = scan_text(cut)

    assert scanned.exit_code == 2
    assert f"line {cut.count(chr(10)) + 1}: not JSON" in scanned.errors
    assert [row["pattern"] for row in scanned.rows] == ["lone_backslash"]


def test_a_missing_file_does_not_keep_the_others_from_being_scanned(scan_paths: ScanPaths, tmp_path: Path) -> None:
    (tmp_path / "there.jsonl").write_text(write_lines(make_messages(CUT)))
    scanned = scan_paths(tmp_path / "gone.jsonl", tmp_path / "there.jsonl")

    assert scanned.exit_code == 2
    assert "gone.jsonl: there is no such file" in scanned.errors
    assert len(scanned.rows) == 1


def test_a_folder_is_scanned_in_order_and_in_depth(scan_paths: ScanPaths, tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "c.jsonl").write_text(write_lines(make_messages(CUT)))
    (tmp_path / "b" / "z.json").write_text(json.dumps(make_messages(CUT)))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(write_lines(make_messages(CUT)).encode()))
    (tmp_path / "notes.txt").write_text("no data")
    scanned = scan_paths(tmp_path)

    assert [Path(row["source"]).name for row in scanned.rows] == ["a.jsonl.gz", "z.json", "c.jsonl"]
    assert scanned.exit_code == 1


def test_an_empty_folder_is_unreadable(scan_paths: ScanPaths, tmp_path: Path) -> None:
    scanned = scan_paths(tmp_path)

    assert scanned.exit_code == 2
    assert "holds no" in scanned.errors


def test_a_cut_gzip_file_is_told(scan_text: ScanText) -> None:
    packed = gzip.compress(write_lines(*(make_messages(CUT, id=number) for number in range(2000))).encode())

    assert scan_text(packed[:-200]).exit_code == 2


def test_many_problems_of_a_file_are_summed_up(scan_text: ScanText) -> None:
    scanned = scan_text('{"rows": 1}\n' * 100)

    assert len(scanned.errors.splitlines()) == 21
    assert "80 more" in scanned.errors


def test_an_empty_data_set_is_readable(scan_text: ScanText) -> None:
    assert [scan_text(content).exit_code for content in ("[]", '{"training_pairs": []}')] == [0, 0]
