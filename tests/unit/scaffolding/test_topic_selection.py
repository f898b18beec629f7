"""Twenty balanced topics, the same ones for the same seed."""

from collections import Counter
from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.scaffolding.records import TrainingTopic
from core.domain.scaffolding.topic_selection import TOPICS_PER_CATEGORY, select_topics
from core.errors import InvalidRequest
from core.scaffolding_data import load_training_topics


def test_twenty_topics_stay_and_forty_five_go() -> None:
    selected = select_topics(load_training_topics())

    assert len(selected) == len(set(selected_keys(selected))) == 20
    assert len(load_training_topics()) - len(selected) == 45


@given(st.integers(min_value=0, max_value=1_000_000))
def test_every_seed_keeps_the_quota_of_each_category(seed: int) -> None:
    selected = select_topics(load_training_topics(), seed=seed)

    assert Counter(topic.category for topic in selected) == dict(TOPICS_PER_CATEGORY)


@given(st.randoms())
def test_order_of_the_topics_does_not_matter(random: Random) -> None:
    shuffled = list(load_training_topics())
    random.shuffle(shuffled)

    assert select_topics(shuffled) == select_topics(load_training_topics())


def test_seeds_make_different_choices() -> None:
    choices = {selected_keys(select_topics(load_training_topics(), seed=seed)) for seed in range(10)}

    assert len(choices) > 5


def test_a_category_with_too_few_topics_is_refused() -> None:
    without_estate = [topic for topic in load_training_topics() if topic.category != "estate"]

    with pytest.raises(InvalidRequest, match="estate needs 1"):
        select_topics(without_estate)


def selected_keys(topics: Iterable[TrainingTopic]) -> tuple[str, ...]:
    return tuple(topic.topic_key for topic in topics)
