from pathlib import Path

from typer.testing import CliRunner

from core.cli.main import app
from core.terminal import escape_controls
from tests.unit.scan.dialogues import CUT, GOOD, make_messages, write_lines


def scan(path: Path) -> str:
    return CliRunner().invoke(app, ["scan", str(path)]).output


def test_text_ends_with_counts_by_pattern(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(write_lines(make_messages(CUT), make_messages(CUT), make_messages((*GOOD[:3], "And so"))))
    lines = scan(path).splitlines()

    assert f"{path}: conversation 0, turn 1 (assistant): lone_backslash, high" == lines[0]
    assert lines[-3] == "3 conversations with 12 turns: 3 turns flagged in 3 conversations. Turns count from 0."
    assert [line.split() for line in lines[-2:]] == [["lone_backslash", "2"], ["mid_word", "1"]]


def test_no_control_sequence_reaches_the_terminal(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e"
    path = tmp_path / "data.jsonl"
    path.write_text(
        write_lines(
            make_messages((GOOD[0], f"Look {evil} at the"), id=evil), {"messages": [{"role": evil, "content": "Hm."}]}
        )
    )
    output = scan(path)

    assert "\\x1b]0;owned" in output
    assert all(sign.isprintable() or sign == "\n" for sign in output)


def test_half_a_character_can_be_printed() -> None:
    assert escape_controls("a\ud83db é 日") == "a\\ud83db é 日"
