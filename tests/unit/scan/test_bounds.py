"""Whatever a file holds, reading it takes bounded memory, ends, and says what was left out."""

import gzip
import json
import os
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import chain, count, repeat
from pathlib import Path

import pytest

from core.adapters.files.bounded_file import FileRefused, open_regular_file
from core.adapters.files.dataset_files import DiskFile, UploadedFile, read_entries
from core.bench.hostile_files import HostileFile, list_hostile_files
from core.bench.uploads import run_uploads
from core.domain.verdict.formats.entries import Entry, JsonEntry, Unreadable
from core.domain.verdict.formats.pairs import PairAssembler, read_pair_turns
from core.domain.verdict.formats.reading import read_conversations
from core.domain.verdict.limits import (
    DEEPEST,
    LARGEST_RECORD,
    LEAST_EXPANDED,
    LONGEST_LABEL,
    MEGABYTE,
    MOST_BLANK_LINES,
    MOST_TURNS,
    MOST_UNREADABLE,
    MOST_VALUES,
)
from core.errors import InvalidRequest
from core.services.scanning import Scan
from tests.support.scans import ScanPaths, ScanText
from tests.unit.scan.dialogues import CUT, GOOD, make_api_message, make_messages, make_pairs, write_lines

pytestmark = pytest.mark.no_cover  # Millions of turns: measuring would double what takes longest.

DEEP = 20_000
NESTED = "[" * DEEP + "]" * DEEP
MESSAGE = '{"role":"user","content":"Yes."}'
GOOD_RECORD, CUT_RECORD = json.dumps(make_messages(GOOD)), json.dumps(make_messages(CUT))


def read_all(content: bytes) -> list[Entry]:
    return list(UploadedFile(name="data", content=content).read_entries(lambda _: None))


def say(content: bytes | str) -> list[str]:
    entries = read_all(content if isinstance(content, bytes) else content.encode())
    return [f"{entry.place}: {entry.reason}" for entry in entries if isinstance(entry, Unreadable)]


@pytest.mark.parametrize(
    "nested", ["[" * DEEP, '{"a":' * DEEP, NESTED, '[{"b":' * DEEP], ids=["list", "object", "closed", "mixed"]
)
@pytest.mark.parametrize(
    "around",
    [
        "[{good},{nested}",
        '{{"conversations":[{good},{nested}',
        '{{"training_pairs":[{good},{nested}',
        '[{good},{{"messages":{nested}',
    ],
)
def test_what_is_nested_behind_the_first_item_is_named_before_it_costs(around: str, nested: str) -> None:
    content = around.format(good=GOOD_RECORD, nested=nested).encode()
    tracemalloc.start()
    try:
        entries = read_all(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert isinstance(entries[0], JsonEntry)
    assert ("item 1", True) == (entries[1].place, "nested more than" in entries[1].reason)  # type: ignore[union-attr]
    assert peak < 60 * MEGABYTE


def test_a_nested_line_does_not_keep_the_others_from_being_read(scan_text: ScanText) -> None:
    scanned = scan_text(f'{CUT_RECORD}\n{NESTED}\n{{"messages":{NESTED}}}\n{CUT_RECORD}\n')

    assert [0, 3] == [row["conversation"] for row in scanned.rows]
    assert all(
        f"line {line}: not JSON that can be read: nested more than {DEEPEST} levels" in scanned.errors for line in (2, 3)
    )


@pytest.mark.parametrize("text", [f'{{"turns":{NESTED}}}', '{"turns":[' + '{"a":' * DEEP], ids=["whole", "cut"])
def test_what_is_nested_in_the_text_of_a_reply_is_a_reply_that_cannot_be_parsed(scan_text: ScanText, text: str) -> None:
    scanned = scan_text(write_lines(make_api_message(text), make_messages(CUT)))

    assert ["parse_error", "lone_backslash"] == [row["pattern"] for row in scanned.rows]
    assert "nested more than" in scanned.rows[0]["details"]


@pytest.mark.parametrize("levels", [DEEPEST - 3, DEEPEST])
def test_up_to_the_limit_any_depth_is_read(levels: int) -> None:
    nested = "[" * levels + "]" * levels

    told = say(f"[{GOOD_RECORD},{nested}]"), say(f"{GOOD_RECORD}\n{nested}\n")

    assert ([], []) == told


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (f"[{'0,' * MOST_VALUES}0]", "more than 250,000 values"),
        (f'{{"messages":[{"{}," * MOST_VALUES}0]}}', "more than 250,000 values"),
        ("{" + ",".join(f'"{number}":0' for number in range(MOST_VALUES + 1)) + "}", "more than 250,000 values"),
        ("9" * 5000, "thousands of digits"),
        ('"' + "x" * LARGEST_RECORD + '"', "larger than 4 MB"),
        (" " * LARGEST_RECORD + "1", "larger than 4 MB"),
        ("\ufeff" * 10, "not JSON"),
    ],
    ids=["values", "objects", "keys", "digits", "text", "blanks", "marks"],
)
def test_a_line_that_is_too_much_is_left_out(record: str, words: str) -> None:
    (told,) = say(f"{GOOD_RECORD}\n{record}\n{GOOD_RECORD}\n")

    assert told.startswith("line 2: ")
    assert words in told


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (f"[{'0,' * MOST_VALUES}0]", "item 1: not JSON that can be read: more than 250,000 values"),
        (NESTED, f"item 1: not JSON that can be read: nested more than {DEEPEST} levels"),
        ("9" * 5000, "item 1: not JSON that can be read: an integer has thousands of digits"),
        ("9" * 2 * LARGEST_RECORD, "item 1: larger than 4 MB"),
        ('"' + "x" * 2 * LARGEST_RECORD + '"', "item 1: larger than 4 MB"),
        ('"' + "\\\\" * LARGEST_RECORD + '"', "item 1: larger than 4 MB"),
        (f'{{"messages":["{"x" * 2 * LARGEST_RECORD}"]}}', "item 1: larger than 4 MB"),
    ],
    ids=["values", "levels", "digits", "endless digits", "text", "escapes", "object"],
)
def test_an_item_that_is_too_much_is_left_out_and_no_other(item: str, words: str) -> None:
    entries = read_all(f"[{GOOD_RECORD},{item},{GOOD_RECORD}]".encode())

    assert [JsonEntry, Unreadable, JsonEntry] == [type(entry) for entry in entries]
    assert [words] == [told[: len(words)] for told in say(f"[{GOOD_RECORD},{item},{GOOD_RECORD}]")]


