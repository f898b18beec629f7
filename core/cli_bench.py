"""`brightrun bench`: measurements that take minutes."""

import platform
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from core.bench.chaos import ChaosResult, run_chaos
from core.bench.volume import Volume
from core.config import load_settings
from core.errors import ConfigurationError

bench = typer.Typer(help="Measure the product on this machine; takes minutes.", no_args_is_help=True)


@bench.command()
def chaos(
    items: Annotated[int, typer.Option(help="Conversations to ask for.", min=1)] = 500,
    disturbances: Annotated[int, typer.Option(help="How often something is killed or flushed.", min=0)] = 12,
    seed: Annotated[int, typer.Option(help="Seed of faults and disturbances.")] = 0,
) -> None:
    """Kill workers, database, API and queue at random while batches run with every fault; count what is left."""
    with tempfile.TemporaryDirectory(prefix="brightrun-chaos-") as home:
        settings = load_settings(home=Path(home))
        if settings.is_hosted:
            raise ConfigurationError("Chaos is for the stack on this machine: unset SUPABASE_URL first.")
        result = run_chaos(settings, items=items, disturbances=disturbances, seed_number=seed, say=typer.echo)
    _print_result(result)
    if result.problems:
        raise typer.Exit(1)


@bench.command()
def pages(
    failures: Annotated[int, typer.Option(help="Failed generations in the database.", min=100)] = Volume().failures,
    conversations: Annotated[int, typer.Option(help="Conversations in the database.", min=100)] = Volume().conversations,
    items: Annotated[int, typer.Option(help="Items of the batch that runs.", min=1_000)] = Volume().large_batch_items,
) -> None:
    """Measure in a real browser how long each page, filter, dialog, refresh and download takes on a full database."""
    try:
        from core.bench.pages import run_pages  # noqa: PLC0415 - the browser driver is a tool of development
    except ImportError as error:
        raise ConfigurationError("This needs the browser driver: `pip install -e '.[dev]'`.") from error
    volume = Volume(failures=failures, conversations=conversations, large_batch_items=items)
    with tempfile.TemporaryDirectory(prefix="brightrun-pages-") as home:
        settings = load_settings(home=Path(home))
        if settings.is_hosted:
            raise ConfigurationError("The measurement is for the stack on this machine: unset SUPABASE_URL first.")
        timings = run_pages(settings, volume, typer.echo)
    _print_machine()
    missed = [f"{timing.page}, {timing.action}" for timing in timings if not timing.is_kept]
    typer.echo("\n" + (f"Missed: {'; '.join(missed)}" if missed else "Every target kept."))
    if missed:
        raise typer.Exit(1)


@bench.command()
def uploads(
    megabytes: Annotated[int, typer.Option(help="Size of the large files.", min=1)] = 20,
    only: Annotated[str, typer.Option(help="Measure the files that have this in their names.")] = "",
) -> None:
    """Measure memory and processor time that hostile files take from `scan` and from the page that they are uploaded to."""
    from core.bench.uploads import MOST_MEMORY_MB, run_uploads  # noqa: PLC0415 - loads all that the page does

    typer.echo("| file | MB | scan: s | MB more | page: s | MB more | what is said |\n|---|---|---|---|---|---|---|")
    costs = run_uploads(megabytes, only, typer.echo)
    _print_machine()
    unbounded = [cost.name for cost in costs if not cost.is_bounded]
    bounded = f"All {len(costs)} stay under {MOST_MEMORY_MB} MB."
    typer.echo("\n" + (f"Not bounded: {', '.join(unbounded)}" if unbounded else bounded))
    if unbounded:
        raise typer.Exit(1)


def _print_machine() -> None:
    typer.echo(
        f"\nMachine: {platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def _print_result(result: ChaosResult) -> None:
    rows = result.model_dump(exclude={"disturbances"}) | {"disturbances": len(result.disturbances)}
    _print_machine()
    for name, value in rows.items():
        typer.echo(f"  {name.replace('_', ' '):<26}{value}")
    typer.echo("\n" + ("\n".join(f"PROBLEM: {problem}" for problem in result.problems) or "Every promise kept."))
