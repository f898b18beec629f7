"""What is left after parts were killed or cut off, against what Bright Run promises."""

import typer

from core.bench.chaos_result import ChaosResult
from core.cli.bench.machine import print_machine


def print_chaos(result: ChaosResult) -> None:
    """Print every count, and the broken promises."""
    rows = result.model_dump(exclude={"disturbances"}) | {"disturbances": len(result.disturbances)}
    print_machine()
    for name, value in rows.items():
        typer.echo(f"  {name.replace('_', ' '):<26}{value}")
    typer.echo("\n" + ("\n".join(f"PROBLEM: {problem}" for problem in result.problems) or "Every promise kept."))
