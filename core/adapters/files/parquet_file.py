"""Parquet, decoded by a process of its own: a file that needs too much memory, or crashes the decoder, ends only that
process.

The process writes each row as a line of JSON, so that rows are read with the same limits as all other records.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from io import UnsupportedOperation
from typing import BinaryIO, cast

from core.adapters.files.bounded_file import BoundedStream, FileRefused
from core.adapters.files.json_text import parse_record
from core.domain.verdict.bounded_json import TOO_LARGE, read_mapping
from core.domain.verdict.formats.entries import Entry, Unreadable
from core.domain.verdict.limits import LARGEST_RECORD, LEAST_DECODED, MOST_EXPANSION

PROGRAM = "core.adapters.files.parquet_rows"
PROBLEM = b"!"
"""A line that begins with this is not a row but an error of the file."""


def read_parquet(file: BinaryIO, size: int, on_progress: Callable[[int], None]) -> Iterator[Entry]:
    """Read the rows of a file of this many bytes. Raises FileRefused if it cannot be decoded to its end."""
    with _decode(file) as output:
        data = BoundedStream(output, max(LEAST_DECODED, MOST_EXPANSION * size), is_packed=True)
        rows = _read_count(data.readline(LARGEST_RECORD))
        number = 0
        while line := data.readline(LARGEST_RECORD + 1):
            data.begin_record()
            if line.startswith(PROBLEM):
                raise FileRefused(line[1:].decode(errors="replace").strip())
            place = f"row {number}"
            if len(line) > LARGEST_RECORD:
                yield Unreadable(place=place, reason=TOO_LARGE)
                while line and not line.endswith(b"\n"):
                    line = data.readline(LARGEST_RECORD)
                    data.begin_record()
            else:
                yield parse_record(line, place)
            number += 1
            on_progress(size * number // max(rows, 1))
        if number < rows:
            raise FileRefused(f"it could not be decoded behind row {number - 1} of {rows:,}")


def _read_count(line: bytes) -> int:
    if line.startswith(PROBLEM):
        raise FileRefused(line[1:].decode(errors="replace").strip())
    rows = read_mapping(json.loads(line)).get("rows") if line else None
    if not isinstance(rows, int):
        raise FileRefused("it looks like Parquet and could not be decoded")
    return rows


@contextmanager
def _decode(file: BinaryIO) -> Generator[BinaryIO]:
    """Start the process on a file, which it reads from its own position, and end it when the caller stops reading."""
    with _give_descriptor(file) as source:
        command = [sys.executable, "-P", "-m", PROGRAM]  # -P: no module of the folder that it is called in.
        # The command holds no foreign text.
        with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: S603
            try:
                yield cast("BinaryIO", process.stdout)
            finally:
                process.kill()


@contextmanager
def _give_descriptor(file: BinaryIO) -> Generator[BinaryIO]:
    """Return the file, or a copy on disk of one that is only in memory."""
    try:
        file.fileno()
    except UnsupportedOperation:
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.seek(0)
            yield cast("BinaryIO", copy)
        return
    yield file
