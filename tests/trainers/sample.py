"""A frozen set to export: distinct conversations of both categories, some of them several thousand tokens long."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from uuid import UUID

from core.domain.datasets.plans import Dataset, DatasetVersion
from core.domain.datasets.versions import CountedStatus, FrozenConversation, make_fingerprint
from core.domain.scaffolding.records import ConversationCategory
from tests.support.datasets import make_frozen, make_turns

CONVERSATIONS = 84
LONG_EVERY = 42
"""Every 42nd has turns of several thousand characters: more tokens than any trainer's default takes."""
UNANSWERED_EVERY = 10
"""Every tenth ends with a question that nobody answers."""
WORDS = """
    I you we your my the a an and but so because money debt savings rate balance letter bank budget month year plan house
    rent card loan worried calm afraid ready tired hopeful partner parents children salary bonus pension insurance emergency
    fund interest fees statement appointment question answer decision habit number sheet pays owes saves spends asks tells
    opens closes writes compares counts waits begins first then slowly today tomorrow together honestly enough
"""
EXTRAS = ("\n\n", "\n- ", " — ", " “Größe” ", " 😀 ", " 家計 ", " <b>5 %</b> ", " {{ name }} ")
"""What text holds beside words: lines, lists, dashes, umlauts, pictures, other scripts, marks of HTML and of templates."""


def make_sample() -> tuple[FrozenConversation, ...]:
    """Return the same conversations each time."""
    return tuple(_make_conversation(number) for number in range(CONVERSATIONS))


def describe_version(conversations: tuple[FrozenConversation, ...]) -> tuple[Dataset, DatasetVersion]:
    """Return the data set and the version that the conversations make."""
    now = datetime(2026, 11, 28, tzinfo=UTC)
    count = len(conversations)
    progress = {"accepted": count, "approved": count, "rejected": 0, "failed": 0, "open": 0, "to_generate": 0, "missing": 0}
    dataset = Dataset.model_validate(
        {"id": UUID(int=1), "name": "Money talks", "counted": CountedStatus.APPROVED, "created_at": now, "version": 1}
        | {"combinations": count, "planned": count}
        | progress
    )
    fingerprint = make_fingerprint((each.id, each.text_hash) for each in conversations)
    version = DatasetVersion.model_validate(
        {"id": UUID(int=2), "number": 1, "conversations": count, "frozen_at": now, "fingerprint": fingerprint, "summary": {}}
    )
    return dataset, version


def _make_conversation(number: int) -> FrozenConversation:
    draw = Random(number)
    characters = 3_500 if number % LONG_EVERY == 0 else 200
    texts = [_write_text(draw, characters) for _ in range(4 + (number % UNANSWERED_EVERY == 0))]
    return make_frozen(
        id=UUID(int=number + 100),
        position=number,
        category=ConversationCategory.EDGE if number % UNANSWERED_EVERY == 1 else ConversationCategory.CORE,
        arc=f"arc_{number % 3}",
        topic=f"topic_{number}",
        turns=make_turns(*texts),
    )


def _write_text(draw: Random, characters: int) -> str:
    return " ".join(_write_sentences(draw, characters)).strip()


def _write_sentences(draw: Random, characters: int) -> Iterator[str]:
    written = 0
    while written < characters:
        words = " ".join(draw.choices(WORDS.split(), k=draw.randint(4, 12))).capitalize()
        sentence = f"{words} ${draw.randint(1, 99_999):,}{draw.choice('?!.')}{draw.choice(EXTRAS).rstrip(' ')}"
        written += len(sentence)
        yield sentence
