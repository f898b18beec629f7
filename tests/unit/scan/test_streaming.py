"""Files are read in pieces: the first conversation is there long before the end of the file."""

import gzip
import json
from pathlib import Path

import pytest

from core.adapters.files.dataset_files import measure_file, read_entries
from core.domain.verdict.formats.entries import JsonEntry
from tests.unit.scan.dialogues import GOOD, make_full_file, make_messages, make_pairs, write_lines

MANY = 3000
BIG = {
    "lines": write_lines(*(make_messages(GOOD, id=number) for number in range(MANY))),
    "array": json.dumps([make_messages(GOOD, id=number) for number in range(MANY)]),
    "full file": json.dumps(make_full_file(*[GOOD] * (MANY // 4))),
    "pairs": json.dumps({"training_pairs": make_pairs(GOOD, "a") * (MANY // 4)}),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("content", BIG.values(), ids=BIG.keys())
def test_the_first_record_comes_before_the_file_is_read(tmp_path: Path, content: str, *, packed: bool) -> None:
    path = tmp_path / "data"
    path.write_bytes(gzip.compress(content.encode(), 0) if packed else content.encode())
    positions: list[int] = []
    entries = read_entries(path, positions.append)

    assert isinstance(next(entries), JsonEntry)
    next(entries)
    assert positions[0] < measure_file(path) / 3

    assert all(isinstance(entry, JsonEntry) for entry in entries)
    assert measure_file(path) == pytest.approx(positions[-1], rel=0.1)