def test_blanks_between_items_cost_nothing() -> None:
    assert [] == say(f"[{GOOD_RECORD},{' ' * 2 * LARGEST_RECORD}{GOOD_RECORD}]")


def test_text_with_brackets_and_commas_is_text(scan_text: ScanText) -> None:
    talk = ("([{" * 200 + ", " * MOST_VALUES, *CUT[1:])

    scanned = scan_text(write_lines(make_messages(talk)))

    assert (4, "lone_backslash") == (scanned.summary["turns"], scanned.rows[-1]["pattern"])


def test_more_turns_than_anybody_says_are_left_out(scan_text: ScanText) -> None:
    scanned = scan_text(
        f'{{"messages":[{MESSAGE}{",0" * MOST_TURNS}]}}\n{{"training_pairs":[{{"target_response":"","conversation_history":'
        f'[{"0," * MOST_TURNS}0]}}]}}\n{{"conversation_metadata":0,"turns":[{"0," * MOST_TURNS}0]}}\n{CUT_RECORD}\n'
    )

    assert 2 == scanned.errors.count("more than 50,000 turns in one conversation")
    assert [(2, "There are more than 50,000 turns"), (3, None)] == [
        (row["conversation"], row["details"] if row["pattern"] == "validation_error" else None)
        for row in scanned.rows
        if row["turn"] is None or row["pattern"] == "lone_backslash"
    ]


def test_a_long_id_or_role_is_not_repeated_whole(scan_text: ScanText) -> None:
    scanned = scan_text(json.dumps({"id": "i" * 10_000, "messages": [{"role": "r" * 10_000, "content": "Yes,"}] * 3}))

    assert {("i" * LONGEST_LABEL, "r" * LONGEST_LABEL)} == {(row["conversation"], row["role"]) for row in scanned.rows}


def test_numbers_without_end_are_no_ids(scan_text: ScanText) -> None:
    scanned = scan_text(f'{{"id": {"1" * 4000}, "messages": []}}')

    assert "1" * LONGEST_LABEL == scanned.rows[0]["conversation"]


def test_a_file_of_nothing_that_can_be_read_is_left() -> None:
    entries: Iterator[Entry] = (JsonEntry(place=f"line {number}", value=None) for number in count(1))

    found = list(read_conversations(entries))

    assert MOST_UNREADABLE + 1 == len(found)
    assert "the rest is left out" in str(found[-1])


