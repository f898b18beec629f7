"""Results on disk until the database has them, so that a paid reply outlives its worker."""

import errno
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID, uuid4

import structlog

from core.adapters.supabase.work_payload import EncodedResult
from core.domain.record import Record

log = structlog.get_logger(__name__)

SPOOL_FOLDER = "spool"
"""Within the folder of BRIGHTRUN_HOME."""
SET_ASIDE_FOLDER = "set-aside"
GROUP_SUFFIX = ".jsonl"
"""Of files that hold several results, one on each line."""
REASON_SUFFIX = ".reason"
ID_FILE = "id"
"""Holds the folder's own id."""
MOST_FILE_BYTES = 50_000_000
"""Ten times the largest reply that Claude can write, with everything that is kept of it."""
ABANDONED_AFTER_SECONDS = 600.0
"""After this time an unfinished file belongs to a dead worker."""
STUCK_AFTER_SECONDS = 3600.0
LONGEST_STEM = 100
"""Longest file name in bytes; ours have 36, and a file system takes 255 with all endings."""
_ABOUT_THE_FILE = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENODEV})
"""Errors that the same file will have next time, too; others (too many open files) may pass."""


class UnreadableResult(Exception):
    """A file in the spool is not a result, or cannot be read; the message says why."""


class SpooledResult(Record):
    """The minimum that a file must hold; the database checks the rest."""

    class SpooledAttempt(Record):
        """Every result on disk has one."""

        id: UUID

    kind: Literal["success", "failure", "release"]
    item_id: UUID
    lease_token: UUID
    attempt: SpooledAttempt


