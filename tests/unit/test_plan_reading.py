"""A batch's row that a worker cannot follow says why, in words for its analyst."""

from typing import Any
from uuid import uuid4

import pytest

from core.adapters.supabase.plan_reading import read_plan
from core.errors import PlanUnreadable
from core.scaffolding_data import load_emotional_arcs, load_personas, load_prompt_templates, load_training_topics
from tests.factories import make_settings


def make_row(**changes: Any) -> dict[str, Any]:
    rows = {
        "personas": load_personas()[0],
        "arcs": load_emotional_arcs()[0],
        "topics": load_training_topics()[0],
        "templates": load_prompt_templates()[0],
    }
    snapshot = {kind: {str(row.id): row.model_dump(mode="json")} for kind, row in rows.items()}
    identity = {"id": str(uuid4()), "name": "B", "created_by": str(uuid4())}
    return make_settings().model_dump(mode="json") | identity | {"snapshot": snapshot} | changes


def make_malformed(kind: str, **fields: Any) -> dict[str, Any]:
    row = make_row()
    (entry,) = row["snapshot"][kind].values()
    entry.update(fields)
    return row


def test_a_good_row_is_a_plan() -> None:
    plan = read_plan(make_row())

    assert [plan.name, *plan.snapshot.personas] == ["B", load_personas()[0].id]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            make_malformed("personas", demographics={"age": 41}),
            r"its persona Marcus Chen cannot be read \(demographics.age: ",
        ),
        (make_malformed("personas", demographics={"age": {"x": "y"}}), r"its persona Marcus Chen .*demographics.age"),
        (make_malformed("personas", typical_questions=["x", None]), r"its persona Marcus Chen .*typical_questions.1"),
        (make_malformed("personas", name=None), r"its persona [0-9a-f-]{36} cannot be read \(name: "),
        (make_malformed("personas", name="n" * 5000, age_range=1), r"its persona n{60} cannot be read"),
        (make_malformed("arcs", tier="x"), r"its emotional arc .* cannot be read \(tier: "),
        (make_malformed("topics", key_concepts="x"), r"its topic .* cannot be read \(key_concepts: "),
        (make_malformed("templates", version="one"), r"its template .* cannot be read \(version: "),
        (make_row(snapshot=None), "its scaffolding cannot be read"),
        (make_row(snapshot=[]), "its scaffolding cannot be read"),
        (make_row(snapshot={"personas": []}), "its scaffolding cannot be read"),
        (make_row(snapshot={"personas": {"x": {}}}), "cannot be read"),
        (make_row(model=""), r"a setting of it cannot be used \(model: "),
        (make_row(max_tokens=1_000_000), r"a setting of it cannot be used \(max_tokens: "),
    ],
)
def test_a_row_that_no_worker_can_follow_says_what_is_wrong_and_what_to_do(row: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanUnreadable, match=said) as refused:
        read_plan(row)

    assert "ancel" in str(refused.value)
    assert len(str(refused.value)) < 400
