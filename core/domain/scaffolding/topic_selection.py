"""Which twenty of the topics are offered: a balanced choice by category, reproducible by its seed."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from random import Random
from types import MappingProxyType

from core.domain.scaffolding.records import TrainingTopic
from core.errors import InvalidRequest

TOPICS_PER_CATEGORY: Mapping[str, int] = MappingProxyType(
    {
        "career": 2,
        "cash_flow": 2,
        "debt": 2,
        "education": 2,
        "estate": 1,
        "family": 2,
        "insurance": 2,
        "investment": 2,
        "organization": 1,
        "relationships": 1,
        "retirement": 2,
        "tax": 1,
    }
)
"""How many topics of each category stay active: twenty in all."""

DEFAULT_SEED = 20


def select_topics(topics: Iterable[TrainingTopic], *, seed: int = DEFAULT_SEED) -> tuple[TrainingTopic, ...]:
    """Return twenty topics, sorted by category and key; the order of `topics` does not matter.

    Raises:
        InvalidRequest: a category has fewer topics than its quota.
    """
    by_category: defaultdict[str, list[TrainingTopic]] = defaultdict(list)
    for topic in sorted(topics, key=lambda topic: topic.topic_key):
        by_category[topic.category].append(topic)
    selected: list[TrainingTopic] = []
    for category, quota in TOPICS_PER_CATEGORY.items():
        candidates = by_category[category]
        if len(candidates) < quota:
            message = (
                f"Category {category} needs {quota} topics and has {len(candidates)}. Add topics to it, then seed again."
            )
            raise InvalidRequest(message)
        # A generator per category: a topic added to one category leaves the choice in the others as it was.
        selected.extend(Random(f"{seed}:{category}").sample(candidates, quota))  # noqa: S311 - sampling, not secrets
    return tuple(sorted(selected, key=lambda topic: (topic.category, topic.topic_key)))
