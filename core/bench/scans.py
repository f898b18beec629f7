"""What a scan of a large data set takes: the same conversations in every format that people keep them in.

Each file is scanned by a process of its own; its peak of memory counts, and so does that of the process that decodes
Parquet.
"""

import csv
import gzip
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from core.adapters.files.dataset_files import read_entries
from core.bench.child_process import run_apart
from core.domain.record import Record
from core.services.scanning import Scan

HEADING = "| file | MB | conversations | s | conversations a second | peak MB |\n|---|---|---|---|---|---|"
_TURNS = 6
_CUT_EVERY = 50
_SENTENCES = (
    "I keep putting off the letter from the bank, and each week it feels heavier than the one before.",
    "That is a very common way to react to a number that we would rather not see.",
    "What would you think of opening it together, one page at a time, with a cup of tea beside you?",
    "My husband says that we should pay the card with 19 percent first, and he may be right.",
    "Three months of costs is a good start; six are better if your work depends on the season.",
    "Could you tell me what changed since we last spoke about the savings account?",
)
_ROW_GROUP = 10_000


class ScanCost(Record):
    """What one file took; `seconds` are wall-clock time."""

    name: str
    size_bytes: int
    conversations: int
    seconds: float
    peak_mb: float

    @property
    def row(self) -> str:
        """A row of the table."""
        speed = self.conversations / self.seconds
        size = self.size_bytes / 2**20
        return (
            f"| {self.name} | {size:.0f} | {self.conversations:,} | {self.seconds:.0f} | {speed:,.0f} | {self.peak_mb:.0f} |"
        )


def run_scans(conversations: int, wanted: str, say: Callable[[str], None]) -> tuple[ScanCost, ...]:
    """Measure all formats with this in their names; report each result."""
    costs: list[ScanCost] = []
    with tempfile.TemporaryDirectory(prefix="brightrun-scans-") as home:
        for name, write in _WRITERS.items():
            if wanted in name:
                path = Path(home) / name
                run_apart(lambda path=path, write=write: write(path, conversations))
                began = time.perf_counter()
                read, peak_mb = run_apart(lambda path=path: _scan(path))
                seconds = time.perf_counter() - began
                costs.append(
                    ScanCost(name=name, size_bytes=path.stat().st_size, conversations=read, seconds=seconds, peak_mb=peak_mb)
                )
                say(costs[-1].row)
                path.unlink()
    return tuple(costs)


def _scan(path: Path) -> int:
    scan = Scan()
    for _ in scan.scan_entries(read_entries(path, lambda _: None)):
        pass
    return scan.summary.conversations


def _list_records(conversations: int) -> Iterator[dict[str, Any]]:
    """Conversations of 6 turns and 1,900 characters; in every fiftieth the last turn is cut."""
    for number in range(conversations):
        turns = [
            {
                "role": "assistant" if turn % 2 else "user",
                "content": f"{number}. " + " ".join(_SENTENCES[(number + turn + k) % len(_SENTENCES)] for k in range(4)),
            }
            for turn in range(_TURNS)
        ]
        if number % _CUT_EVERY == 0:
            turns[-1]["content"] = turns[-1]["content"][:-12]
        yield {"id": f"c{number}", "model": f"m{number % 3}", "messages": turns}


def _write_lines(path: Path, conversations: int) -> None:
    with gzip.open(path, "wt", compresslevel=1) if path.suffix == ".gz" else path.open("w") as file:
        file.writelines(json.dumps(record) + "\n" for record in _list_records(conversations))


def _write_array(path: Path, conversations: int) -> None:
    with path.open("w") as file:
        file.write("[\n")
        file.writelines(
            f"{',' if number else ''}{json.dumps(record, indent=1)}\n"
            for number, record in enumerate(_list_records(conversations))
        )
        file.write("]\n")


def _write_table(path: Path, conversations: int) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "model", "messages"))
        rows.writerows((each["id"], each["model"], json.dumps(each["messages"])) for each in _list_records(conversations))


def _write_parquet(path: Path, conversations: int) -> None:
    import pyarrow as pa  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]
    import pyarrow.parquet as pq  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    arrow, parquet = cast("Any", pa), cast("Any", pq)
    rows: list[dict[str, Any]] = []
    writer: Any = None
    for number, record in enumerate(_list_records(conversations), start=1):
        rows.append(record)
        if len(rows) == _ROW_GROUP or number == conversations:
            table = arrow.Table.from_pylist(rows)
            writer = writer or parquet.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
            rows = []
    writer.close()


_WRITERS: dict[str, Callable[[Path, int], None]] = {
    "lines.jsonl": _write_lines,
    "lines.jsonl.gz": _write_lines,
    "array.json": _write_array,
    "table.csv": _write_table,
    "rows.parquet": _write_parquet,
}
