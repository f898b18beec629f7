"""From a batch's row to the plan that a worker follows. Pure."""

from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from pydantic import ValidationError

from core.domain.batches.batch import BatchId, BatchSettings
from core.domain.batches.work import BatchPlan, Snapshot
from core.errors import PlanUnreadable

NAME_CHARACTERS = 60
NOUNS = {
    "personas": "persona",
    "arcs": "emotional arc",
    "topics": "topic",
    "templates": "template",
    "axes": "axis of variation",
}


def read_plan(row: Mapping[str, Any]) -> BatchPlan:
    """Return a batch's plan; raise PlanUnreadable, with a message for its analyst, if the row is not valid."""
    try:
        settings = BatchSettings.model_validate(row)
    except ValidationError as error:
        fault = _describe_fault(error, skipped=0)
        raise PlanUnreadable(
            f"a setting of it cannot be used ({fault}). Cancel it and submit it with other settings."
        ) from error
    try:
        snapshot = Snapshot.model_validate(row["snapshot"])
    except ValidationError as error:
        raise PlanUnreadable(_explain_snapshot(row["snapshot"], error)) from error
    return BatchPlan(
        id=BatchId(UUID(row["id"])),
        name=row["name"],
        settings=settings,
        snapshot=snapshot,
        created_by=UUID(row["created_by"]),
    )


def _explain_snapshot(snapshot: object, error: ValidationError) -> str:
    """Name the persona, arc, topic or template that is at fault, and its field."""
    advice = "Correct it under Scaffolding, cancel this batch and submit it again."
    match error.errors()[0]["loc"]:
        case (str() as kind, str() as row_id, *_) if kind in NOUNS:
            row = _look_up(_look_up(snapshot, kind), row_id)
            name = str(_look_up(row, "name") or row_id)[:NAME_CHARACTERS]
            return f"its {NOUNS[kind]} {name} cannot be read ({_describe_fault(error, skipped=2)}). {advice}"
        case _:
            return f"its scaffolding cannot be read ({_describe_fault(error, skipped=0)}). {advice}"


def _look_up(value: object, key: str) -> object:
    return cast("Mapping[str, object]", value).get(key) if isinstance(value, Mapping) else None


def _describe_fault(error: ValidationError, skipped: int) -> str:
    """Return field and fault of the first error, without its value."""
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(step) for step in first["loc"][skipped:])[:NAME_CHARACTERS]
    return f"{field}: {first['msg']}" if field else first["msg"]
