import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from core.adapters.memory import MemoryDatabase
from core.adapters.spool import FileSpool, SpoolingWorkStore, SpoolReplay
from core.domain.work import ItemReleased, ItemResult, RecordOutcome
from core.errors import DatabaseUnavailable
from tests.factories import make_attempt
from tests.unit.test_work_payload import make_failed, make_item


class AwayDatabase(MemoryDatabase):
    """A database that takes nothing, or that forgets everything it is given."""

    is_away = True

    async def record(self, results: Sequence[ItemResult]) -> tuple[RecordOutcome, ...]:
        if self.is_away:
            raise DatabaseUnavailable("away")
        return tuple(RecordOutcome(outcome="recorded") for _ in results)


@dataclass
class Recorder:
    """Remembers what it is given."""

    recorded: list[dict[str, Any]] = field(default_factory=list)

    def record_encoded(self, results: list[dict[str, Any]]) -> None:
        self.recorded += results


def record(store: SpoolingWorkStore, *results: ItemResult) -> None:
    asyncio.run(store.record(results))


def test_result_waits_on_disk_while_the_database_is_away_and_is_gone_when_it_took_it(tmp_path: Path) -> None:
    database, spool = AwayDatabase(), FileSpool(folder=tmp_path / "spool", min_age_seconds=0)
    store, result = SpoolingWorkStore(inner=database, spool=spool), make_failed(b"paid for")

    with pytest.raises(DatabaseUnavailable):
        record(store, result)
    assert ["paid for"] == [encoded["attempt"]["response_body"] for _, encoded in spool.list_waiting()]

    database.is_away = False
    record(store, result)
    assert [] == spool.list_waiting()


def test_what_a_dead_worker_left_is_recorded_once(tmp_path: Path) -> None:
    spool, recorder = FileSpool(folder=tmp_path, min_age_seconds=0), Recorder()
    spool.keep(make_failed(b"one"))
    spool.keep(make_failed(b"two"))
    replay = SpoolReplay(spool=spool, recorder=recorder)

    assert [2, 0] == [replay.replay(), replay.replay()]
    assert {"one", "two"} == {encoded["attempt"]["response_body"] for encoded in recorder.recorded}


def test_unfinished_file_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "x.123.tmp").write_text('{"half')

    assert FileSpool(folder=tmp_path, min_age_seconds=0).list_waiting() == []


def test_item_given_back_untouched_needs_no_file(tmp_path: Path) -> None:
    spool = FileSpool(folder=tmp_path, min_age_seconds=0)
    spool.keep(ItemReleased(item=make_item()))
    spool.keep(ItemReleased(item=make_item(), attempt=make_attempt()))

    assert len(spool.list_waiting()) == 1


def test_result_is_on_disk_before_the_database_answers(tmp_path: Path) -> None:
    spool = FileSpool(folder=tmp_path, min_age_seconds=0)
    seen: list[int] = []

    class HangingDatabase(MemoryDatabase):
        async def record(self, results: Sequence[ItemResult]) -> tuple[RecordOutcome, ...]:
            seen.append(len(spool.list_waiting()))
            return tuple(RecordOutcome(outcome="recorded") for _ in results)

    record(SpoolingWorkStore(inner=HangingDatabase(), spool=spool), make_failed(b"one"), make_failed(b"two"))

    assert seen == [2]
    assert spool.list_waiting() == []


def test_disk_that_takes_nothing_does_not_keep_a_result_from_the_database(tmp_path: Path) -> None:
    (tmp_path / "spool").touch()
    database = AwayDatabase()
    database.is_away = False

    record(SpoolingWorkStore(inner=database, spool=FileSpool(folder=tmp_path / "spool")), make_failed(b"paid for"))


def test_file_of_a_living_worker_is_left_to_it_for_a_while(tmp_path: Path) -> None:
    FileSpool(folder=tmp_path).keep(make_failed(b"just now"))

    assert FileSpool(folder=tmp_path).list_waiting() == []
    assert len(FileSpool(folder=tmp_path, min_age_seconds=0).list_waiting()) == 1
