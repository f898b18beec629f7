"""`brightrun import`: files of conversations, judged, as a batch to diagnose."""

import json
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from core.adapters.files.dataset_files import SUFFIXES, DiskFile, find_files
from core.bootstrap import open_local_services
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
from core.config import load_settings
from core.domain.verdict.verdict import Confidence
from core.errors import InvalidRequest
from core.services.importing import ImportReport
from core.terminal import escape_controls, escape_lines

_SHOWN_PROBLEMS = 20


def import_files(
    paths: PathsArgument,
    *,
    name: Annotated[str | None, typer.Option(help="Name of the batch; without it, of the first file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
    roles: RolesOption = None,
    judge: JudgeOption = None,
    min_confidence: ConfidenceOption = Confidence.MEDIUM,
) -> None:
    """Judge conversations in files as `scan` does and store the results as a batch for diagnosis.

    Exits with 0 if every file is imported (now or before), 2 if something was unreadable.
    """
    options, voices = choose_options(judge, min_confidence), parse_roles(roles)
    files = [DiskFile(path=file) for path in paths for file in _find_files(path)]
    with closing(open_local_services(load_settings())) as services, _draw_bar(sum(file.size for file in files)) as advance:
        report = services.imports.import_files(files, name=name, options=options, roles=voices, on_progress=advance)
    for problem in report.problems[:_SHOWN_PROBLEMS]:
        place = f", {problem.place}" if problem.place else ""
        typer.echo(escape_controls(f"brightrun: {problem.file}{place}: {problem.reason}"), err=True)
    if report.strangers is not None:
        typer.echo(escape_controls(f"brightrun: {report.strangers}"), err=True)
    typer.echo(_describe_as_json(report) if as_json else escape_lines(_describe(report)))
    raise typer.Exit(2 if report.unreadable else 0)


def _find_files(path: Path) -> list[Path]:
    found = find_files(path)
    if not found:
        raise InvalidRequest(f"{path} holds no file of {', '.join(SUFFIXES)}. Nothing was imported.")
    return found


@contextmanager
def _draw_bar(total: int) -> Generator[Callable[[int], None]]:
    """Draw a bar over all bytes on standard error, where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("import"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("import", total=total)
        yield lambda done: bar.update(task, completed=done)


def _describe_as_json(report: ImportReport) -> str:
    row = {
        "batch_id": None if report.batch_id is None else str(report.batch_id),
        "name": report.name,
        "conversations": report.conversations,
        "turns": report.turns,
        "flagged_conversations": report.flagged,
        "by_pattern": dict(report.patterns),
        "unreadable": report.unreadable,
        "not_judged": report.not_judged,
        "rejected_replies": report.rejected,
        "damaged_rejected_replies": report.damaged_rejected,
        "known_files": [
            {"digest": file.digest, "batch_id": str(file.batch_id), "batch_name": file.batch_name} for file in report.known
        ],
    }
    return json.dumps(row)


def _describe(report: ImportReport) -> str:
    lines: list[str] = []
    if report.batch_id is not None:
        lines.append(f"Batch {report.batch_id}: {report.name}")
        lines.append(
            f"{report.conversations} conversations with {report.turns} turns: {report.flagged} conversations flagged."
        )
        lines += [f"  {pattern:<24}{count:>8}" for pattern, count in report.patterns]
    if report.not_judged:
        lines.append(f"Not judged: {describe_counts(report.not_judged)}.")
    if report.rejected:
        lines.append(describe_rejected(report.rejected, report.damaged_rejected))
    if report.unreadable:
        lines.append(f"Unreadable: {report.unreadable} files or records, not counted above.")
    batches = {file.batch_id: file.batch_name for file in report.known}
    for batch_id, batch_name in batches.items():
        count = sum(file.batch_id == batch_id for file in report.known)
        files = "1 file was" if count == 1 else f"{count} files were"
        lines.append(f"{files} imported before, with the same content: batch {batch_id}, {batch_name}")
    return "\n".join(escape_controls(line) for line in lines)
