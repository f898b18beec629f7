"""Builders of records for tests: each argument that a test does not name is plausible and valid."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import uuid4

from core.domain.batches.batch import BatchId, BatchProgress, BatchSettings, BatchStatus, ErrorHandling, Selection
from core.domain.batches.work import Attempt, BatchPlan, CallFailure, CallFailureKind, ItemFailed, LeasedItem, Snapshot
from core.domain.scaffolding.prompt import choose_template
from core.domain.scaffolding.records import ConversationCategory
from core.domain.scaffolding.topic_selection import select_topics
from core.domain.verdict.reply import RawResponse, Reply, TokenUsage
from core.domain.verdict.verdict import Confidence, Failed, FailureType
from core.ports.results import ReportStore
from core.scaffolding_data import (
    load_emotional_arcs,
    load_personas,
    load_prompt_templates,
    load_training_topics,
    load_variation_axes,
)
from core.services.reports import ReportService
from tests.fakes.batches import ScaffoldingRows

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TURNS = (
    "I opened the statement and closed it again, so I am asking for help with the card.",
    "Thank you for telling me. Let us look at the 4,200 dollars together, one line at a time.",
    "I can do one line at a time. What comes first?",
    "First the rate, because it decides how fast the balance grows. You will find it on page two.",
)


def make_scaffolding() -> ScaffoldingRows:
    """Return the shipped scaffolding as it is seeded: 3 personas, 8 active arcs, 20 active topics, 8 templates."""
    kept = {topic.topic_key for topic in select_topics(load_training_topics())}
    topics = tuple(topic.model_copy(update={"is_active": topic.topic_key in kept}) for topic in load_training_topics())
    return ScaffoldingRows(
        personas=load_personas(),
        arcs=load_emotional_arcs(),
        topics=topics,
        templates=load_prompt_templates(),
        axes=load_variation_axes(),
    )


def make_selection(
    personas: int = 1,
    arcs: int = 1,
    topics: int = 2,
    *,
    category: ConversationCategory = ConversationCategory.CORE,
    limit: int | None = None,
) -> Selection:
    """Return a selection of so many active personas, arcs and topics of the shipped scaffolding."""
    active_arcs = [arc for arc in load_emotional_arcs() if arc.is_active and arc.conversation_category is category]
    return Selection(
        category=category,
        persona_ids=tuple(persona.id for persona in load_personas()[:personas]),
        arc_ids=tuple(arc.id for arc in active_arcs[:arcs]),
        topic_ids=tuple(topic.id for topic in select_topics(load_training_topics())[:topics]),
        limit=limit,
    )


def make_settings(**changes: Any) -> BatchSettings:
    return BatchSettings.model_validate({"model": "claude-sonnet-5-5", "max_tokens": 24_576, **changes})


def make_conversation_json(turns: Sequence[str] = TURNS) -> str:
    """Return what Claude writes: turns that alternate, the user first."""
    return json.dumps(
        {
            "conversation_metadata": {
                "client_persona": "Marcus Chen",
                "session_context": "An evening after work",
                "conversation_phase": "first talk",
                "expected_outcome": "One next step",
            },
            "turns": [
                {
                    "turn_number": number,
                    "role": "user" if number % 2 else "assistant",
                    "content": content,
                    "emotional_context": {"primary_emotion": "worry", "secondary_emotion": None, "intensity": 0.5},
                }
                for number, content in enumerate(turns, start=1)
            ],
        }
    )


def make_reply(
    text: str | None = None,
    *,
    stop_reason: str | None = "end_turn",
    usage: TokenUsage | None = None,
    model: str = "claude-sonnet-5-5",
    body: bytes = b"{}",
) -> Reply:
    return Reply(
        raw=RawResponse(status_code=200, headers={"request-id": "req_1"}, body=body),
        text=make_conversation_json() if text is None else text,
        stop_reason=stop_reason,
        usage=usage or TokenUsage(input_tokens=1000, output_tokens=2000),
        model=model,
        request_id="req_1",
        duration_ms=1200,
        simulated=True,
    )


def make_call_failure(kind: CallFailureKind = CallFailureKind.OVERLOADED, **changes: Any) -> CallFailure:
    return CallFailure.model_validate({"kind": kind, "message": "busy", "duration_ms": 5, "simulated": True, **changes})


def make_attempt(**changes: Any) -> Attempt:
    values = {
        "id": uuid4(),
        "model": "claude-sonnet-5-5",
        "settings": make_settings(),
        "prompt_length": 11,
        "started_at": datetime.now(UTC),
        "duration_ms": 1200,
        "simulated": True,
        "worker": "test:1",
        "stop_reason": "end_turn",
        "usage": TokenUsage(input_tokens=1000, output_tokens=2000),
        "cost_usd": "0.022",
        "raw": RawResponse(status_code=200, headers={"request-id": "req_1"}, body=b'{"id": "msg_1"}'),
    }
    return Attempt.model_validate(values | changes)


def make_plan(selection: Selection | None = None, **settings: Any) -> BatchPlan:
    """Return the plan of a batch of a selection, with its snapshot of the shipped scaffolding."""
    chosen, rows = selection or make_selection(), make_scaffolding()
    templates = [choose_template(rows.templates, arc_id) for arc_id in chosen.arc_ids]
    snapshot = Snapshot(
        personas={row.id: row for row in rows.personas if row.id in chosen.persona_ids},
        arcs={row.id: row for row in rows.arcs if row.id in chosen.arc_ids},
        topics={row.id: row for row in rows.topics if row.id in chosen.topic_ids},
        templates={row.id: row for row in templates if row is not None},
        axes={row.id: row for row in rows.axes},
    )
    return BatchPlan(
        id=BatchId(uuid4()), name="A batch", settings=make_settings(**settings), snapshot=snapshot, created_by=uuid4()
    )


def make_items(plan: BatchPlan) -> list[LeasedItem]:
    """Return an item for each combination of a plan's scaffolding."""
    templates = {template.emotional_arc_id: template.id for template in plan.snapshot.templates.values()}
    grid = product(plan.snapshot.personas, plan.snapshot.arcs, plan.snapshot.topics)
    return [
        make_item(
            position=position,
            persona_id=persona_id,
            emotional_arc_id=arc_id,
            training_topic_id=topic_id,
            template_id=templates[arc_id],
        )
        for position, (persona_id, arc_id, topic_id) in enumerate(grid)
    ]


