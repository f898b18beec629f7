"""What commands about data sets print."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from core.command_bootstrap import CommandServices
from core.domain.datasets.plans import Dataset, DatasetDetail, DatasetVersion
from core.domain.datasets.token_lengths import ESTIMATE, TokenMeasure
from core.domain.datasets.versions import describe_exclusions
from core.errors import InvalidRequest, NotFound
from core.services.datasets import DatasetService
from core.terminal import escape_lines

NameArgument = Annotated[str, typer.Argument(help="Name of the data set.")]
TokenizerOption = Annotated[
    Path | None, typer.Option(help="A tokenizer.json that counts tokens; without it they are estimated.")
]
VersionArgument = Annotated[str, typer.Argument(help="Name of the data set, or NAME@VERSION for one of its versions.")]


def choose_measure(tokenizer: Path | None) -> TokenMeasure:
    """Return what counts tokens: the tokenizer in a file, or the estimate; raise InvalidRequest."""
    if tokenizer is None:
        return ESTIMATE
    from core.dataset_bootstrap import read_tokenizer  # noqa: PLC0415 - Parquet takes a while to load

    return read_tokenizer(tokenizer)


def parse_version(text: str) -> tuple[str, int | None]:
    """Read NAME or NAME@VERSION; raise InvalidRequest."""
    name, at, number = text.rpartition("@")
    if not at:
        return text, None
    if not number.isascii() or not number.isdigit():
        raise InvalidRequest(f"{text!r}: after @ stands the number of a version, such as {name or 'NAME'}@1.")
    return name, int(number)


def find_version(datasets: DatasetService, text: str) -> tuple[Dataset, DatasetVersion]:
    """Return what NAME or NAME@VERSION means; a data set that is called so as a whole comes first. Raises InvalidRequest."""
    try:
        dataset, number = datasets.get(text), None
    except NotFound:
        name, number = parse_version(text)
        if number is None:
            raise
        dataset = datasets.get(name)
    return dataset, datasets.get_version(dataset, number)


def summarize(dataset: Dataset, detail: DatasetDetail) -> dict[str, Any]:
    """Return a data set as one JSON object."""
    exclusions = detail.versions[0].exclusions if detail.versions else {}
    fields = ("name", "counted", "combinations", "planned", "accepted", "approved", "rejected", "failed", "open", "missing")
    summary = {field: getattr(dataset, field) for field in (*fields, "to_generate")}
    return summary | {
        "duplicates": dataset.duplicates,
        "excluded": sum(exclusions.values()),
        "batches": [str(batch.id) for batch in detail.batches],
        "versions": [summarize_version(version) for version in detail.versions],
    }


def summarize_version(version: DatasetVersion) -> dict[str, Any]:
    """Return a version as one JSON object."""
    return {
        "version": version.number,
        "conversations": version.conversations,
        "excluded": version.exclusions,
        "fingerprint": version.fingerprint,
        "lengths": None if version.lengths is None else version.lengths.model_dump(mode="json"),
        "frozen_at": version.frozen_at.isoformat(),
        "exported_at": None if version.exported_at is None else version.exported_at.isoformat(),
    }


def list_exclusions(services: CommandServices, version: DatasetVersion) -> list[dict[str, str]]:
    """Return which conversations a version keeps out and why, as JSON objects."""
    return [each.model_dump(mode="json") for each in services.datasets.list_exclusions(version)]


def print_dataset(services: CommandServices, dataset: Dataset, *, as_json: bool, with_exclusions: bool = False) -> None:
    """Print how far a data set is; its JSON says on request which conversations the newest version keeps out."""
    detail = services.datasets.describe(dataset.id)
    summary = summarize(dataset, detail)
    if as_json:
        if with_exclusions:
            newest = detail.versions[:1]
            summary["excluded_conversations"] = [row for each in newest for row in list_exclusions(services, each)]
        typer.echo(json.dumps(summary))
        return
    typer.echo(escape_lines(f"{dataset.name}: {dataset.planned} planned in {dataset.combinations} combinations"))
    typer.echo(
        f"accepted {dataset.accepted}, approved {dataset.approved}, rejected {dataset.rejected}, failed {dataset.failed}, "
        f"being generated {dataset.open}"
    )
    typer.echo(f"missing {dataset.missing} {dataset.counted}, to generate {dataset.to_generate}")
    for version in detail.versions:
        kept_out = describe_exclusions(version.exclusions)
        typer.echo(f"version {version.number}: {version.conversations} conversations, {version.fingerprint}")
        typer.echo(f"  kept out: {kept_out}")
