"""`brightrun dataset push`: a frozen version as a data set on the Hugging Face Hub."""

import json
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from core.cli.batch_options import JsonOption
from core.cli.dataset.dataset_summary import TokenizerOption, VersionArgument, parse_version
from core.cli.dataset.export import (
    FormatsOption,
    HoldOutPersonasOption,
    HoldOutTopicsOption,
    LicenceOption,
    SeedOption,
    SplitOption,
    SystemOption,
    make_options,
)
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.dataset_bootstrap import make_exporter, open_hub, read_tokenizer, write_folder
from core.domain.datasets.token_lengths import ESTIMATE
from core.domain.datasets.training_formats import TrainingFormat
from core.errors import InvalidRequest
from core.services.dataset_export import DEFAULT_LICENCE


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
    name, number = parse_version(dataset)
    options = make_options(formats, split, hold_out_topics, hold_out_personas, seed, system, licence)
    measure = ESTIMATE if tokenizer is None else read_tokenizer(tokenizer)
    with open_command_services(settings) as services, tempfile.TemporaryDirectory() as scratch:
        found = services.datasets.get(name)
        version = services.datasets.get_version(found, number)
        target = Path(scratch) / "export"
        with write_folder(target, force=False) as folder:
            make_exporter(services.datasets).export(found, version, options, folder, measure)
        files = {str(path.relative_to(target)): path.stat().st_size for path in sorted(target.rglob("*")) if path.is_file()}
        address = None
        if not dry_run and settings.hub_token is not None:
            message = f"{found.name}, version {version.number}, fingerprint {version.fingerprint}"
            address = open_hub(settings.hub_token).push(target, repo, is_private=not public, message=message)
    if as_json:
        typer.echo(json.dumps({"version": version.number, "repository": repo, "address": address, "bytes_by_file": files}))
        return
    for path, size in files.items():
        typer.echo(f"{size:>12,} bytes  {path}")
    done = f"uploaded to {address}" if address else f"would be uploaded to {repo} ({'public' if public else 'private'})"
    typer.echo(f"{len(files)} files of version {version.number} {done}.")