@dataclass(frozen=True, kw_only=True)
class FileSpool:
    """Files of results that wait, one or a group in each. What cannot be recorded is set aside, never deleted."""

    folder: Path
    min_age_seconds: float = 10.0
    """Younger files are left to the worker that may be writing the same result to the database right now."""

    def keep(self, results: Mapping[UUID, bytes]) -> Path:
        """Write results by their attempts into one file, whole or not at all; a single one replaces its earlier form.

        Raises OSError if the disk cannot be written.
        """
        # A group's name is that of no attempt, so that a later form of one result does not replace the others.
        path = self._path(next(iter(results))) if len(results) == 1 else self.folder / f"{uuid4()}{GROUP_SUFFIX}"
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}.tmp")
        with unfinished.open("wb") as file:
            file.write(b"\n".join(results.values()))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        return path

    def forget(self, attempt_id: UUID) -> None:
        """Remove a result that is in the database, even if an earlier form of it has been set aside since."""
        path = self._path(attempt_id)
        path.unlink(missing_ok=True)
        aside = self.set_aside_folder / path.name
        aside.unlink(missing_ok=True)
        _reason_path(aside).unlink(missing_ok=True)

    def list_waiting(self) -> list[Path]:
        """Return the files that wait to be recorded, oldest first. Raises OSError if the folder cannot be read."""
        now = time.time()
        waiting = [
            (written_at, path)
            for written_at, path in self._list_files()
            # A time in the future means that the clock was set back: the writer finished long ago.
            if not now - _find_patience(path, self.min_age_seconds) < written_at <= now
        ]
        return [path for _, path in sorted(waiting)]

    def split(self, path: Path) -> tuple[Path, ...]:
        """Give each result of a group a file of its own; raises what `read` raises.

        The worker that wrote the group may go on: it forgets results, whichever files they are in.
        """
        try:
            lines = _read_file(path).splitlines()
        except FileNotFoundError:
            return ()
        found = {UUID(_read_result(line)["attempt"]["id"]): line for line in lines}
        alone = tuple(self.keep({attempt_id: line}) for attempt_id, line in found.items())
        path.unlink(missing_ok=True)
        return alone

    def read(self, path: Path) -> EncodedResult | None:
        """Return a result as `record_results` takes it; None if its worker has already recorded it.

        Raises UnreadableResult if the file is not one of our results, and OSError if reading may work next time.
        """
        try:
            return _read_result(_read_file(path))
        except FileNotFoundError:
            return None

    def set_aside(self, path: Path, reason: str) -> None:
        """Move a file out of the way of the others, with the reason beside it. Raises OSError if that fails."""
        self.set_aside_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        stem = path.name.partition(".")[0]
        if len(os.fsencode(stem)) > LONGEST_STEM:  # No room for what is added to it here.
            stem = f"long-name-{uuid4().hex}"
        ending = GROUP_SUFFIX if path.suffix == GROUP_SUFFIX else ".json"
        target = self.set_aside_folder / f"{stem}{ending}"
        if os.path.lexists(target):
            target = target.with_name(f"{target.stem}.{uuid4().hex[:8]}{ending}")
        with suppress(FileNotFoundError):  # Another worker's reconciler was faster, or it has been recorded.
            path.rename(target)
            _reason_path(target).write_text(f"{reason}\n", encoding="utf-8", errors="replace")

    def count_stuck(self) -> int:
        """Return how many need somebody's attention: those set aside, and those that have waited for very long."""
        now = time.time()
        aside = sum(entry.suffix != REASON_SUFFIX for entry in _list_folder(self.set_aside_folder))
        return aside + sum(now - written_at > STUCK_AFTER_SECONDS for written_at, _ in self._list_files())

    def measure_waiting(self) -> tuple[int, float]:
        """Return how many files wait, those set aside among them, and the age of the oldest in seconds."""
        aside = (path for path in _list_folder(self.set_aside_folder) if path.suffix != REASON_SUFFIX)
        written: list[float] = []
        for path in (*self.list_waiting(), *aside):
            with suppress(FileNotFoundError):
                written.append(path.lstat().st_mtime)
        return len(written), max(time.time() - min(written), 0.0) if written else 0.0

    def identify(self) -> UUID:
        """Return the id that stays with the folder, whatever its host is called.

        Raises OSError if it has none yet and none can be written.
        """
        path = self.folder / ID_FILE
        with suppress(FileNotFoundError, ValueError):
            return UUID(path.read_text(encoding="ascii", errors="replace").strip())
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        made = uuid4()
        draft = path.with_suffix(f".{made}")
        draft.write_text(f"{made}\n", encoding="ascii")
        draft.replace(path)
        return made

    @property
    def set_aside_folder(self) -> Path:
        """The folder of results that could not be recorded."""
        return self.folder / SET_ASIDE_FOLDER

    def _list_files(self) -> Iterator[tuple[float, Path]]:
        for path in _list_folder(self.folder):
            # Earlier versions renamed refused files to .rejected.
            if path.suffix in {".json", GROUP_SUFFIX, ".tmp", ".rejected"}:
                with suppress(FileNotFoundError):  # Its worker has recorded it since.
                    yield path.lstat().st_mtime, path

    def _path(self, attempt_id: UUID) -> Path:
        return self.folder / f"{attempt_id}.json"


def _find_patience(path: Path, min_age_seconds: float) -> float:
    return max(ABANDONED_AFTER_SECONDS, min_age_seconds) if path.suffix == ".tmp" else min_age_seconds


def _list_folder(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []


def _reason_path(path: Path) -> Path:
    return path.with_name(path.name + REASON_SUFFIX)


def _read_file(path: Path) -> bytes:
    """Read a regular file and nothing else: no link is followed, no pipe waited for, no endless file begun."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableResult("not a plain file")
            if found.st_size > MOST_FILE_BYTES:
                raise UnreadableResult(f"larger than {MOST_FILE_BYTES:,} bytes")
            return file.read(MOST_FILE_BYTES)
    except OSError as error:
        if error.errno in _ABOUT_THE_FILE:
            raise UnreadableResult(error.strerror or str(error)) from error
        raise


def _read_result(content: bytes) -> EncodedResult:
    try:
        encoded = _parse(content)
        SpooledResult.model_validate(encoded)
    except (ValueError, RecursionError) as error:  # JSON's, UTF-8's and pydantic's errors are ValueErrors
        raise UnreadableResult(f"not a result of Bright Run ({type(error).__name__})") from error
    return encoded


def _parse(content: bytes) -> EncodedResult:
    encoded = json.loads(content, parse_constant=_refuse_constant)
    if not isinstance(encoded, dict):
        raise UnreadableResult("not a JSON object")
    return encoded  # pyright: ignore[reportUnknownVariableType] - validated by the caller


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
