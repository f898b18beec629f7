"""`brightrun bench`: measurements that take minutes."""

import platform
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from core.bench.chaos import ChaosResult, run_chaos
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


def _print_result(result: ChaosResult) -> None:
    rows = result.model_dump(exclude={"disturbances"}) | {"disturbances": len(result.disturbances)}
    typer.echo(
        f"\nMachine: {platform.machine()}, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )
    for name, value in rows.items():
        typer.echo(f"  {name.replace('_', ' '):<26}{value}")
    typer.echo("\n" + ("\n".join(f"PROBLEM: {problem}" for problem in result.problems) or "Every promise kept."))


@bench.callback()
def bench_group() -> None:
    """Group of the bench commands, so that each keeps its name even when it is the only one."""
