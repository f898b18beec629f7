"""`brightrun dataset export`: a frozen version as a folder that trainers read."""

import json
from pathlib import Path
from typing import Annotated

import typer

from core.cli.batch_options import JsonOption
from core.cli.dataset.dataset_summary import TokenizerOption, VersionArgument, choose_measure, find_version
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.dataset_bootstrap import make_exporter, write_folder
from core.domain.datasets.plans import ExportTarget
from core.domain.datasets.splits import describe_shared, hold_out, parse_split_rule
from core.domain.datasets.token_lengths import describe_defaults, describe_lengths
from core.domain.datasets.training_formats import ASSISTANT_ROLE, TrainingFormat
from core.errors import InvalidRequest
from core.services.dataset_export import DEFAULT_LICENCE, ExportOptions

ALL_FORMATS = ",".join(TrainingFormat)


FormatsOption = Annotated[str, typer.Option(help=f"Comma separated: {ALL_FORMATS}.")]
SplitOption = Annotated[str, typer.Option(help="Shares that are held back, such as validation=0.1,test=0.1.")]
HoldOutTopicsOption = Annotated[str, typer.Option(help="Topic keys, comma separated: the test split is these.")]
HoldOutPersonasOption = Annotated[str, typer.Option(help="Persona keys, comma separated, likewise.")]
SeedOption = Annotated[int, typer.Option(help="Another seed divides otherwise.")]
SystemOption = Annotated[str | None, typer.Option(help="A system message before each conversation.")]
SystemRoleOption = Annotated[
    bool, typer.Option("--system-role", help="The assistant's role, a financial planner's, as the system message.")
]
LicenceOption = Annotated[str, typer.Option("--license", help="Licence that the card names.")]


def export(
    dataset: VersionArgument,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    formats: FormatsOption = TrainingFormat.MESSAGES_JSONL,
    split: SplitOption = "",
    hold_out_topics: HoldOutTopicsOption = "",
    hold_out_personas: HoldOutPersonasOption = "",
    seed: SeedOption = 0,
    system: SystemOption = None,
    system_role: SystemRoleOption = False,
    licence: LicenceOption = DEFAULT_LICENCE,
    tokenizer: TokenizerOption = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the folder if it is an earlier export or empty.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write data, recipes for trainers and a card; the same version and options give the same bytes."""
    options = make_options(formats, split, hold_out_topics, hold_out_personas, seed, system, licence, use_role=system_role)
    measure = choose_measure(tokenizer)
    with open_command_services(load_settings()) as services:
        found, version = find_version(services.datasets, dataset)
        with write_folder(output, force=force) as folder:
            summary = make_exporter(services.datasets).export(found, version, options, folder, measure)
        services.datasets.note_export(version, ExportTarget.FOLDER, options.formats)
    for note in summary.notes:
        typer.echo(note, err=True)
    if as_json:
        typer.echo(json.dumps({"version": version.number} | summary.model_dump(mode="json")))
        return
    parts = ", ".join(f"{split.value} {count}" for split, count in summary.splits.items())
    typer.echo(f"{output}: version {version.number}, {summary.conversations} conversations ({parts})")
    for shared in summary.shared:
        typer.echo(f"{describe_shared(shared)}.")
    typer.echo("\n".join((describe_lengths(summary.lengths), *describe_defaults(summary.lengths))))


def make_options(  # noqa: PLR0917 - the options of two commands, in their order
    formats: str,
    split: str,
    hold_out_topics: str,
    hold_out_personas: str,
    seed: int,
    system: str | None,
    licence: str,
    *,
    use_role: bool,
) -> ExportOptions:
    """Return what the options ask for; raise InvalidRequest that names the wrong one."""
    if use_role and system is not None:
        raise InvalidRequest("Give --system with a text or --system-role, not both.")
    rule = hold_out(parse_split_rule(split, seed=seed), _split_keys(hold_out_topics), _split_keys(hold_out_personas))
    return ExportOptions(
        formats=_parse_formats(formats), split=rule, system=ASSISTANT_ROLE if use_role else system, licence=licence
    )


def _parse_formats(text: str) -> tuple[TrainingFormat, ...]:
    try:
        return tuple(dict.fromkeys(TrainingFormat(part.strip()) for part in text.split(",") if part.strip()))
    except ValueError as error:
        raise InvalidRequest(f"--formats {text}: there are {ALL_FORMATS}.") from error


def _split_keys(text: str) -> frozenset[str]:
    return frozenset(key.strip() for key in text.split(",") if key.strip())
