"""The folder of an export: written under a temporary name and renamed at the end, so that nobody finds half a data set."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import pyarrow as pa  # pyright: ignore[reportMissingTypeStubs]
import pyarrow.parquet as pq  # pyright: ignore[reportMissingTypeStubs]

from core.domain.datasets.recipes import CARD, find_foreign
from core.domain.datasets.training_formats import encode_line
from core.errors import InvalidRequest

arrow, parquet = cast("Any", pa), cast("Any", pq)
"""pyarrow has no type annotations."""
ROW_GROUP = 1_000
MESSAGES = arrow.list_(arrow.struct([("role", arrow.string()), ("content", arrow.string())]))
COLUMN_TYPES = {
    "messages": MESSAGES,
    "variation": arrow.int64(),
    "template_version": arrow.int64(),
    "is_simulated": arrow.bool_(),
}
"""All others are texts."""


class DatasetFolder:
    """Writes the files of one export; paths are relative to it."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write_text(self, path: str, text: str) -> None:
        """Write a text file in UTF-8."""
        self._open_place(path).write_text(text, encoding="utf-8", newline="\n")

    def write_rows(self, path: str, rows: Iterable[dict[str, Any]]) -> int:
        """Write rows as JSON Lines or Parquet, according to the file name; return how many there were."""
        place = self._open_place(path)
        return _write_parquet(place, rows) if place.suffix == ".parquet" else _write_lines(place, rows)

    def _open_place(self, path: str) -> Path:
        place = self._root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place


@contextmanager
def write_folder(target: Path, *, force: bool) -> Generator[DatasetFolder]:
    """Yield a folder that is renamed to `target` if nothing fails; raise InvalidRequest if it cannot be made.

    With `force` it replaces an earlier export or an empty folder, and never anything else.
    """
    _check_target(target, force=force)
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield DatasetFolder(partial)
        _check_target(target, force=force)  # Once more: writing takes a while, and what came meanwhile is not ours.
        if target.is_dir():
            shutil.rmtree(target)
        partial.replace(target)
    except OSError as error:
        raise InvalidRequest(f"{target} cannot be written: {error.strerror or error}. Name another folder.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _check_target(target: Path, *, force: bool) -> None:
    if Path.cwd().is_relative_to(target.resolve()):
        raise InvalidRequest(
            f"{target} is the folder that you are in, or one around it: an export does not replace it. "
            f"Name a new folder, such as {target / 'export'}."
        )
    if not os.path.lexists(target):
        return
    if target.is_symlink() or not target.is_dir():
        raise InvalidRequest(f"{target} is there already and is no folder. Name another one.")
    contents = [path for path in sorted(target.rglob("*")) if path.is_symlink() or not path.is_dir()]
    foreign = find_foreign(path.relative_to(target).as_posix() for path in contents)
    if foreign is None and contents and not (target / CARD).exists():
        foreign = contents[0].relative_to(target).as_posix()
    if foreign is not None:
        raise InvalidRequest(
            f"{target} holds what no export writes ({foreign}) and is not replaced. Name another folder, or move that away."
        )
    if not force:
        raise InvalidRequest(f"{target} is there already. Name another folder, or replace it with --force.")


def write_folder_as_zip(write: Callable[[DatasetFolder], object]) -> bytes:
    """Let a folder be written and return it as a zip archive: the same files give the same bytes."""
    with tempfile.TemporaryDirectory() as scratch:
        root, archive = Path(scratch) / "files", Path(scratch) / "archive.zip"
        root.mkdir()
        write(DatasetFolder(root))
        with ZipFile(archive, "w", ZIP_DEFLATED) as target:
            for place in sorted(path for path in root.rglob("*") if path.is_file()):
                entry = ZipInfo(place.relative_to(root).as_posix())  # Of 1980, whenever it is written.
                entry.compress_type = ZIP_DEFLATED
                with place.open("rb") as source, target.open(entry, "w", force_zip64=True) as part:
                    shutil.copyfileobj(source, part)
        return archive.read_bytes()


def _write_lines(place: Path, rows: Iterable[dict[str, Any]]) -> int:
    written = 0
    with place.open("wb") as file:
        for row in rows:
            file.write(encode_line(row))
            written += 1
    return written


def _write_parquet(place: Path, rows: Iterable[dict[str, Any]]) -> int:
    written = 0
    writer: Any = None
    try:
        remaining = iter(rows)
        while group := list(islice(remaining, ROW_GROUP)):
            if writer is None:
                schema = arrow.schema([(name, COLUMN_TYPES.get(name, arrow.string())) for name in group[0]])
                writer = parquet.ParquetWriter(place, schema, compression="zstd")
            writer.write_table(arrow.Table.from_pylist(group, schema=writer.schema))
            written += len(group)
    finally:
        if writer is not None:
            writer.close()
    return written
