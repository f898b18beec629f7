"""What the card of an export says of how its conversations came to be."""

import pytest

from core.domain.datasets.card import CardFacts, write_card
from core.domain.datasets.splits import Split
from core.domain.datasets.token_lengths import summarize_lengths
from core.domain.datasets.versions import describe_reviews
from tests.trainers.sample import describe_version, make_sample


def make_card(*, simulated: int = 0, **summary: object) -> str:
    conversations = make_sample()
    dataset, version = describe_version(conversations)
    facts = CardFacts(
        name=dataset.name,
        version=version.model_copy(update={"summary": summary}),
        splits={Split.TRAIN: len(conversations)},
        shared=(),
        lengths=summarize_lengths([200]),
        simulated=simulated,
        cost_usd=1.42,
        templates=("opening",),
        example=(),
    )
    return write_card(facts)


@pytest.mark.parametrize(
    ("reviews", "said"),
    [
        ({"approved": 100, "approved_after_reading": 100}, "approved all, each after opening it; 0 were edited."),
        (
            {"approved": 91, "approved_after_reading": 9, "edited": 2},
            "approved 91 of 100, 9 of them after opening them, the others unread; 2 were edited.",
        ),
        ({"approved": 0}, "No reviewer has approved any of them."),
        ({"edited": 3}, "No reviewer has approved any of them; 3 were edited."),
    ],
)
def test_what_reviewers_did_is_said(reviews: dict[str, int], said: str) -> None:
    assert said in describe_reviews(reviews, 100)


def test_the_card_has_the_reviews_and_the_grid() -> None:
    card = make_card(
        reviews={"approved": 5, "approved_after_reading": 5}, cells={"a_b": {"fear": 2}, "c": {"fear": 1, "shame": 2}}
    )

    assert "each after opening it" in card
    assert "| Persona | fear | shame |\n|---|---|---|\n| a\\_b | 2 | 0 |\n| c | 1 | 2 |" in card


def test_a_version_that_was_frozen_without_these_notes_says_nothing_of_them() -> None:
    card = make_card()

    assert "reviewer" not in card
    assert "Persona" not in card


@pytest.mark.parametrize("simulated", [0, 3])
def test_nothing_is_said_to_be_written_by_a_model_that_was_not(simulated: int) -> None:
    card = make_card(simulated=simulated)

    assert (simulated == 0) is ("written by a model" in card)
    assert (simulated > 0) is ("as if the simulated ones had been real" in card)
