"""Tables: CSV as text, and Parquet by a process of its own."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.adapters.files.dataset_files import DiskFile, UploadedFile
from core.domain.verdict.formats.entries import JsonEntry, Unreadable
from core.domain.verdict.limits import LARGEST_RECORD
from tests.support.scans import ScanPaths, ScanText
from tests.unit.scan.dialogues import CUT, GOOD, make_messages

MESSAGES = [make_messages(texts)["messages"] for texts in (GOOD, CUT)]
ASKED, WHOLE, BROKEN = "How do I\nbegin?", "With one drawer, on a quiet evening.", "With one drawer, on a quiet eveni"


def write_csv(rows: list[dict[str, Any]], delimiter: str = ",") -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


COLUMNS: dict[str, list[dict[str, Any]]] = {
    "messages": [{"id": n, "messages": json.dumps(messages)} for n, messages in enumerate(MESSAGES)],
    "prompt and completion": [{"prompt": ASKED, "completion": text} for text in (WHOLE, BROKEN)],
    "Alpaca": [{"instruction": "Answer.", "input": ASKED, "output": text} for text in (WHOLE, BROKEN)],
    "preferences": [{"prompt": ASKED, "chosen": text, "rejected": "No."} for text in (WHOLE, BROKEN)],
    "one message in each row": [
        {"conversation_id": n, **message} for n, messages in enumerate(MESSAGES) for message in messages
    ],
}


@pytest.mark.parametrize("rows", COLUMNS.values(), ids=COLUMNS.keys())
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv_is_read(scan_text: ScanText, rows: list[dict[str, Any]], delimiter: str) -> None:
    scanned = scan_text(write_csv(rows, delimiter))

    assert (1, 2, 1) == (scanned.exit_code, scanned.summary["conversations"], len(scanned.rows))
    assert "1" == str(scanned.rows[0]["conversation"])


@pytest.mark.parametrize("rows", COLUMNS.values(), ids=COLUMNS.keys())
def test_parquet_is_read(scan_paths: ScanPaths, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "data.parquet")
    scanned = scan_paths(tmp_path)

    assert (1, 2, 1) == (scanned.exit_code, scanned.summary["conversations"], len(scanned.rows))


def test_names_of_columns_may_have_capitals_and_stand_alone(scan_text: ScanText) -> None:
    capitals = scan_text(write_csv([{"Instruction": ASKED, "Input": "", "Output": BROKEN}], ";"))
    alone = scan_text(write_csv([{"messages": json.dumps(MESSAGES[1])}]))

    assert ([1], [1]) == ([row["turn"] for row in capitals.rows], [row["turn"] for row in alone.rows])


def test_a_row_of_csv_that_is_cut_or_of_another_width_is_named(scan_text: ScanText) -> None:
    scanned = scan_text(f'prompt,completion\nHi.,Yes.\nHi.\nHi.,"{BROKEN}')

    assert (2, 1) == (scanned.exit_code, scanned.summary["conversations"])
    assert "row 1: it has 1 values, but the table has 2 columns" in scanned.errors
    assert "line 4: not a row of the table: unexpected end of data" in scanned.errors


def test_a_quotation_without_end_ends() -> None:
    content = b'prompt,completion\nHi.,"' + b"x\n" * (LARGEST_RECORD // 2 + 10)

    assert "not a row of the table: field larger than field limit" in str(read(content)[0])


def read(content: bytes) -> list[Any]:
    return list(UploadedFile(name="data", content=content).read_entries(lambda _: None))


def write_parquet(table: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


class TestParquet:
    """What is peculiar to Parquet."""

    def test_lists_of_messages_are_read_as_they_are(self) -> None:
        rows = [make_messages(texts, id=n) for n, texts in enumerate((GOOD, CUT))]
        entries = read(write_parquet(pa.Table.from_pylist(rows), row_group_size=1))

        assert rows == [entry.value for entry in entries]

    def test_an_upload_and_a_file_are_read_alike(self, tmp_path: Path) -> None:
        content = write_parquet(pa.table({"prompt": ["a", "b"], "completion": ["c", "d"]}))
        (tmp_path / "x.parquet").write_bytes(content)
        seen: list[int] = []

        assert read(content) == list(DiskFile(path=tmp_path / "x.parquet").read_entries(seen.append))
        assert len(content) == seen[-1]

    def test_bytes_of_pictures_are_left_out_and_times_are_text(self) -> None:
        image = pa.array([{"bytes": b"\xff\xd8" * 100, "path": "a.jpg"}])
        when = pa.array([1_700_000_000], pa.timestamp("s"))
        (entry,) = read(write_parquet(pa.table({"prompt": ["a"], "image": image, "when": when, "raw": [b"\xff"]})))

        assert {"prompt": "a", "image": {"path": "a.jpg"}, "when": "2023-11-14 22:13:20", "raw": None} == entry.value

    @pytest.mark.parametrize(
        "make",
        [
            lambda: pa.DictionaryArray.from_arrays([0] * 50, ["x" * 40 * 2**20]),
            lambda: pa.ListArray.from_arrays([0, 10**8], pa.nulls(10**8, pa.int8())),
        ],
        ids=["one long text, many times", "one endless list"],
    )
    def test_what_decodes_to_more_than_memory_ends_with_a_word(self, make: Callable[[], Any]) -> None:
        content = write_parquet(pa.table({"messages": make()}), compression="zstd", store_schema=False)
        (entry,) = read(content)

        assert len(content) < 10_000
        assert "it decodes to more than 512 MB at once" in entry.reason

    def test_a_row_that_is_too_large_is_left_out_and_no_other(self) -> None:
        entries = read(write_parquet(pa.table({"prompt": ["a", "x" * 5 * 2**20, "b"]})))

        assert [JsonEntry, Unreadable, JsonEntry] == [type(entry) for entry in entries]

    @pytest.mark.parametrize("place", [4, 30, 60, -20, -6])
    def test_what_is_damaged_is_named(self, place: int) -> None:
        content = bytearray(write_parquet(pa.table({"prompt": ["a"] * 3, "completion": ["Yes."] * 3})))
        content[place : place + 4] = b"\xff\xfe\xfd\xfc"

        for entry in read(bytes(content)):
            assert isinstance(entry, JsonEntry | Unreadable)

    def test_a_file_without_its_end_is_named(self) -> None:
        (entry,) = read(write_parquet(pa.table({"prompt": ["a"]}))[:-8])

        assert "it looks like Parquet and cannot be decoded" in str(entry)

    def test_a_reader_that_stops_ends_the_process(self) -> None:
        entries = UploadedFile(name="d", content=write_parquet(pa.table({"prompt": ["a"] * 100_000}))).read_entries(
            lambda _: None
        )

        assert isinstance(next(iter(entries)), JsonEntry)
        entries.close()  # type: ignore[attr-defined]
