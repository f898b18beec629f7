"""Results on disk: none is lost or deleted unrecorded, and one that is bad stops no other."""

import asyncio
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from uuid import UUID, uuid4

import pytest

from core.adapters.files.spool import ABANDONED_AFTER_SECONDS, MOST_FILE_BYTES, STUCK_AFTER_SECONDS, FileSpool
from core.adapters.files.spooling import SpoolingWorkStore, SpoolReplay
from core.adapters.supabase.work_payload import encode_result, write_result
from core.domain.batches.work import ItemFailed, ItemReleased, ItemResult, KeptResult, RecordOutcome
from core.errors import DatabaseRejected, DatabaseUnavailable, NotSignedIn
from core.services.item_failures import describe_rejected, describe_unstorable
from core.services.recording import ResultRecorder
from tests.factories import make_attempt, make_failed, make_item
from tests.fakes.work import ScriptedWorkStore

NOBODY = 65534
Outcome = Literal["recorded", "lease_lost", "no_such_item"]


@dataclass(kw_only=True)
class Database(ScriptedWorkStore):
    """Takes every result, or raises what a test wants of it, before or while it is given some body."""

    spool: FileSpool | None = None
    away: Exception | None = None
    refused_bodies: frozenset[str] = frozenset()
    on_disk: list[int] = field(default_factory=list[int])

    async def record(self, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
        if self.spool is not None:
            self.on_disk.append(sum(len(path.read_bytes().splitlines()) for path in self.spool.list_waiting()))
        if self.away is not None:
            raise self.away
        bodies = {json.loads(kept.content)["attempt"].get("response_body", "") for kept in results}
        if bodies & self.refused_bodies:
            raise DatabaseRejected("refused")
        return (self.outcome,) * len(results)


@dataclass
class Recorder:
    """Takes encoded results, or answers as a test wants for some body."""

    answers: dict[str, Exception | Outcome] = field(default_factory=dict[str, Exception | Outcome])
    recorded: list[str] = field(default_factory=list[str])

    def record_encoded(self, result: dict[str, Any]) -> RecordOutcome:
        body = result["attempt"].get("response_body", "")
        answer = self.answers.get(body, "recorded")
        if isinstance(answer, Exception):
            raise answer
        if answer != "no_such_item":
            self.recorded.append(body)
        return RecordOutcome(outcome=answer)


@pytest.fixture
def spool(tmp_path: Path) -> FileSpool:
    return FileSpool(folder=tmp_path / "spool", min_age_seconds=0)


def record(store: SpoolingWorkStore, *results: ItemResult) -> None:
    asyncio.run(send(store, *results))


async def send(store: SpoolingWorkStore, *results: ItemResult) -> tuple[RecordOutcome, ...]:
    return await store.record(await store.keep(results))


def keep(spool: FileSpool, *results: ItemResult) -> Path:
    """Keep results as a worker does that is gone now."""
    return spool.keep({result.attempt.id: write_result(encode_result(result)) for result in results if result.attempt})


def read_bodies(spool: FileSpool) -> list[str]:
    found = [json.loads(line) for path in spool.list_waiting() for line in path.read_bytes().splitlines()]
    return [encoded["attempt"]["response_body"] for encoded in found]


def replay(spool: FileSpool, recorder: Recorder) -> int:
    return SpoolReplay(spool=spool, recorder=recorder).replay()


def list_aside(spool: FileSpool) -> list[Path]:
    return sorted(path for path in spool.set_aside_folder.glob("*") if path.suffix != ".reason")


def read_reason(path: Path) -> str:
    return path.with_name(path.name + ".reason").read_text()


def set_age(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment), follow_symlinks=False)


def test_result_waits_on_disk_while_the_database_is_away_and_is_gone_when_it_took_it(spool: FileSpool) -> None:
    database = Database(away=DatabaseUnavailable("away"))
    store, result = SpoolingWorkStore(inner=database, spool=spool), make_failed(b"paid for")

    with pytest.raises(DatabaseUnavailable):
        record(store, result)
    assert ["paid for"] == read_bodies(spool)

    database.away = None
    record(store, result)
    assert [] == list(spool.folder.iterdir())


