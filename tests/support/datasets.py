"""Conversations of data sets, as plausible as a test needs them."""

from typing import Any
from uuid import UUID, uuid4

from core.domain.datasets.freezing import Candidate
from core.domain.datasets.versions import FrozenConversation
from core.domain.verdict.conversation import EmotionalContext, Role, Turn

TEXTS = (
    "I opened the letter from the bank and closed it again.",
    "Thank you for telling me. Let us look at it together.",
    "What comes first?",
    "First the rate, because it decides how fast the balance grows.",
)
CALM = EmotionalContext(primary_emotion="calm", intensity=0.4)


def make_turns(*texts: str) -> tuple[Turn, ...]:
    """Return turns of user and assistant, the user first."""
    roles = (Role.USER, Role.ASSISTANT)
    return tuple(
        Turn(turn_number=number + 1, role=roles[number % 2], content=text, emotional_context=CALM)
        for number, text in enumerate(texts or TEXTS)
    )


def make_frozen(**changes: Any) -> FrozenConversation:
    """Return a conversation of a version."""
    return FrozenConversation.model_validate(_describe() | changes)


def make_candidate(**changes: Any) -> Candidate:
    """Return an approved conversation that may be frozen; its text differs from all others unless `turns` are given."""
    more = {
        "persona_id": UUID(int=1),
        "emotional_arc_id": UUID(int=2),
        "training_topic_id": UUID(int=3),
        "review_status": "approved",
        "created_at": "2026-11-22T12:00:00Z",
        "revision": "0",
        "turns": make_turns(f"Question {uuid4()} is mine, and I ask it here.", *TEXTS[1:]),
    }
    return Candidate.model_validate(_describe() | more | changes)


def _describe() -> dict[str, Any]:
    return {
        "id": uuid4(),
        "position": 0,
        "category": "core",
        "persona": "marcus",
        "arc": "fear_to_confidence",
        "topic": "debt",
        "tier": "template",
        "template": "receive",
        "template_version": 2,
        "model": "claude-sonnet-5-5",
        "simulated": False,
        "cost_usd": 0.02,
        "turns": make_turns(),
    }
