"""What an analyst may send to functions of the database, and the words in which it is taken or refused."""

import re
from typing import Any, LiteralString
from uuid import uuid4

from core.domain.record import Record
from core.scaffolding_data import (
    load_emotional_arcs,
    load_personas,
    load_prompt_templates,
    load_training_topics,
    load_variation_axes,
)
from tests.factories import make_selection, make_settings

CALLS = {
    "save_persona": "select public.save_persona(%s)",
    "save_arc": "select public.save_arc(%s)",
    "save_topic": "select public.save_topic(%s)",
    "save_axis": "select public.save_axis(%s)",
    "save_template": "select public.save_template(%s, null)",
}
RECORDS = {
    "save_persona": load_personas()[0],
    "save_arc": load_emotional_arcs()[0],
    "save_topic": load_training_topics()[0],
    "save_axis": load_variation_axes()[0],
    "save_template": load_prompt_templates()[0],
}
_SAVED = "in (select record_id from public.scaffolding_authors where created_by = %s)"
FORGET_SAVED: tuple[LiteralString, ...] = (
    f"delete from public.prompt_templates where id {_SAVED}",
    f"delete from public.personas where id {_SAVED}",
    f"delete from public.emotional_arcs where id {_SAVED}",
    f"delete from public.training_topics where id {_SAVED}",
    "delete from public.variation_axes where created_by = %s",
    "delete from public.scaffolding_authors where created_by = %s",
)
LONGEST_REASON = 500
WORDS_OF_POSTGRESQL = re.compile(
    r"invalid (input|byte|memory)|out of range|malformed|cannot (be cast|call|cast|extract|get)|violates|syntax|relation \""
    r"|column \"|numeric field|null value|duplicate key|type (uuid|integer|timestamp|double|jsonb|boolean)",
    re.IGNORECASE,
)


def make_new(record: Record) -> dict[str, Any]:
    key = next(name for name in type(record).model_fields if name.endswith("_key"))
    return record.model_dump(mode="json") | {"id": str(uuid4()), key: f"new_{uuid4().hex}", "updated_at": None}


def make_request() -> dict[str, Any]:
    selection = make_selection(2, 2, 2)
    return {
        "name": "A batch",
        "conversation_category": "core",
        **selection.model_dump(mode="json", include={"persona_ids", "arc_ids", "topic_ids", "limit", "skip_existing"}),
        "picks": [0, 3],
        "per_combination": 1,
        **make_settings(budget_usd=5, canary_items=1).model_dump(mode="json"),
        "estimated_seconds": 10.5,
        "estimated_cost_usd": 0.5,
    }


def make_item(position: int) -> dict[str, Any]:
    named = {"id": None, "name": "not given"}
    return {
        "position": position, "source": {"file": "a.jsonl", "conversation": "1"}, "persona": named, "arc": named,
        "topic": named, "template": named, "model": "m", "stop_reason": "end_turn", "max_tokens": 100, "input_tokens": 1,
        "output_tokens": 2, "made_at": "2026-01-01T00:00:00Z", "turns": 2,
        "failure": {
            "failure_type": "truncation", "pattern": "lone_backslash", "confidence": "high", "details": "cut",
            "turn_index": 1, "text": "{}", "fingerprint": "f",
        },
    }  # fmt: skip


def require_word(answer: Any, *good: str) -> bool:
    """Say whether it was taken; if not, it was refused in a few words."""
    if answer["outcome"] in good:
        return True
    assert answer["outcome"] in ("rejected", "conflict", "not_found"), answer
    assert answer["outcome"] == "not_found" or 10 < len(answer["reason"]) <= LONGEST_REASON, answer
    assert not WORDS_OF_POSTGRESQL.search(answer.get("reason", "")), answer
    return False
