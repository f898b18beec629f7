"""Options and arguments that several commands about batches take."""

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from pydantic import ValidationError

from core.config import Settings
from core.domain.batches.batch import MOST_PER_COMBINATION, BatchId, BatchSettings
from core.domain.record import Record
from core.errors import InvalidRequest
from core.services.scaffolding import Choices
from core.terminal import escape_lines

Options = TypeVar("Options", bound=Record)
BatchArgument = Annotated[str, typer.Argument(help="Id of the batch.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
WaitOption = Annotated[bool, typer.Option("--wait", help="Wait until the batch has ended.")]


def parse_batch_id(text: str) -> BatchId:
    """Return the id that was typed; raise InvalidRequest if it is not one."""
    try:
        return BatchId(UUID(text))
    except ValueError as error:
        raise InvalidRequest(
            f"{text!r} is not a batch id. `brightrun generate` prints it when a batch is submitted."
        ) from error


def check_options(kind: type[Options], values: dict[str, Any]) -> Options:
    """Build a record of options; raise InvalidRequest that names the wrong ones."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(f"--{str(e['loc'][0]).replace('_', '-')}: {e['msg']}" for e in error.errors())
        raise InvalidRequest(problems) from error


def make_batch_settings(settings: Settings, **asked: Any) -> BatchSettings:  # noqa: ANN401 - checked by BatchSettings
    """Return the configured settings of a batch with what is asked for instead; None asks for nothing."""
    defaults = settings.batch_defaults.model_dump()
    return check_options(BatchSettings, defaults | {field: value for field, value in asked.items() if value is not None})


def check_per_combination(wanted: int) -> None:
    """Refuse what no batch makes of one combination."""
    if not 1 <= wanted <= MOST_PER_COMBINATION:
        raise InvalidRequest(f"--per-combination {wanted}: ask for 1 to {MOST_PER_COMBINATION:,} of each combination.")


def warn_of_same_prompts(choices: Choices, arc_ids: Iterable[UUID], per_combination: int) -> None:
    """Say on standard error which conversations will share a prompt, if any will."""
    if (same_prompts := choices.describe_same_prompts(arc_ids, per_combination)) is not None:
        typer.echo(escape_lines(same_prompts), err=True)
