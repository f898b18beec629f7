"""`brightrun scan`: the verdict on files of conversations."""

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

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
    with _progress_bar(total) as advance:
        for path, found in files:
            if not found:
                problems += 1
                _print_problem(str(path), Unreadable(place=None, reason="the folder holds no *.json or *.jsonl file"))
            for file in found:
                _scan_file(run, file, advance, as_json=as_json)
    _print_summary(run, as_json=as_json)
    raise typer.Exit(_choose_exit(run, problems))


def escape_controls(text: str) -> str:
    """Text that can do nothing to a terminal: whatever is no printable character is written as its escape."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)


def _scan_file(run: Scan, file: Path, advance: Callable[[int], None], *, as_json: bool) -> None:
    source, seen, shown = str(file), 0, 0

    def follow(position: int) -> None:
        nonlocal seen
        if position - seen >= _PROGRESS_STEP:
            advance(position - seen)
            seen = position

    for found in run.scan_entries(read_entries(file, follow)):
        match found:
            case Unreadable():
                shown += 1
                if shown <= _SHOWN_PROBLEMS:
                    _print_problem(source, found)
            case FlaggedTurn():
                _print_flagged(source, found, as_json=as_json)
    if shown > _SHOWN_PROBLEMS:
        typer.echo(f"brightrun: {escape_controls(source)}: {shown - _SHOWN_PROBLEMS} more problems of this kind", err=True)
    advance(measure_file(file) - seen)


def _print_flagged(source: str, turn: FlaggedTurn, *, as_json: bool) -> None:
    flag = turn.flag
    if as_json:
        row = {
            "source": source,
            "conversation": turn.conversation_id,
            "turn": turn.turn_index,
            "role": turn.role,
            "pattern": flag.name,
            "confidence": flag.confidence,
            "tail": turn.tail,
            "failure_type": flag.failure_type,
            "details": flag.details,
        }
        typer.echo(json.dumps(row))
        return
    place = "whole reply" if turn.turn_index is None else f"turn {turn.turn_index} ({turn.role or 'unknown role'})"
    typer.echo(escape_controls(f"{source}: conversation {turn.conversation_id}, {place}: {flag.name}, {flag.confidence}"))
    typer.echo(f"    {escape_controls(flag.details)}")
    typer.echo(f"    ends: {escape_controls(turn.tail)}")


def _print_problem(source: str, problem: Unreadable) -> None:
    place = f", {problem.place}" if problem.place else ""
    typer.echo(escape_controls(f"brightrun: {source}{place}: {problem.reason}"), err=True)


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


@contextmanager
def _progress_bar(total: int) -> Generator[Callable[[int], None]]:
    """A bar over all bytes on standard error, where that is a terminal; it never takes standard output's lines."""
    console = Console(stderr=True)
    columns = (TextColumn("scan"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, disable=not console.is_terminal, transient=True, redirect_stdout=sys.stdout.isatty()
    ) as bar:
        task = bar.add_task("scan", total=total)
        yield lambda step: bar.update(task, advance=step)