def test_what_a_dead_worker_left_is_recorded_once_oldest_first(spool: FileSpool) -> None:
    results, recorder = [make_failed(b"one"), make_failed(b"two")], Recorder()
    for age, result in zip((60, 120), results, strict=True):
        keep(spool, result)
        assert result.attempt is not None
        set_age(spool.folder / f"{result.attempt.id}.json", age)

    assert [2, 0] == [replay(spool, recorder), replay(spool, recorder)]
    assert ["two", "one"] == recorder.recorded
    assert [] == list(spool.folder.iterdir())


def test_a_kept_result_is_whole_and_read_by_its_owner_only(spool: FileSpool) -> None:
    result = make_failed(b"paid for")
    keep(spool, result)

    (path,) = spool.list_waiting()
    assert result.attempt is not None
    assert path.name == f"{result.attempt.id}.json"
    assert spool.read(path) == json.loads(json.dumps(encode_result(result)))
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700


def test_item_given_back_untouched_needs_no_file(spool: FileSpool) -> None:
    store = SpoolingWorkStore(inner=Database(), spool=spool)
    (kept,) = asyncio.run(store.keep([ItemReleased(item=make_item())]))
    assert (True, []) == (kept.is_safe, spool.list_waiting())

    asyncio.run(store.keep([released := ItemReleased(item=make_item(), attempt=make_attempt())]))
    assert released.attempt is not None
    assert [f"{released.attempt.id}.json"] == [path.name for path in spool.list_waiting()]


def test_results_are_on_disk_before_the_database_answers(spool: FileSpool) -> None:
    database = Database(spool=spool)

    record(SpoolingWorkStore(inner=database, spool=spool), make_failed(b"one"), make_failed(b"two"))

    assert [2] == database.on_disk
    assert [] == spool.list_waiting()


def test_disk_that_takes_nothing_does_not_keep_a_result_from_the_database(tmp_path: Path) -> None:
    (tmp_path / "spool").touch()
    spool = FileSpool(folder=tmp_path / "spool")

    store = SpoolingWorkStore(inner=Database(), spool=spool)

    (kept,) = asyncio.run(store.keep([make_failed(b"paid for")]))
    outcomes = asyncio.run(store.record([kept]))

    assert not kept.is_safe, "its slot waits for the database"
    assert (RecordOutcome(outcome="recorded"),) == outcomes


def test_file_of_a_living_worker_is_left_to_it_for_a_while(tmp_path: Path) -> None:
    keep(FileSpool(folder=tmp_path), make_failed(b"just now"))

    assert [] == FileSpool(folder=tmp_path).list_waiting()
    (path,) = FileSpool(folder=tmp_path, min_age_seconds=0).list_waiting()
    set_age(path, -3600)  # A clock that was set back since.
    assert [path] == FileSpool(folder=tmp_path).list_waiting()


def test_a_refused_group_stays_on_disk_until_each_is_recorded(spool: FileSpool) -> None:
    database = Database(refused_bodies=frozenset({"bad"}))
    store = SpoolingWorkStore(inner=database, spool=spool)
    good, bad = make_failed(b"good"), make_failed(b"bad")

    kept = asyncio.run(store.keep([good, bad]))
    with pytest.raises(DatabaseRejected):
        asyncio.run(store.record(kept))
    assert ["good", "bad"] == read_bodies(spool)

    asyncio.run(store.record(kept[:1]))
    assert ["good", "bad"] == read_bodies(spool), "one file, which goes with its last result"

    assert replay(spool, Recorder(answers={"bad": DatabaseRejected("refused")})) == 1
    assert ["bad"] == [json.loads(path.read_text())["attempt"]["response_body"] for path in list_aside(spool)]


