"""`brightrun doctor`: what is wrong, part by part."""

import typer

from core.adapters.files.spool import SPOOL_FOLDER, FileSpool
from core.cli.error_exits import report_errors
from core.config import Settings, load_settings
from core.embedded.doctor import Finding, examine
from core.terminal import escape_lines


def doctor() -> None:
    """Check every part: what is wrong and what to do."""
    with report_errors():
        marks = {True: "ok", False: "WRONG", None: "-"}
        wrong = False
        settings = load_settings()
        for finding in (*examine(settings), examine_spool(settings)):
            text = "" if finding.text == "ok" else finding.text
            typer.echo(escape_lines(f"{marks[finding.ok]:<6}{finding.part:<14}{text}".rstrip()))
            wrong |= finding.ok is False
        if wrong:
            raise typer.Exit(1)


def examine_spool(settings: Settings) -> Finding:
    """Say whether results wait on this host that could not be recorded."""
    spool = FileSpool(folder=settings.home.absolute() / SPOOL_FOLDER)
    try:
        stuck = spool.count_stuck()
    except OSError as error:
        return Finding("spool", ok=False, text=f"{spool.folder} cannot be read ({error}); paid replies may wait there")
    if not stuck:
        return Finding("spool", ok=True, text="ok")
    replies = "a paid reply waits" if stuck == 1 else f"{stuck:,} paid replies wait"
    advice = f"look into {spool.set_aside_folder}: .reason says why; what is moved back into {spool.folder} is recorded"
    return Finding("spool", ok=False, text=f"{replies} that could not be recorded; {advice}")
