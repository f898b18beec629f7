"""How sure a finding must be to count, and what is normal in a file."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from core.cli.main import app
from core.domain.verdict.formats.judging import MOST_READ_AHEAD
from tests.support.scans import ScanText
from tests.unit.scan.dialogues import GOOD, make_messages, write_lines

SHORT = (GOOD[0], "Whole life insurance", GOOD[2], GOOD[3])
UNFINISHED = (GOOD[0], "It is late. The second page holds everything about my house", GOOD[2], GOOD[3])
CHAT = ("i lost the letter again. can you tell me what it said about fees", GOOD[1])


@pytest.mark.parametrize(("least", "flagged"), [("low", 2), ("medium", 1), ("high", 0)])
def test_only_what_is_sure_enough_is_printed_and_counted(tmp_path: Path, least: str, flagged: int) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(write_lines(make_messages(SHORT), make_messages(UNFINISHED)))

    result = CliRunner().invoke(app, ["scan", "--json", "--min-confidence", least, str(path)])
    *rows, last = [json.loads(line) for line in result.stdout.splitlines()]

    assert (flagged, min(flagged, 1)) == (len(rows), result.exit_code)
    assert last["summary"]["flagged_conversations"] == flagged


def test_where_a_speaker_writes_without_full_stops_that_is_no_cut(scan_text: ScanText) -> None:
    usual = write_lines(*[make_messages(CHAT)] * 20)
    rare = write_lines(*[make_messages(GOOD)] * 20, make_messages(CHAT))

    assert scan_text(usual).places == []
    assert scan_text(rare).places == [(20, 0, "user", "mid_word")]


def test_where_all_others_end_with_a_mark_its_lack_is_a_sign(scan_text: ScanText) -> None:
    assert scan_text(write_lines(make_messages(SHORT), *[make_messages(GOOD)] * 40)).places == [
        (0, 1, "assistant", "mid_word")
    ]
    assert scan_text(write_lines(*[make_messages(SHORT)] * 2, *[make_messages(GOOD)] * 40)).places == []


def test_everything_beyond_what_is_read_ahead_is_judged_in_order(scan_text: ScanText) -> None:
    many = [make_messages(GOOD)] * MOST_READ_AHEAD
    scanned = scan_text(write_lines(make_messages(UNFINISHED), *many, make_messages(UNFINISHED)) + "{broken\n")

    assert [place[0] for place in scanned.places] == [0, MOST_READ_AHEAD + 1]
    assert scanned.summary["conversations"] == MOST_READ_AHEAD + 2
    assert scanned.exit_code == 2
