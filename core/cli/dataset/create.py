"""`brightrun dataset create`: a data set with its plan."""

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from core.cli.batch_options import JsonOption, warn_of_same_prompts
from core.cli.dataset.dataset_summary import NameArgument, print_dataset
from core.command_bootstrap import open_command_services
from core.config import load_settings
from core.domain.batches.batch import MOST_PER_COMBINATION, Selection
from core.domain.datasets.plans import PlanPart, make_plan
from core.domain.datasets.versions import CountedStatus
from core.domain.scaffolding.records import ConversationCategory
from core.errors import InvalidRequest
from core.services.scaffolding import ALL, Choices, pick_arcs, pick_personas, pick_topics

LARGEST_PLAN_BYTES = 1_000_000


class _PlanChoice(BaseModel):
    """A part of a plan as one writes it down: keys, as the options of the command."""

    model_config = ConfigDict(extra="forbid")
    category: ConversationCategory
    personas: str = ALL
    arcs: str = ALL
    topics: str = ALL
    limit: int | None = Field(default=None, ge=1)
    per_combination: int = Field(default=1, ge=1, le=MOST_PER_COMBINATION)


def create(
    name: NameArgument,
    *,
    category: Annotated[ConversationCategory | None, typer.Option(help="Core journeys or edge cases.")] = None,
    personas: Annotated[str, typer.Option(help="`all` or persona keys, comma separated.")] = ALL,
    arcs: Annotated[str, typer.Option(help="`all` of the category that have a template, or arc keys.")] = ALL,
    topics: Annotated[str, typer.Option(help="`all`, a number, or topic keys, comma separated.")] = ALL,
    per_combination: Annotated[int, typer.Option(help="Conversations of each combination (1 to 1,000).")] = 1,
    limit: Annotated[int | None, typer.Option(min=1, help="At most this many combinations, spread evenly.")] = None,
    count: Annotated[CountedStatus, typer.Option(help="Which conversations fill the plan.")] = CountedStatus.APPROVED,
    plan: Annotated[
        Path | None,
        typer.Option(help="JSON file of several parts: [{category, personas, arcs, topics, limit, per_combination}]."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Plan a data set: which combinations, and how many conversations of each."""
    if (plan is None) == (category is None):
        raise InvalidRequest("Give --category with its choices, or a --plan with several parts.")
    given = {
        "category": category,
        "personas": personas,
        "arcs": arcs,
        "topics": topics,
        "limit": limit,
        "per_combination": per_combination,
    }
    choices = _read_plan([given] if plan is None else plan)
    with open_command_services(load_settings()) as services:
        known = services.scaffolding.list_choices()
        parts = [part for each in choices for part in _pick(known, each)]
        several = [part for part in parts if part.per_combination > 1]
        most = max((part.per_combination for part in several), default=1)
        warn_of_same_prompts(known, {arc_id for part in several for arc_id in part.arc_ids}, most)
        print_dataset(services, services.datasets.create(name, count, parts), as_json=as_json)


def _read_plan(given: list[dict[str, Any]] | Path) -> list[_PlanChoice]:
    adapter = TypeAdapter(list[_PlanChoice])
    try:
        if not isinstance(given, Path):
            return adapter.validate_python(given)
        if given.stat().st_size > LARGEST_PLAN_BYTES:
            raise InvalidRequest(f"{given} is larger than a plan ever is (1 MB).")
        return adapter.validate_json(given.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidRequest(f"The plan: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    except OSError as error:
        raise InvalidRequest(f"{given} cannot be read: {error.strerror or error}.") from error


def _pick(known: Choices, choice: _PlanChoice) -> tuple[PlanPart, ...]:
    selection = Selection(
        category=choice.category,
        persona_ids=tuple(each.id for each in pick_personas(known, choice.personas)),
        arc_ids=tuple(each.id for each in pick_arcs(known, choice.category, choice.arcs)),
        topic_ids=tuple(each.id for each in pick_topics(known, choice.topics)),
        limit=choice.limit,
    )
    return make_plan(selection, choice.per_combination)
