"""`brightrun scan`: the verdict on files of conversations."""

import json
import sys
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Self

import typer
from rich.console import Console
from rich.control import Control
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import ControlType

from core.adapters.files.dataset_files import SUFFIXES, find_files, measure_file, read_entries
from core.cli.reading_options import (
    ConfidenceOption,
    JudgeOption,
    PathsArgument,
    RolesOption,
    choose_options,
    describe_counts,
    describe_rejected,
    parse_roles,
)
from core.domain.diagnosis.findings import format_failure_rate, format_p
from core.domain.diagnosis.suspects import Suspect, SuspectReport, SuspectStatus
from core.domain.verdict.formats.entries import Unreadable
from core.domain.verdict.formats.flagging import FlaggedTurn
from core.domain.verdict.verdict import Confidence
from core.services.scanning import Scan
from core.terminal import escape_controls

_SHOWN_PROBLEMS = 20
_SHOWN_SUSPECTS = 15
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
    paths: PathsArgument,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for each flagged turn.")] = False,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="FIELD[,FIELD]",
            help="Where do flagged conversations come from? persona, arc, topic, template, model, or any key of records.",
        ),
    ] = None,
    roles: RolesOption = None,
    judge: JudgeOption = None,
    min_confidence: ConfidenceOption = Confidence.MEDIUM,
) -> None:
    """Judge conversations in files: which turns are cut off, damaged or malformed? Exits with 1 if any, 2 if unreadable."""
    run = Scan(_read_fields(by), choose_options(judge, min_confidence), parse_roles(roles))
    problems = 0
    files = [(path, find_files(path)) for path in paths]
    total = sum(measure_file(file) for _, found in files for file in found)
    with _ProgressBar(total) as bar:
        for path, found in files:
            if not found:
                problems += 1
                problem = Unreadable(place=None, reason=f"the folder holds no file of {', '.join(SUFFIXES)}")
                bar.print_above(_describe_problem(str(path), problem), err=True)
            for file in found:
                _scan_file(run, file, bar, as_json=as_json)
    _print_summary(run, as_json=as_json)
    raise typer.Exit(_choose_exit(run, problems))


def _read_fields(by: str | None) -> tuple[str, ...]:
    if by is None:
        return ()
    fields = tuple(dict.fromkeys(field.strip() for field in by.split(",") if field.strip()))
    if not fields:
        raise typer.BadParameter("Name at least one field, such as --by template,model.", param_hint="--by")
    return fields


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
    if turn.field is not None:
        row["field"] = turn.field
    return json.dumps(row)


def _describe(source: str, turn: FlaggedTurn) -> str:
    place = "whole reply" if turn.turn_index is None else f"turn {turn.turn_index} ({turn.role or 'unknown role'})"
    place += "" if turn.field is None else f" of {turn.field}"
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
    summary, report = run.summary, run.find_suspects()
    for message in _list_warnings(run):
        typer.echo(escape_controls(f"brightrun: {message}"), err=True)
    if as_json:
        found = {} if report is None else {"suspects": _list_suspects(report)}
        typer.echo(json.dumps({"summary": summary.model_dump() | found}))
        return
    typer.echo(
        f"{summary.conversations} conversations with {summary.turns} turns: {summary.flagged_turns} turns flagged in "
        f"{summary.flagged_conversations} conversations. Turns count from 0."
    )
    for name, count in run.count_patterns():
        typer.echo(f"  {name:<24}{count:>8}")
    if summary.not_judged:
        typer.echo(f"Not judged: {describe_counts(summary.not_judged)}.")
    if summary.rejected_replies:
        typer.echo(describe_rejected(summary.rejected_replies, summary.damaged_rejected_replies))
    if report is not None:
        _print_suspects(report)
    if run.unreadable:
        typer.echo(f"Unreadable: {run.unreadable} files or records, not counted above.")


def _list_warnings(run: Scan) -> Iterator[str]:
    """What keeps fields from being compared: without a word, it would look as if they were and nothing was found."""
    if run.strangers is not None:
        yield run.strangers
    if run.missing_fields:
        known = f" Records have: {', '.join(run.known_fields)}." if run.known_fields else ""
        yield f"no record has a field {' or '.join(run.missing_fields)} that holds text, a number, true or false.{known}"
    for field, value in run.uniform_fields:
        yield f"{field} has only one value, {value}, in all conversations: there is nothing to compare."
    if run.overfull_fields:
        fields = ", ".join(run.overfull_fields)
        yield f"too many different values of {fields}; what came late is counted as (other). Name other fields."


def _list_suspects(report: SuspectReport) -> list[dict[str, object]]:
    """One object for each field and value, also where several hold the same conversations; a pair is one object."""
    rows: list[dict[str, object]] = []
    for suspect in report.suspects:
        names = [(name.field, name.value) for name in suspect.names]
        if suspect.parts:
            names = [("+".join(field for field, _ in names), " + ".join(value for _, value in names))]
        for field, value in names:
            rows.append(
                {
                    "field": field,
                    "value": value,
                    "flagged": suspect.rate.failed,
                    "total": suspect.rate.judged,
                    "rate": suspect.rate.value,
                    "low": suspect.rate.low,
                    "high": suspect.rate.high,
                    "rest_rate": suspect.rest.value,
                    "lift": suspect.lift,
                    "p_value": suspect.p_value,
                    "p_corrected": suspect.p_corrected,
                    "status": suspect.status,
                    "same_conversations_as": [f"{other} {text}" for other, text in names if (other, text) != (field, value)],
                }
            )
    return rows


def _print_suspects(report: SuspectReport) -> None:
    if not report.suspects:
        typer.echo("No suspect was looked for: there is nothing to compare.")
    elif not report.named:
        typer.echo("No suspect: no value has more flagged conversations than chance explains.")
    shown = report.suspects[:_SHOWN_SUSPECTS]
    if shown:
        typer.echo("Flagged conversations by value, worst first (rate with its 95 % interval, against all others):")
    for suspect in shown:
        typer.echo(escape_controls(f"  {_describe_suspect(suspect)}"))
    if len(report.suspects) > len(shown):
        typer.echo(f"  and {len(report.suspects) - len(shown)} more (all with --json)")


def _describe_suspect(suspect: Suspect) -> str:
    match suspect.status:
        case SuspectStatus.NAMED:
            note = "  <- suspect"
        case SuspectStatus.EXPLAINED:
            note = f"  (explained by {suspect.explained_by.label})" if suspect.explained_by else ""
        case SuspectStatus.UNPROVEN | SuspectStatus.TOO_FEW:
            note = ""
    counts = f"{suspect.rate.failed} of {suspect.rate.judged}"
    rates = f"{format_failure_rate(suspect.rate)} against {format_failure_rate(suspect.rest)}"
    return f"{suspect.label}: {counts}, {rates}, {format_p(suspect.p_value)}{note}"


def _choose_exit(run: Scan, problems: int) -> ScanExit:
    if problems or run.unreadable:
        return ScanExit.UNREADABLE
    return ScanExit.FLAGGED if run.summary.flagged_turns else ScanExit.CLEAN