def make_item(**changes: Any) -> LeasedItem:
    ids = ("item_id", "lease_token", "persona_id", "emotional_arc_id", "training_topic_id", "template_id")
    return LeasedItem.model_validate({name: uuid4() for name in ids} | {"position": 0, "attempt_number": 1} | changes)


def make_failed(body: bytes) -> ItemFailed:
    """Return a failure whose raw response has this body."""
    raw = RawResponse(status_code=200, headers={}, body=body)
    failure = Failed(failure_type=FailureType.PARSE_ERROR, confidence=Confidence.HIGH, details="d")
    return ItemFailed(
        item=make_item(), attempt=make_attempt(raw=raw), prompt_text="p", settings=make_settings(), failure=failure
    )


def make_progress(status: BatchStatus, *, started: bool = True, **changes: Any) -> BatchProgress:
    """Return a batch that began at START and was never paused; its last item was judged a minute after."""
    counts = {name: changes.pop(name, 0) for name in ("accepted", "failed", "cancelled", "running", "queued")}
    values = {
        "id": uuid4(),
        "name": "batch",
        "status": status,
        "conversation_category": ConversationCategory.CORE,
        "model": "m",
        "max_tokens": 1,
        "structured_outputs": True,
        "concurrency": 3,
        "error_handling": ErrorHandling.CONTINUE,
        "estimated_seconds": 600,
        "created_by": uuid4(),
        "created_at": START,
        "started_at": START if started else None,
        "planned": sum(counts.values()),
        "attempts": 0,
        "cost_usd": 0,
        "input_tokens": 0,
        "output_tokens": 0,
        "simulated": True,
        "recent_since": START if started else None,
        "recent_until": START + timedelta(minutes=1) if started else None,
        "recent_judged": counts["accepted"] + counts["failed"],
    }
    return BatchProgress.model_validate(values | counts | changes)


def make_old_data_set() -> bytes:
    """Return 144 conversations as JSON Lines: of the 49 of one template 24 are cut at a lone backslash, of the others none.

    The template is not in the scaffolding, personas and arcs are; ids are new, so that no two data sets are the same.
    """
    templates = ["emotional_scene_old", "plain_talk_old", "step_by_step_old"]
    lines: list[str] = []
    for number in range(144):
        template = templates[0] if number % 3 == 0 or number == 1 else templates[1 + number % 2]
        is_cut = template == templates[0] and number % 6 == 0
        turns = (TURNS[0], "It isn't \\", *TURNS[2:]) if is_cut else TURNS
        record = {
            "id": str(uuid4()),
            "persona": ["overwhelmed_avoider", "Jennifer Martinez"][number // 6 % 2],
            "emotional_arc": load_emotional_arcs()[number // 12 % 5].name,
            "template": template,
            "model": "claude-sonnet-4-5",
            "messages": [
                {"role": "assistant" if index % 2 else "user", "content": content} for index, content in enumerate(turns)
            ],
        }
        lines.append(json.dumps(record))
    return "\n".join(lines).encode()


def upload_reports(store: ReportStore) -> None:
    """Upload every missing report: the database is shared, so older failures of other tests come first."""
    while ReportService(store=store).upload_missing():
        pass
