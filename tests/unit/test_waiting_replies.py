"""What waits on a host's disk is told while it waits, and that nothing does is told once."""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from core.adapters.files.spool import ID_FILE, FileSpool
from core.adapters.files.spooling import SpoolReplay
from core.domain.batches.work import RecordOutcome
from core.errors import DatabaseUnavailable
from core.services.waiting_replies import WaitingRepliesService

HOUR = 3600.0


@dataclass
class House:
    """Notes what it is told, unless it is away."""

    is_away: bool = False
    told: list[tuple[UUID, str, int, int]] = field(default_factory=list[tuple[UUID, str, int, int]])

    def note_spool(self, spool_id: UUID, host: str, files: int, oldest_seconds: float) -> None:
        if self.is_away:
            raise DatabaseUnavailable("away")
        self.told.append((spool_id, host, files, round(oldest_seconds / HOUR)))

    def drop_old_replies(self, keep_days: int, most: int) -> int:
        raise AssertionError


class Database:
    """Is given nothing here."""

    def record_encoded(self, result: dict[str, Any]) -> RecordOutcome:
        raise AssertionError


@pytest.fixture
def spool(tmp_path: Path) -> FileSpool:
    return FileSpool(folder=tmp_path / "spool")


def open_waiting(spool: FileSpool, house: House) -> WaitingRepliesService:
    replay = SpoolReplay(spool=spool, recorder=Database())
    return WaitingRepliesService(spool=replay, house=house, host="alpha")


def put(folder: Path, name: str, hours: float) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("{}")
    written_at = time.time() - hours * HOUR
    os.utime(path, (written_at, written_at))
    return path


def test_files_that_wait_are_told_in_each_round_and_their_end_once(spool: FileSpool) -> None:
    house = House()
    waiting = open_waiting(spool, house)
    old = put(spool.folder, "a.json", 5)
    aside = put(spool.set_aside_folder, "b.json", 7)
    put(spool.set_aside_folder, "b.json.reason", 9)

    waiting.tell()
    aside.unlink()
    waiting.tell()
    old.unlink()
    for _ in range(3):
        waiting.tell()
    put(spool.folder, "c.json", 1)
    waiting.tell()

    assert [("alpha", 2, 7), ("alpha", 1, 5), ("alpha", 0, 0), ("alpha", 1, 1)] == [each[1:] for each in house.told]
    assert {spool.identify()} == {each[0] for each in house.told}


def test_a_file_that_is_being_written_does_not_wait(spool: FileSpool) -> None:
    house = House()
    put(spool.folder, "a.json", 0)
    put(spool.folder, "b.tmp", 0.1)

    open_waiting(spool, house).tell()

    assert [0] == [files for _, _, files, _ in house.told]


def test_that_nothing_waits_is_told_when_the_database_is_back(spool: FileSpool) -> None:
    house = House(is_away=True)
    waiting = open_waiting(spool, house)

    with pytest.raises(DatabaseUnavailable):
        waiting.tell()
    house.is_away = False
    waiting.tell()

    assert [0] == [files for _, _, files, _ in house.told]


def test_a_folder_keeps_its_id_when_it_is_moved_and_gets_one_for_an_unreadable_one(spool: FileSpool) -> None:
    known = spool.identify()
    moved = FileSpool(folder=spool.folder.rename(spool.folder.with_name("elsewhere")))
    assert moved.identify() == known

    (moved.folder / ID_FILE).write_text("no id")

    assert known != moved.identify() == moved.identify()
    assert [ID_FILE] == [path.name for path in moved.folder.iterdir()]
    assert moved.list_waiting() == []
    assert moved.count_stuck() == 0
