"""`brightrun dataset push`: a frozen version as a data set on the Hugging Face Hub."""

import json
from typing import Annotated

import typer

from core.cli.batch_options import JsonOption
from core.cli.dataset.dataset_summary import TokenizerOption, VersionArgument, choose_measure, find_version
from core.cli.dataset.export import (
    FormatsOption,
    HoldOutPersonasOption,
    HoldOutTopicsOption,
    LicenceOption,
    SeedOption,
    SplitOption,
    SystemOption,
    SystemRoleOption,
    make_options,
)
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.dataset_bootstrap import make_publisher
from core.domain.datasets.training_formats import TrainingFormat
from core.errors import InvalidRequest
from core.services.dataset_export import DEFAULT_LICENCE
from core.services.dataset_publication import describe_publication


def push(
    dataset: VersionArgument,
    *,
    repo: Annotated[str, typer.Option("--repo", help="Repository on the Hub: OWNER/NAME.")],
    formats: FormatsOption = TrainingFormat.MESSAGES_PARQUET,
    split: SplitOption = "",
    hold_out_topics: HoldOutTopicsOption = "",
    hold_out_personas: HoldOutPersonasOption = "",
    seed: SeedOption = 0,
    system: SystemOption = None,
    system_role: SystemRoleOption = False,
    licence: LicenceOption = DEFAULT_LICENCE,
    tokenizer: TokenizerOption = None,
    public: Annotated[bool, typer.Option("--public", help="A new repository is private otherwise.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be uploaded, and upload nothing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Export a version and upload it in one commit. The token is HF_TOKEN of the environment, never kept or logged."""
    settings = load_settings()
    if settings.hub_token is None and not dry_run:
        raise InvalidRequest("Set HF_TOKEN to a token that may write, or see what would be uploaded with --dry-run.")
    options = make_options(formats, split, hold_out_topics, hold_out_personas, seed, system, licence, use_role=system_role)
    measure = choose_measure(tokenizer)
    with open_command_services(settings) as services:
        found, version = find_version(services.datasets, dataset)
        token = None if dry_run else settings.hub_token
        publication = make_publisher(services.datasets).publish(
            found, version, options, repo, is_private=not public, token=token, measure=measure
        )
    for note in publication.notes:
        typer.echo(note, err=True)
    if as_json:
        told = publication.model_dump(mode="json", include={"repository", "address", "bytes_by_file", "notes"})
        typer.echo(json.dumps({"version": version.number} | told))
        return
    for path, size in publication.bytes_by_file.items():
        typer.echo(f"{size:>12,} bytes  {path}")
    typer.echo(describe_publication(publication, version))
