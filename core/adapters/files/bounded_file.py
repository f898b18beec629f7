"""Bytes of a file from a stranger: only of a regular file, no more of them than it has, decompressed within bounds."""

import codecs
import gzip
import os
import stat
from collections.abc import Callable, Generator
from contextlib import contextmanager
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO, cast

from core.adapters.files.foreign_formats import LONGEST_START, PARQUET, describe_foreign, find_utf_16
from core.domain.verdict.limits import LARGEST_FILE, LARGEST_RECORD, LEAST_EXPANDED, MEGABYTE, MOST_EXPANSION

_GZIP_MAGIC = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_RECODED_BYTES = 64 * 1024
_OTHER_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_READ_AHEAD = 1024 * 1024
"""Parsers read in pieces, which may end after the current record."""


class FileRefused(Exception):
    """A file that is not read, or not to its end; the message says why."""


Opener = Callable[[], BinaryIO]
"""Opens the file from its beginning; the caller closes it."""


def open_regular_file(path: Path) -> BinaryIO:
    """Open a regular file.

    The opened file is checked, without waiting for a process at the other end: the path may have changed since it was looked
    up. Raises FileRefused for pipes, devices and the like, OSError if it cannot be opened.
    """
    _check_kind(path.stat())  # Checked before opening, since opening a device or a pipe may have an effect.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(descriptor)
        _check_kind(status)
        if status.st_size > 0:
            return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return BytesIO()  # Files of /proc have no size, and some of them no end.


def _check_kind(status: os.stat_result) -> None:
    kind = _OTHER_KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is not None or not stat.S_ISREG(status.st_mode):
        raise FileRefused(f"{kind or 'something else'}, not a file")
    if status.st_size > LARGEST_FILE:
        raise FileRefused(f"larger than {LARGEST_FILE // 2**30} GB")


class BoundedStream:
    """The data of a file; a record may take only a part of it, and all of it no more than the file can hold."""

    def __init__(self, data: BinaryIO, most_bytes: int, *, is_packed: bool) -> None:
        self._data = data
        self._most_bytes = most_bytes
        self._is_packed = is_packed
        self._read = self._record_start = 0

    @property
    def record_bytes(self) -> int:
        """How many bytes of the current record have been read."""
        return self._read - self._record_start

    def begin_record(self) -> None:
        """Start counting a new record."""
        self._record_start = self._read

    def read(self, size: int) -> bytes:
        """Read at most this many bytes. Raises FileRefused where a limit is exceeded."""
        return self._count(self._data.read(min(size, self._allowed)))

    def readline(self, size: int) -> bytes:
        """Read to the next line break, at most this many bytes. Raises FileRefused where a limit is exceeded."""
        return self._count(self._data.readline(min(size, self._allowed)))

    @property
    def _allowed(self) -> int:
        """One byte more tells that packed data has not ended; a file that grows while it is read ends where it ended."""
        return self._most_bytes - self._read + (1 if self._is_packed else 0)

    def _count(self, chunk: bytes) -> bytes:
        self._read += len(chunk)
        if self._read > self._most_bytes:
            raise FileRefused(f"it unpacks to more than {MOST_EXPANSION} times its size, so the rest is not read")
        if self.record_bytes > LARGEST_RECORD + _READ_AHEAD:
            raise FileRefused(f"no record ends within {LARGEST_RECORD // MEGABYTE} MB, so the rest is not read")
        return chunk


@contextmanager
def open_bounded(opener: Opener) -> Generator[tuple[BinaryIO, BoundedStream]]:
    """Open the file on disk together with its data: decompressed, without the byte order mark."""
    with opener() as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(0)
        is_packed = raw.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        raw.seek(0)
        data = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if is_packed else raw
        start = data.read(LONGEST_START)
        _check_start(start, is_packed=is_packed)
        data.seek(len(_BOM) if start.startswith(_BOM) else 0)
        encoding = find_utf_16(start)
        most_bytes = max(LEAST_EXPANDED, MOST_EXPANSION * size) if is_packed else size
        if encoding is not None:
            data = cast("BinaryIO", BufferedReader(_Recoded(data, encoding)))
            most_bytes *= 2  # A character of two bytes may become three.
        yield raw, BoundedStream(data, most_bytes, is_packed=is_packed)


class _Recoded(RawIOBase):
    """Decodes UTF-16 to UTF-8. Bytes that are not text end the file with an error."""

    def __init__(self, data: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._data = data
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any buffer of bytes, as its base class has it
        while not self._rest:
            piece = self._data.read(_RECODED_BYTES)
            try:
                self._rest = self._decoder.decode(piece, final=not piece).encode()
            except UnicodeError as error:
                raise FileRefused("it begins as UTF-16 and is none: save it as UTF-8") from error
            if not piece:
                break
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _check_start(start: bytes, *, is_packed: bool) -> None:
    if is_packed and start.startswith(_GZIP_MAGIC):
        raise FileRefused("packed twice: unpack it once")
    if start.startswith(PARQUET):
        raise FileRefused("a Parquet file packed with gzip: unpack it")
    words = describe_foreign(start)
    if words is not None:
        raise FileRefused(words)
