"""`brightrun dataset top-up`: generate what a plan misses."""

from typing import Annotated

import typer

from core.cli.batch_options import JsonOption, WaitOption, make_batch_settings
from core.cli.batch_progress import describe_estimate, wait_for_batch
from core.cli.dataset.dataset_summary import NameArgument, print_dataset
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.domain.batches.batch import BatchStatus
from core.domain.datasets.plans import describe_left
from core.terminal import escape_lines


def top_up(
    name: NameArgument,
    *,
    concurrency: Annotated[int | None, typer.Option(help="Calls in flight (1 to 200).")] = None,
    model: Annotated[str | None, typer.Option(help="Model id.")] = None,
    budget_usd: Annotated[float | None, typer.Option(help="Each batch pauses before it spends more.")] = None,
    canary: Annotated[int | None, typer.Option(help="Generate this many first, the rest only if they pass.")] = None,
    wait: WaitOption = False,
    as_json: JsonOption = False,
) -> None:
    """Generate exactly what the plan misses. Run it until nothing is missing."""
    settings = load_settings()
    batch_settings = make_batch_settings(
        settings, concurrency=concurrency, model=model, budget_usd=budget_usd, canary_items=canary
    )
    with open_command_services(settings) as services:
        dataset = services.datasets.get(name)
        top_ups = services.datasets.plan_top_up(dataset)
        if conversations := sum(len(each.picks) for each in top_ups):
            estimate = services.batches.estimate_conversations(conversations, batch_settings)
            typer.echo(escape_lines(describe_estimate(estimate, simulated=settings.simulated)), err=as_json)
        if (left := describe_left(top_ups)) is not None:
            typer.echo(left, err=as_json)
        submitted = services.datasets.submit_top_ups(dataset, top_ups, batch_settings)
        lines = [f"Batch {each.batch_id}: {each.planned} conversations" for each in submitted] or ["Nothing is missing."]
        typer.echo("\n".join(lines), err=as_json)
        ended = [wait_for_batch(services, each.batch_id) for each in submitted] if wait else []
        print_dataset(services, services.datasets.get(name), as_json=as_json)
    if any(each.status is not BatchStatus.COMPLETED for each in ended):
        raise typer.Exit(1)