def test_the_file_of_a_group_goes_when_the_database_has_all_of_it(spool: FileSpool) -> None:
    store = SpoolingWorkStore(inner=Database(), spool=spool)
    kept = asyncio.run(store.keep([make_failed(b"one"), make_failed(b"two")]))

    (path,) = spool.folder.iterdir()
    assert path.suffix == ".jsonl"
    for each in kept:
        asyncio.run(store.record([each]))

    assert [] == list(spool.folder.iterdir())


def test_a_group_of_a_dead_worker_is_recorded_one_by_one(spool: FileSpool) -> None:
    keep(spool, make_failed(b"one"), make_failed(b"two"))
    recorder = Recorder()

    assert [2, 0] == [replay(spool, recorder), replay(spool, recorder)]
    assert ["one", "two"] == sorted(recorder.recorded)
    assert [] == list(spool.folder.iterdir())


def test_a_group_with_a_line_that_is_no_result_is_set_aside_whole(spool: FileSpool) -> None:
    path = keep(spool, make_failed(b"one"), make_failed(b"two"))
    path.write_bytes(path.read_bytes()[:-9])

    assert replay(spool, Recorder()) == 0
    assert [path.name] == [aside.name for aside in list_aside(spool)]


def test_a_group_that_is_recovered_while_its_worker_lives_leaves_nothing_behind(spool: FileSpool) -> None:
    store = SpoolingWorkStore(inner=Database(), spool=spool)
    kept = asyncio.run(store.keep([make_failed(b"one"), make_failed(b"two")]))
    (group,) = spool.list_waiting()
    spool.split(group)

    asyncio.run(store.record(kept))

    assert [] == list(spool.folder.iterdir())


def test_a_result_that_is_refused_in_every_form_is_never_deleted(spool: FileSpool) -> None:
    store = SpoolingWorkStore(inner=Database(refused_bodies=frozenset({"bad"})), spool=spool)

    async def record_as_generation_does(result: ItemFailed) -> None:
        async with ResultRecorder.open(store) as recorder:
            outcome = await recorder.store(result, result.settings)
            assert outcome.outcome == "recorded", "without anything from outside"

    asyncio.run(record_as_generation_does(make_failed(b"bad")))
    assert ["bad"] == read_bodies(spool)

    recorder = Recorder(answers={"bad": DatabaseRejected("refused for ever")})
    assert replay(spool, recorder) == 0
    (aside,) = list_aside(spool)
    assert json.loads(aside.read_text())["attempt"]["response_body"] == "bad"
    assert "refused for ever" in read_reason(aside)


def test_a_result_that_is_taken_in_another_form_leaves_nothing_behind(spool: FileSpool) -> None:
    result = make_failed(b"paid for")
    store = SpoolingWorkStore(inner=(database := Database(away=DatabaseRejected("refused"))), spool=spool)
    with pytest.raises(DatabaseRejected):
        record(store, result)
    replay(spool, Recorder(answers={"paid for": DatabaseRejected("refused")}))  # The reconciler comes in between.
    assert len(list_aside(spool)) == 1

    database.away = None
    record(store, describe_rejected(result, DatabaseRejected("refused"), result.settings))

    assert [] == [path for path in spool.folder.rglob("*") if path.is_file()]


def test_the_bytes_of_a_reply_stay_on_disk_where_only_a_failure_without_them_is_taken(spool: FileSpool) -> None:
    result = make_failed(b"paid for")
    store = SpoolingWorkStore(inner=Database(refused_bodies=frozenset({"paid for"})), spool=spool)
    with pytest.raises(DatabaseRejected):
        record(store, result)

    record(store, describe_unstorable(result, DatabaseRejected("refused")))
    replay(spool, Recorder(answers={"paid for": DatabaseRejected("refused for ever")}))

    (aside,) = list_aside(spool)
    assert json.loads(aside.read_text())["attempt"]["response_body"] == "paid for"


def test_the_form_that_was_brought_last_is_the_one_on_disk(spool: FileSpool) -> None:
    result = make_failed(b"paid for")

    keep(spool, result)
    keep(spool, describe_rejected(result, DatabaseRejected("no such column"), result.settings))

    (path,) = spool.list_waiting()
    assert "no such column" in path.read_text()


