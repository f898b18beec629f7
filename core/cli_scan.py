"""`brightrun scan`: the verdict on files of conversations."""

import json
import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.control import Control
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import ControlType

from core.adapters.dataset_files import find_files, measure_file, read_entries
from core.domain.formats.entries import Unreadable
from core.domain.formats.flagging import FlaggedTurn
from core.services.scanning import Scan

_SHOWN_PROBLEMS = 20
_PROGRESS_STEP = 2**20


class ScanExit(IntEnum):
    """What the exit code says; unreadable input outweighs flagged turns."""

    CLEAN = 0
    FLAGGED = 1
    UNREADABLE = 2


class _ProgressBar:
    """A bar over all bytes on standard error, where that is a terminal; other lines go above it."""

    def __init__(self, total: int) -> None:
        self._console = Console(stderr=True)
        columns = (TextColumn("scan"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        # Drawn by this thread alone and only when it advances, so that it never falls between two parts of a line.
        self._bar = Progress(
            *columns,
            console=self._console,
            disable=not self._console.is_terminal,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("scan", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, size: int) -> None:
        """Count bytes as read."""
        self._bar.update(self._task, advance=size, refresh=True)

    def print_above(self, line: str, *, err: bool = False) -> None:
        """Print a line to standard output or standard error."""
        if self._console.is_terminal and (err or sys.stdout.isatty()):
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
        typer.echo(line, err=err)


def scan(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files, or folders of *.json and *.jsonl.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each flagged turn.")] = False,
) -> None:
    """Judge conversations in files: which turns are cut off, damaged or malformed? Exits with 1 if any, 2 if unreadable."""
    run = Scan()
    problems = 0
    files = [(path, find_files(path)) for path in paths]
    total = sum(measure_file(file) for _, found in files for file in found)
    with _ProgressBar(total) as bar:
        for path, found in files:
            if not found:
                problems += 1
                problem = Unreadable(place=None, reason="the folder holds no *.json or *.jsonl file")
                bar.print_above(_describe_problem(str(path), problem), err=True)
            for file in found:
                _scan_file(run, file, bar, as_json=as_json)
    _print_summary(run, as_json=as_json)
    raise typer.Exit(_choose_exit(run, problems))


def escape_controls(text: str) -> str:
    """Text that can do nothing to a terminal: whatever is no printable character is written as its escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _scan_file(run: Scan, file: Path, bar: _ProgressBar, *, as_json: bool) -> None:
    source, seen, shown = str(file), 0, 0

    def follow(position: int) -> None:
        nonlocal seen
        if position - seen >= _PROGRESS_STEP:
            bar.advance(position - seen)
            seen = position

    for found in run.scan_entries(read_entries(file, follow)):
        match found:
            case Unreadable():
                shown += 1
                if shown <= _SHOWN_PROBLEMS:
                    bar.print_above(_describe_problem(source, found), err=True)
            case FlaggedTurn():
                bar.print_above(_describe_as_json(source, found) if as_json else _describe(source, found))
    if shown > _SHOWN_PROBLEMS:
        more = Unreadable(place=None, reason=f"{shown - _SHOWN_PROBLEMS} more lines or records that cannot be read")
        bar.print_above(_describe_problem(source, more), err=True)
    bar.advance(measure_file(file) - seen)


def _describe_as_json(source: str, turn: FlaggedTurn) -> str:
    row = {
        "source": source,
        "conversation": turn.conversation_id,
        "turn": turn.turn_index,
        "role": turn.role,
        "pattern": turn.flag.name,
        "confidence": turn.flag.confidence,
        "tail": turn.tail,
        "failure_type": turn.flag.failure_type,
        "details": turn.flag.details,
    }
    return json.dumps(row)


def _describe(source: str, turn: FlaggedTurn) -> str:
    place = "whole reply" if turn.turn_index is None else f"turn {turn.turn_index} ({turn.role or 'unknown role'})"
    verdict = f"{turn.flag.name}, {turn.flag.confidence}"
    lines = (
        f"{source}: conversation {turn.conversation_id}, {place}: {verdict}",
        f"    {turn.flag.details}",
        f"    ends: {turn.tail}",
    )
    return "\n".join(escape_controls(line) for line in lines)


def _describe_problem(source: str, problem: Unreadable) -> str:
    place = f", {problem.place}" if problem.place else ""
    return escape_controls(f"brightrun: {source}{place}: {problem.reason}")


def _print_summary(run: Scan, *, as_json: bool) -> None:
    summary = run.summary
    if as_json:
        typer.echo(json.dumps({"summary": summary.model_dump()}))
        return
    typer.echo(
        f"{summary.conversations} conversations with {summary.turns} turns: {summary.flagged_turns} turns flagged in "
        f"{summary.flagged_conversations} conversations. Turns count from 0."
    )
    for name, count in run.count_patterns():
        typer.echo(f"  {name:<24}{count:>8}")
    if run.unreadable:
        typer.echo(f"Unreadable: {run.unreadable} files or records, not counted above.")


def _choose_exit(run: Scan, problems: int) -> ScanExit:
    if problems or run.unreadable:
        return ScanExit.UNREADABLE
    return ScanExit.FLAGGED if run.summary.flagged_turns else ScanExit.CLEAN
