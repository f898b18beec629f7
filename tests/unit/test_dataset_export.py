"""Exported lines."""

import json
from datetime import UTC, datetime
from uuid import uuid4

from core.domain.datasets.dataset_export import format_line, make_file_name
from core.domain.datasets.records import ExportedConversation, ReviewStatus
from core.domain.scaffolding.records import ConversationCategory, Tier
from core.domain.verdict.conversation import EmotionalContext, Role, Turn


def make_exported(*contents: str) -> ExportedConversation:
    feeling = EmotionalContext(primary_emotion="worry", intensity=0.5)
    return ExportedConversation(
        id=uuid4(),
        name="A · B · C",
        turns=tuple(
            Turn(
                turn_number=number,
                role=Role.USER if number % 2 else Role.ASSISTANT,
                content=content,
                emotional_context=feeling,
            )
            for number, content in enumerate(contents, start=1)
        ),
        batch_id=uuid4(),
        category=ConversationCategory.CORE,
        tier=Tier.TEMPLATE,
        model="claude-sonnet-5-5",
        review_status=ReviewStatus.APPROVED,
        simulated=False,
        created_at=datetime(2026, 11, 22, tzinfo=UTC),
    )


def test_a_last_turn_that_nobody_answers_is_dropped() -> None:
    record = json.loads(format_line(make_exported("Ünder\nline", "Yes.", "And?")))

    assert [{"role": "user", "content": "Ünder\nline"}, {"role": "assistant", "content": "Yes."}] == record["messages"]


def test_a_record_is_one_line_and_says_whether_it_is_simulated() -> None:
    line = format_line(make_exported("a\u2028b", "c\r\nd"))

    assert line.count(b"\n") == 1
    assert json.loads(line)["metadata"]["simulated"] is False


def test_the_file_is_named_by_the_minute() -> None:
    assert make_file_name(datetime(2026, 11, 22, 5, 9, tzinfo=UTC)) == "conversations-20261122-0509.jsonl"
