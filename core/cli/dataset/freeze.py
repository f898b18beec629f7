"""`brightrun dataset freeze`: a version that never changes."""

import json
from typing import Annotated

import typer

from core.cli.batch_options import JsonOption
from core.cli.dataset.dataset_summary import (
    NameArgument,
    TokenizerOption,
    choose_measure,
    list_exclusions,
    summarize_version,
)
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.domain.datasets.token_lengths import describe_defaults, describe_lengths
from core.domain.datasets.versions import describe_exclusions


def freeze(
    name: NameArgument,
    *,
    include_simulated: Annotated[bool, typer.Option("--include-simulated", help="Take simulated ones, too.")] = False,
    longest_tokens: Annotated[int | None, typer.Option(help="Leave out what has more tokens.")] = None,
    tokenizer: TokenizerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Freeze what the data set holds now as its next version, after judging each conversation once more."""
    measure = choose_measure(tokenizer)
    with open_command_services(load_settings()) as services:
        version = services.datasets.freeze(
            services.datasets.get(name),
            include_simulated=include_simulated,
            longest_tokens=longest_tokens,
            measure=measure,
        )
        if as_json:
            excluded = {"excluded_conversations": list_exclusions(services, version)}
            typer.echo(json.dumps(summarize_version(version) | excluded))
            return
    typer.echo(f"Version {version.number}: {version.conversations} conversations, fingerprint {version.fingerprint}")
    typer.echo(f"kept out: {describe_exclusions(version.exclusions)}")
    if version.lengths is not None:
        typer.echo("\n".join((describe_lengths(version.lengths), *describe_defaults(version.lengths))))
