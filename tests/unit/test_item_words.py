"""What is said of an item in the Batch Monitor's table, and which template a retry means."""

from typing import Any
from uuid import uuid4

import pytest

from core.domain.batches.monitor import ItemRow, ItemStatus, RetryTemplate, describe_item, find_retry_template
from core.domain.scaffolding.records import TemplateId


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"status": "queued"}, "waits"),
        ({"status": "queued", "attempts": 1}, "waits after a call without a reply"),
        ({"status": "queued", "attempts": 1, "last_error": "overloaded"}, "waits after overloaded"),
        ({"status": "queued", "attempts": 1, "last_error": "overloaded", "last_http_status": 529}, "overloaded (529)"),
        ({"status": "processing"}, "running"),
        ({"status": "processing", "attempts": 1}, "call 2"),
        ({"status": "completed"}, "accepted"),
        ({"status": "completed", "turn_count": 8}, "accepted, 8 turns"),
        ({"status": "failed", "failure_type": "refusal", "failure_details": "declined"}, ": declined"),
        ({"status": "failed", "failure_type": "truncation", "turn_index": 3}, " in turn 4"),
    ],
)
def test_item_is_described_by_what_is_known_of_it(said: dict[str, Any], words: str) -> None:
    unsaid = {"id": uuid4(), "position": 0, "tier": "template", "attempts": 0, "duration_ms": 0}

    assert describe_item(ItemRow.model_validate(unsaid | said)).endswith(words)


def test_each_status_has_words_of_its_own() -> None:
    common = {"id": uuid4(), "position": 0, "tier": "template", "attempts": 0, "duration_ms": 0}

    assert len(ItemStatus) == len({describe_item(ItemRow.model_validate(common | {"status": each})) for each in ItemStatus})


def test_template_is_found_by_name_newest_first_or_by_name_and_version() -> None:
    old, new = (
        RetryTemplate(id=TemplateId(uuid4()), name="Calm and clear", version=version, arc="a", is_used=False)
        for version in (1, 2)
    )

    found = [find_retry_template([old, new], wanted) for wanted in ("calm AND clear", "Calm and clear v1", "Calm")]

    assert [new, old, None] == found