@pytest.mark.parametrize("begin", ["", f"{GOOD_RECORD}\n{GOOD_RECORD}"], ids=["first", "behind"])
def test_blank_lines_without_end_end(begin: str) -> None:
    (told,) = say(begin + "\n" * 2 * MOST_BLANK_LINES)

    assert "blank" in told


class TestPacked:
    """Files of gzip."""

    def pack(self, begin: str, rest: bytes, megabytes: int = 2 * LEAST_EXPANDED // MEGABYTE) -> bytes:
        return gzip.compress(b"".join(chain([begin.encode()], repeat(rest * (MEGABYTE // len(rest)), megabytes))))

    @pytest.mark.parametrize(
        ("begin", "rest", "words"),
        [
            ("", b"\n", "nothing but blanks"),
            (f"{GOOD_RECORD}\n{GOOD_RECORD}\n", b"\n", "only blank lines"),
            (f"[{GOOD_RECORD},", b" ", "unpacks to more than 100 times its size"),
            (f'{GOOD_RECORD}\n{{"messages":"', b"x", "unpacks to more than 100 times its size"),
            (f'[{GOOD_RECORD},"', b"x", "unpacks to more than 100 times its size"),
        ],
        ids=["line breaks", "line breaks behind", "blanks in an array", "endless line", "endless text"],
    )
    def test_what_unpacks_without_end_ends(self, begin: str, rest: bytes, words: str) -> None:
        assert words in say(self.pack(begin, rest))[-1]

    def test_small_files_may_be_very_uniform(self) -> None:
        assert 20_000 == len(read_all(gzip.compress(f"{GOOD_RECORD}\n".encode() * 20_000)))

    def test_members_are_read_one_after_the_other(self) -> None:
        member = gzip.compress(f"{GOOD_RECORD}\n".encode())

        assert [JsonEntry] * 3 == [type(entry) for entry in read_all(member + gzip.compress(b"") * 1000 + member * 2)]

    @pytest.mark.parametrize("behind", [b"\x1f", b"xx", b"\x1f\x8b\x08broken"])
    def test_what_stands_behind_is_told_and_the_records_are_read(self, behind: bytes) -> None:
        entries = read_all(gzip.compress(f"{GOOD_RECORD}\n".encode() * 5) + behind)

        assert [JsonEntry] * 5 + [Unreadable] == [type(entry) for entry in entries]

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (gzip.compress(gzip.compress(GOOD_RECORD.encode())), "packed twice"),
            (b"PK\x03\x04", "packed with zip"),
            (b"BZh91AY", "packed with bzip2"),
            (b"\xfd7zXZ\x00", "packed with xz"),
            (b"\x28\xb5\x2f\xfd\x00\x00", "packed with zstd"),
        ],
    )
    def test_other_packings_are_named(self, content: bytes, words: str) -> None:
        assert words in say(content)[0]


class TestSpecialFiles:
    """What has a path and is no file."""

    @pytest.fixture(params=["pipe", "socket", "device", "endless device", "folder", "loop", "process"])
    def special(self, request: pytest.FixtureRequest, tmp_path: Path) -> Path:
        path = tmp_path / "data.jsonl"
        match request.param:
            case "pipe":
                os.mkfifo(path)
            case "socket":
                with socket.socket(socket.AF_UNIX) as listener:
                    listener.bind(os.path.relpath(path))
            case "folder":
                path.mkdir()
            case "loop":
                path.symlink_to(path)
            case "process":
                path.symlink_to("/proc/self/maps")
            case "endless device":
                path.symlink_to("/dev/zero")
            case _:
                path.symlink_to("/dev/null")
        return path

    def test_it_is_refused_with_a_word(self, special: Path) -> None:
        (entry,) = read_entries(special, lambda _: None)

        assert isinstance(entry, Unreadable)
        assert any(words in entry.reason for words in ("not a file", "levels of symbolic links", "the file is empty"))

    def test_a_folder_with_a_pipe_in_it_is_scanned(self, scan_paths: ScanPaths, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a.jsonl")
        (tmp_path / "b.jsonl").write_text(f"{CUT_RECORD}\n")

        scanned = scan_paths(tmp_path)

        assert "a pipe, not a file" in scanned.errors
        assert 1 == len(scanned.rows)

    def test_an_import_of_a_device_is_refused(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.jsonl")

        for path in (Path("/dev/zero"), tmp_path / "pipe.jsonl", tmp_path):
            with pytest.raises(InvalidRequest, match="not a file"):
                DiskFile(path=path).hash_content()

    def test_what_was_opened_is_looked_at_and_not_only_the_path(self, tmp_path: Path) -> None:
        """A path that is a pipe when it is opened, though it was a file when it was looked at."""
        pipe, path = tmp_path / "pipe", ChangingPath(tmp_path / "file.jsonl")
        os.mkfifo(pipe)
        Path(path).write_text(GOOD_RECORD)
        path.becomes = pipe

        with pytest.raises(FileRefused, match="a pipe, not a file"):
            open_regular_file(path)

    def test_a_file_without_end_is_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "sparse.jsonl"
        with path.open("wb") as file:
            file.truncate(2**40)

        (entry,) = read_entries(path, lambda _: None)

        assert "larger than 64 GB" in str(entry)

    def test_a_file_that_grows_ends_where_it_ended(self, tmp_path: Path) -> None:
        path = tmp_path / "growing.jsonl"
        path.write_text(f"{GOOD_RECORD}\n" * 3)

        def grow(_: int) -> None:
            with path.open("a") as file:
                file.write(f"{GOOD_RECORD}\n")

        assert 3 == sum(1 for _ in read_entries(path, grow))


class ChangingPath(type(Path())):  # type: ignore[misc]
    """A path that leads elsewhere as soon as it was looked at."""

    becomes: Path | None = None

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        seen = super().stat(follow_symlinks=follow_symlinks)
        if self.becomes is not None:
            self.unlink()
            self.becomes.rename(self)
        return seen


class TestPairs:
    """Training pairs, of which a file's reader remembers what it has seen."""

    def test_of_very_many_conversations_not_all_are_remembered(self) -> None:
        assembler = PairAssembler(count())
        for number in range(70_000):
            assembler.add_pair(number, read_pair_turns({"target_response": "Yes."}), {})

        assert len(assembler._known) < 60_000

    def test_pairs_that_stand_together_are_put_together_all_the_same(self) -> None:
        labels = {"persona": "x" * 100_000}
        scan = Scan(["persona"])
        pairs = (pair | {"persona": labels["persona"]} for n in range(2_000) for pair in make_pairs(GOOD, f"c{n}"))
        entries = (JsonEntry(place="line", value=pair) for pair in pairs)

        assert [] == list(scan.scan_entries(entries))
        assert (2_000, 2_000 * len(GOOD)) == (scan.summary.conversations, scan.summary.turns)

    def test_conversations_that_begin_alike_are_compared_with_the_latest_only(self) -> None:
        pairs: Callable[[int], dict[str, object]] = lambda number: {  # noqa: E731 - a row of a table
            "conversation_history": [{"role": "user", "content": "Hi."}],
            "target_response": f"{number}.",
        }
        assembler = PairAssembler(count())
        for number in range(5_000):
            assembler.add_pair("one", read_pair_turns(pairs(number)), {})

        assert 100 == max(map(len, assembler._known.values()))


MANY_ALIKE = {"headers.jsonl.gz", "conversations.jsonl.gz", "empty-records.jsonl.gz"}
"""Long, but nothing that is read differently."""


@pytest.mark.parametrize(
    "hostile",
    [hostile for hostile in list_hostile_files(MEGABYTE // 5) if hostile.name not in MANY_ALIKE],
    ids=lambda hostile: hostile.name,
)
def test_every_kind_of_hostile_file_ends_in_a_word_or_a_verdict(hostile: HostileFile, tmp_path: Path) -> None:
    """The files of `brightrun bench uploads`, small."""
    path = tmp_path / hostile.name
    hostile.write(path)
    scan = Scan()

    found = list(scan.scan_entries(read_entries(path, lambda _: None)))

    assert found or scan.summary.conversations or "headers" in path.name
    assert all(len(str(each)) < 5_000 for each in found)


@pytest.mark.parametrize("kind", ["nested-behind-first-item", "wide-text.jsonl", "line-breaks.jsonl.gz"])
def test_hostile_files_are_measured_in_processes_of_their_own(kind: str) -> None:
    (cost,) = run_uploads(4, kind, lambda _: None)

    assert cost.is_bounded
    assert cost.page_mb > 0
