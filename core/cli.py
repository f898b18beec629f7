"""`brightrun`: the command line over the same services as the pages."""

import json
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from core import cli_bench, cli_control, cli_export, cli_import, cli_scan, cli_stack
from core.bootstrap import PageServices, open_local_services, open_report_store
from core.cli_control import parse_batch_id
from core.config import Settings, load_settings
from core.domain.batch import (
    BatchId,
    BatchProgress,
    BatchSettings,
    BatchStatus,
    Effort,
    ErrorHandling,
    RetryChanges,
    Selection,
    Submitted,
    choose_skip,
)
from core.domain.monitor import find_retry_template
from core.domain.record import Record
from core.domain.scaffolding import ConversationCategory, TemplateId
from core.errors import BrightRunError, InvalidRequest
from core.logs import configure_logging
from core.seed import seed as seed_database
from core.services.scaffolding import ALL, find_left_out_arcs, pick_arcs, pick_personas, pick_topics
from core.terminal import escape_lines

POLL_SECONDS = 1.0
Options = TypeVar("Options", bound=Record)

app = typer.Typer(
    help="Bright Run: clean multi-turn conversations for LoRA training.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(cli_bench.bench, name="bench")
app.command()(cli_stack.up)
app.command()(cli_stack.down)
app.command()(cli_stack.doctor)
app.command()(cli_stack.migrate)
app.command()(cli_scan.scan)
app.command("import")(cli_import.import_files)
app.command()(cli_export.export)
app.command()(cli_control.pause)
app.command()(cli_control.resume)
app.command()(cli_control.cancel)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@app.command()
def seed() -> None:
    """Put the scaffolding into the database: personas, arcs, topics (20 active), templates. Safe to repeat."""
    seeded = seed_database(load_settings())
    for table, rows in seeded.rows.items():
        note = f", {seeded.active_topics} active" if table == "training_topics" else ""
        typer.echo(f"{table}: {rows}{note}")
    typer.echo(f"Selected topics: {seeded.selected_topics_file}")


@app.command()
def generate(
    *,
    category: Annotated[ConversationCategory, typer.Option(help="Core journeys or edge cases.")],
    personas: Annotated[str, typer.Option(help="`all` or persona keys, comma separated.")] = ALL,
    arcs: Annotated[
        str, typer.Option(help="`all` of the category that have a template, or arc keys, comma separated.")
    ] = ALL,
    topics: Annotated[str, typer.Option(help="`all`, a number, or topic keys, comma separated.")] = ALL,
    limit: Annotated[int | None, typer.Option(help="At most this many, sampled evenly over the grid.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Calls in flight (1 to 200).")] = None,
    error_handling: Annotated[ErrorHandling, typer.Option(help="What a failed item means.")] = ErrorHandling.CONTINUE,
    model: Annotated[str | None, typer.Option(help="Model id.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Output token limit of a call.")] = None,
    effort: Annotated[Effort | None, typer.Option(help="How hard the model thinks.")] = None,
    structured_outputs: Annotated[bool | None, typer.Option(help="Ask for the JSON schema.")] = None,
    raise_max_tokens: Annotated[
        bool | None, typer.Option(help="Try a reply cut by max_tokens once more with twice the limit.")
    ] = None,
    budget_usd: Annotated[float | None, typer.Option(help="The batch pauses itself before it spends more.")] = None,
    canary: Annotated[int | None, typer.Option(help="So many items run first; the rest only if enough pass.")] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out combinations that have a conversation of yours already.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name of the batch.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the batch has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Submit a batch: every combination of the chosen personas, arcs and topics."""
    settings = load_settings()
    batch_settings = _make_batch_settings(
        settings,
        concurrency=concurrency,
        error_handling=error_handling,
        model=model,
        max_tokens=max_tokens,
        effort=effort,
        structured_outputs=structured_outputs,
        raise_max_tokens=raise_max_tokens,
        budget_usd=budget_usd,
        canary_items=canary,
    )
    if limit is not None and limit < 1:
        raise InvalidRequest(f"--limit {limit}: ask for at least 1 conversation.")
    with closing(open_local_services(settings)) as services:
        choices = services.scaffolding.list_choices()
        selection = Selection(
            category=category,
            persona_ids=tuple(persona.id for persona in pick_personas(choices, personas)),
            arc_ids=tuple(arc.id for arc in pick_arcs(choices, category, arcs)),
            topic_ids=tuple(topic.id for topic in pick_topics(choices, topics)),
            limit=limit,
            skip_existing=choose_skip(simulated=settings.simulated) if skip_existing else None,
        )
        if left_out := find_left_out_arcs(choices, category, arcs):
            names = ", ".join(arc.name for arc in left_out)
            typer.echo(escape_lines(f"Left out, since no template of theirs is offered to you: {names}."), err=True)
        submitted = services.batches.submit(selection, batch_settings, name=name)
        _report_submitted(services, submitted, selection.formula, wait=wait, as_json=as_json, simulated=settings.simulated)


@app.command()
def retry(
    batch: Annotated[str, typer.Argument(help="Id of the batch.")],
    *,
    model: Annotated[str | None, typer.Option(help="Another model id.")] = None,
    max_tokens: Annotated[int | None, typer.Option(help="Another output token limit.")] = None,
    effort: Annotated[Effort | None, typer.Option(help="Another effort.")] = None,
    structured_outputs: Annotated[bool | None, typer.Option(help="Ask for the JSON schema, or not.")] = None,
    template: Annotated[str | None, typer.Option(help='Another template of one of its arcs: "NAME", or "NAME v2".')] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the batch has ended.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a new batch of a batch's failed items, the same or with changed settings."""
    batch_id = parse_batch_id(batch)
    changes = _check_options(
        RetryChanges, {"model": model, "max_tokens": max_tokens, "effort": effort, "structured_outputs": structured_outputs}
    )
    settings = load_settings()
    with closing(open_local_services(settings)) as services:
        if template is not None:
            changes = changes.model_copy(update={"template_id": _find_template(services, batch_id, template)})
        submitted = services.batches.retry_failed(batch_id, changes)
        _report_submitted(
            services,
            submitted,
            f"{submitted.planned} failed items of {batch_id}",
            wait=wait,
            as_json=as_json,
            simulated=settings.simulated,
        )


def _find_template(services: PageServices, batch_id: BatchId, wanted: str) -> TemplateId:
    templates = services.monitor.list_retry_templates(batch_id)
    found = find_retry_template(templates, wanted)
    if found is None:
        known = ", ".join(f'"{each.name} v{each.version}"' for each in templates) or "none"
        raise InvalidRequest(f"No template of this batch's arcs is called {wanted!r}. There are: {known}.")
    return found.id


@app.command()
def status(
    batch: Annotated[str, typer.Argument(help="Id of the batch.")],
    as_json: JsonOption = False,
) -> None:
    """Show how a batch stands."""
    batch_id = parse_batch_id(batch)
    settings = load_settings()
    with closing(open_local_services(settings)) as services:
        _print_progress(services, services.batches.get(batch_id), as_json=as_json, simulated=settings.simulated)


@app.command()
def prune(
    *,
    older_than_days: Annotated[int, typer.Option(help="Failures older than this many days are deleted.", min=1)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete old failed generations and their RAW reports, of all analysts. Conversations and attempts stay."""
    settings = load_settings()
    if not yes:
        typer.confirm(f"Delete every failed generation older than {older_than_days} days, for good?", abort=True)
    with open_report_store(settings) as store:
        deleted = store.delete_older_than(datetime.now(UTC) - timedelta(days=older_than_days))
    typer.echo(f"deleted {deleted} failed generations")


def _make_batch_settings(settings: Settings, **asked: Any) -> BatchSettings:  # noqa: ANN401 - checked by BatchSettings
    defaults = {
        field: getattr(settings, field) for field in ("model", "max_tokens", "effort", "structured_outputs", "concurrency")
    }
    return _check_options(BatchSettings, defaults | {field: value for field, value in asked.items() if value is not None})


def _check_options(kind: type[Options], values: dict[str, Any]) -> Options:
    """Build a record of options; raise InvalidRequest that names the wrong ones."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"--{str(e['loc'][0]).replace('_', '-')}: {e['msg']}" for e in error.errors())
        raise InvalidRequest(problems) from error


def _report_submitted(
    services: PageServices, submitted: Submitted, what: str, *, wait: bool, as_json: bool, simulated: bool
) -> None:
    if not as_json:
        typer.echo(f"Batch {submitted.batch_id}: {what}")
    if not submitted.rung:
        typer.echo("The queue does not answer; the batch is kept and starts when it is back.", err=True)
    progress = _wait(services, submitted.batch_id) if wait else services.batches.get(submitted.batch_id)
    _print_progress(services, progress, as_json=as_json, simulated=simulated)
    if wait and progress.status is not BatchStatus.COMPLETED:
        typer.echo(escape_lines(f"brightrun: the batch is {progress.status}: {progress.status_reason}"), err=True)
        raise typer.Exit(2 if progress.status is BatchStatus.FAILED else 1)


def _wait(services: PageServices, batch_id: BatchId) -> BatchProgress:
    """Poll until the batch has ended and nothing is in flight; a bar on standard error where that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("queued", total=None)
        while True:
            progress = services.batches.get(batch_id)
            words = f"{progress.status}: {progress.accepted} accepted, {progress.failed} failed"
            bar.update(task, description=words, completed=progress.closed, total=progress.planned)
            has_ended = progress.status.is_final and progress.remaining == 0
            # A paused batch waits for a person, so waiting for it here would never end.
            if has_ended or (progress.status is BatchStatus.PAUSED and progress.running == 0):
                return progress
            time.sleep(POLL_SECONDS)


def _print_progress(services: PageServices, progress: BatchProgress, *, as_json: bool, simulated: bool) -> None:
    breakdown = services.monitor.watch(progress.id).breakdown
    if as_json:
        fields = ("planned", "accepted", "failed", "cancelled", "running", "queued", "cost_usd")
        summary = {"batch_id": str(progress.id), "status": progress.status, "status_reason": progress.status_reason}
        summary |= {field: getattr(progress, field) for field in fields}
        summary |= {"simulated": progress.is_simulated(claude_is_simulated=simulated)}
        summary |= breakdown.model_dump(include={"by_failure_type", "by_stop_reason"})
        typer.echo(json.dumps(summary))
        return
    reason = f" ({progress.status_reason})" if progress.status_reason else ""
    typer.echo(escape_lines(f"{progress.name}: {progress.status}{reason}"))
    typer.echo(
        f"planned {progress.planned} = accepted {progress.accepted} + failed {progress.failed} + cancelled "
        f"{progress.cancelled} + running {progress.running} + queued {progress.queued}"
    )
    if progress.attempts:
        spend = "simulated" if progress.simulated else "spent"
        typer.echo(f"{progress.attempts} calls, {progress.output_tokens} output tokens, ${progress.cost_usd:.4f} {spend}")
    for title, counts in (("failures", breakdown.by_failure_type), ("stop_reason", breakdown.by_stop_reason)):
        if counts:
            typer.echo(escape_lines(f"{title}: " + ", ".join(f"{name} {count}" for name, count in counts.items())))


def main() -> None:
    """Entry point of the `brightrun` command: an error of ours becomes its message and exit code 2."""
    configure_logging()
    try:
        app()
    except BrightRunError as error:
        typer.echo(escape_lines(f"brightrun: {error}"), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