@pytest.mark.parametrize("outcome", ["recorded", "lease_lost"])
def test_a_result_that_the_database_has_is_removed(spool: FileSpool, outcome: Outcome) -> None:
    keep(spool, make_failed(b"paid for"))

    assert replay(spool, Recorder(answers={"paid for": outcome})) == 1
    assert [] == list(spool.folder.iterdir())


def test_a_result_of_an_item_that_is_gone_is_set_aside_by_worker_and_reconciler(spool: FileSpool) -> None:
    database = Database(outcome=RecordOutcome(outcome="no_such_item"))
    record(SpoolingWorkStore(inner=database, spool=spool), make_failed(b"paid for"))
    assert ["paid for"] == read_bodies(spool)

    assert replay(spool, Recorder(answers={"paid for": "no_such_item"})) == 0

    (aside,) = list_aside(spool)
    assert "another database" in read_reason(aside)


def make_directory(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("kept")


def write_valid(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(encode_result(make_failed(b"valid")) | changes))


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MOST_FILE_BYTES + 1)


def link_to_valid(path: Path) -> None:
    write_valid(target := path.parent.parent / "elsewhere.json")
    path.symlink_to(target)


BAD: dict[str, Callable[[Path], object]] = {
    "empty": Path.touch,
    "not JSON": lambda path: path.write_text("paid for"),
    "truncated": lambda path: path.write_text('{"kind": "success", "attempt": {"resp'),
    "not UTF-8": lambda path: path.write_bytes(b'{"kind": "\xff"}'),
    "nested deeply": lambda path: path.write_text("[" * 200_000),
    "a number that JSON does not know": lambda path: write_valid(path, delay_seconds=float("nan")),
    "a long number": lambda path: path.write_text('{"a": ' + "9" * 10_000 + "}"),
    "a list": lambda path: path.write_text("[]"),
    "null": lambda path: path.write_text("null"),
    "an unknown kind": lambda path: write_valid(path, kind="gift"),
    "no attempt": lambda path: write_valid(path, attempt=None),
    "an attempt without an id": lambda path: write_valid(path, attempt={}),
    "an item that is no id": lambda path: write_valid(path, item_id="first"),
    "a directory": make_directory,
    "a pipe": os.mkfifo,
    "a link": link_to_valid,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to an endless file": lambda path: path.symlink_to("/dev/zero"),
    "huge": make_huge,
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_a_file_that_is_no_result_is_set_aside_as_it_is_and_the_rest_goes_on(
    spool: FileSpool, make: Callable[[Path], object]
) -> None:
    recorder, before, behind = Recorder(), make_failed(b"before"), make_failed(b"behind")
    keep(spool, before)
    make(path := spool.folder / "bad.json")
    found = path.lstat()
    keep(spool, behind)
    set_age(path, 60)

    assert replay(spool, recorder) == 2

    assert {"before", "behind"} == set(recorder.recorded)
    (aside,) = list_aside(spool)
    assert (found.st_ino, found.st_size, found.st_mode) == (
        aside.lstat().st_ino,
        aside.lstat().st_size,
        aside.lstat().st_mode,
    )
    assert read_reason(aside).strip()
    assert spool.count_stuck() == 1
    assert replay(spool, recorder) == 0


@contextmanager
def not_as_root(folder: Path) -> Iterator[None]:
    """Run as somebody who owns a folder and nothing else: nothing is unreadable to root."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(folder, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_without_permission_is_set_aside() -> None:
    with TemporaryDirectory() as folder, not_as_root(Path(folder)):
        spool = FileSpool(folder=Path(folder) / "spool", min_age_seconds=0)
        keep(spool, make_failed(b"paid for"))
        (path,) = spool.list_waiting()
        path.chmod(0)

        assert replay(spool, Recorder()) == 0

        assert "Permission denied" in read_reason(list_aside(spool)[0])


@pytest.mark.parametrize("suffix", [".json", ".tmp"])
@pytest.mark.parametrize("letter", ["x", "ß"])
def test_a_file_with_the_longest_name_is_set_aside(spool: FileSpool, letter: str, suffix: str) -> None:
    longest = letter * ((255 - len(suffix)) // len(letter.encode())) + suffix
    spool.folder.mkdir()
    path = spool.folder / longest
    path.write_text("no result")
    set_age(path, 2 * ABANDONED_AFTER_SECONDS)

    assert replay(spool, Recorder()) == 0

    (aside,) = list_aside(spool)
    assert aside.read_text() == "no result"
    assert read_reason(aside).strip()
    assert [] == spool.list_waiting()


@pytest.mark.parametrize(
    "error", [DatabaseRejected("refused"), ValueError("our own defect"), UnicodeEncodeError("u", "", 0, 1, "")]
)
def test_a_result_that_cannot_be_recorded_is_set_aside_and_the_rest_goes_on(spool: FileSpool, error: Exception) -> None:
    recorder = Recorder(answers={"bad": error})
    for body in (b"first", b"bad", b"last"):
        keep(spool, make_failed(body))

    assert replay(spool, recorder) == 2

    assert {"first", "last"} == set(recorder.recorded)
    (aside,) = list_aside(spool)
    assert json.loads(aside.read_text())["attempt"]["response_body"] == "bad"


@pytest.mark.parametrize("error", [DatabaseUnavailable("away"), NotSignedIn("wrong key")])
def test_a_database_that_takes_nothing_at_all_sets_nothing_aside(spool: FileSpool, error: Exception) -> None:
    keep(spool, make_failed(b"paid for"))

    with pytest.raises(type(error)):
        replay(spool, Recorder(answers={"paid for": error}))

    assert ["paid for"] == read_bodies(spool)
    assert [] == list_aside(spool)


def test_what_is_set_aside_never_replaces_what_was_before_and_is_recorded_when_it_is_moved_back(spool: FileSpool) -> None:
    keep(spool, result := make_failed(b"paid for"))
    (path,) = spool.list_waiting()
    spool.set_aside(path, "first")
    keep(spool, result)
    spool.set_aside(path, "second")
    assert ["first\n", "second\n"] == sorted(read_reason(aside) for aside in list_aside(spool))
    assert spool.count_stuck() == 2

    for aside in list_aside(spool):
        aside.rename(spool.folder / aside.name)

    assert replay(spool, Recorder()) == 2
    assert spool.count_stuck() == 0


def test_a_file_that_is_being_written_is_left_alone_until_its_worker_is_long_dead(spool: FileSpool) -> None:
    spool.folder.mkdir()
    half, whole = spool.folder / f"{uuid4()}.12.tmp", spool.folder / f"{UUID(int=1)}.12.tmp"
    half.write_text('{"half')
    write_valid(whole)
    assert [] == spool.list_waiting()

    set_age(half, ABANDONED_AFTER_SECONDS + 1)
    set_age(whole, ABANDONED_AFTER_SECONDS + 1)

    recorder = Recorder()
    assert replay(spool, recorder) == 1
    assert ["valid"] == recorder.recorded
    assert [half.name.partition(".")[0]] == [path.stem for path in list_aside(spool)]


def test_what_an_earlier_version_put_aside_is_looked_at_again(spool: FileSpool) -> None:
    spool.folder.mkdir()
    write_valid(spool.folder / f"{uuid4()}.rejected")

    assert replay(spool, Recorder()) == 1


def test_what_has_waited_for_very_long_counts_as_stuck(spool: FileSpool) -> None:
    keep(spool, make_failed(b"paid for"))
    assert spool.count_stuck() == 0

    set_age(spool.list_waiting()[0], STUCK_AFTER_SECONDS + 1)

    assert spool.count_stuck() == 1


def test_a_folder_that_cannot_be_listed_is_an_error_and_one_that_is_not_there_is_not(tmp_path: Path) -> None:
    assert replay(FileSpool(folder=tmp_path / "none"), Recorder()) == 0
    (tmp_path / "file").touch()

    with pytest.raises(OSError, match="Not a directory"):
        replay(FileSpool(folder=tmp_path / "file"), Recorder())
