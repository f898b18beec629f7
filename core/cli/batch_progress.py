"""Progress of a batch as commands print it, now or after its end."""

import json
import time

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from core.command_bootstrap import CommandServices
from core.domain.amounts import format_duration, format_money
from core.domain.batches.batch import BatchId, BatchProgress, BatchStatus, Submitted
from core.domain.batches.estimate import Estimate
from core.terminal import escape_lines

POLL_SECONDS = 1.0


def report_submitted(
    services: CommandServices, submitted: Submitted, what: str, *, wait: bool, as_json: bool, simulated: bool
) -> None:
    """Print the submitted batch and its progress; with `wait` after its end, with exit code 1 or 2 unless completed."""
    if not as_json:
        typer.echo(f"Batch {submitted.batch_id}: {what}")
    if not submitted.is_enqueued:
        typer.echo("The batch is saved, but the queue does not answer. It starts when the queue is back.", err=True)
    progress = wait_for_batch(services, submitted.batch_id) if wait else services.batches.get(submitted.batch_id)
    print_progress(services, progress, as_json=as_json, simulated=simulated)
    if wait and progress.status is not BatchStatus.COMPLETED:
        typer.echo(escape_lines(f"brightrun: the batch is {progress.status}: {progress.reason}"), err=True)
        raise typer.Exit(2 if progress.status is BatchStatus.FAILED else 1)


def describe_estimate(estimate: Estimate, *, simulated: bool) -> str:
    """Say what conversations are expected to take and to cost."""
    about = f"{format_duration(estimate.seconds)} and {format_money(estimate.cost_usd)}"
    paid = "; Claude is simulated, so nothing is paid" if simulated else ""
    return f"{estimate.conversations:,} conversations: about {about} ({estimate.basis}{paid})"


def wait_for_batch(services: CommandServices, batch_id: BatchId) -> BatchProgress:
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


def print_progress(services: CommandServices, progress: BatchProgress, *, as_json: bool, simulated: bool) -> None:
    """Print counts, spend and reasons of a batch."""
    breakdown = services.monitor.watch(progress.id).breakdown
    if as_json:
        fields = ("planned", "accepted", "failed", "cancelled", "running", "queued", "cost_usd")
        summary = {"batch_id": str(progress.id), "status": progress.status, "status_reason": progress.status_reason}
        summary |= {field: getattr(progress, field) for field in fields}
        summary |= {"simulated": progress.is_simulated(claude_is_simulated=simulated)}
        summary |= breakdown.model_dump(include={"by_failure_type", "by_stop_reason"})
        typer.echo(json.dumps(summary))
        return
    reason = f" ({progress.reason})" if progress.reason else ""
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
