"""`brightrun`: the command line over the same services as the pages."""

import sys
from typing import ClassVar

import typer

from core.cli.lazy_group import LazyGroup
from core.errors import BrightRunError
from core.terminal import escape_lines

COMMANDS = {
    "up": "core.cli.up",
    "down": "core.cli.down",
    "doctor": "core.cli.doctor",
    "migrate": "core.cli.migrate",
    "scan": "core.cli.scan",
    "import": "core.cli.import_files",
    "export": "core.cli.export",
    "pause": "core.cli.pause",
    "resume": "core.cli.resume",
    "cancel": "core.cli.cancel",
    "seed": "core.cli.seed",
    "generate": "core.cli.generate",
    "retry": "core.cli.retry",
    "status": "core.cli.status",
    "prune": "core.cli.prune",
}
MEASUREMENTS = {
    "chaos": "core.cli.bench.chaos",
    "export": "core.cli.bench.export",
    "fairness": "core.cli.bench.fairness",
    "growth": "core.cli.bench.growth",
    "hosts": "core.cli.bench.hosts",
    "pages": "core.cli.bench.pages",
    "scan": "core.cli.bench.scan",
    "start": "core.cli.bench.start",
    "soak": "core.cli.bench.soak",
    "throughput": "core.cli.bench.throughput",
    "uploads": "core.cli.bench.uploads",
    "workers": "core.cli.bench.workers",
}
DATASET_COMMANDS = {
    "create": "core.cli.dataset.create",
    "list": "core.cli.dataset.list",
    "show": "core.cli.dataset.show",
    "top-up": "core.cli.dataset.top_up",
    "approve": "core.cli.dataset.approve",
    "reject": "core.cli.dataset.reject",
    "freeze": "core.cli.dataset.freeze",
    "export": "core.cli.dataset.export",
    "push": "core.cli.dataset.push",
}


class _Commands(LazyGroup):
    modules: ClassVar = COMMANDS


class _Measurements(LazyGroup):
    modules: ClassVar = MEASUREMENTS


class _DatasetCommands(LazyGroup):
    modules: ClassVar = DATASET_COMMANDS


dataset = typer.Typer(
    cls=_DatasetCommands, help="Plan, top up, approve, freeze, export and push data sets.", no_args_is_help=True
)
bench = typer.Typer(cls=_Measurements, help="Measure the product on this machine; takes minutes.", no_args_is_help=True)
app = typer.Typer(
    cls=_Commands,
    help="Bright Run: clean multi-turn conversations for LoRA training.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(dataset, name="dataset")
app.add_typer(bench, name="bench")


@app.callback()
def prepare() -> None:
    """Set up what every command needs; the list of commands needs none of it."""
    from core.logs import configure_logging  # noqa: PLC0415 - takes as long to load as all that `--help` does

    configure_logging()


def main() -> None:
    """Entry point of the `brightrun` command: an error of ours becomes its message and exit code 2."""
    try:
        app()
    except BrightRunError as error:
        typer.echo(escape_lines(f"brightrun: {error}"), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
