from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.domain.scaffolding.grid import sample_grid

sizes = st.integers(min_value=1, max_value=12)


def coordinates(position: int, arcs: int, topics: int) -> tuple[int, int, int]:
    return position // (arcs * topics), position // topics % arcs, position % topics


@given(sizes, sizes, sizes, st.integers(min_value=1, max_value=2000))
def test_sample_is_distinct_within_the_grid_and_as_long_as_asked(personas: int, arcs: int, topics: int, limit: int) -> None:
    sampled = sample_grid(personas, arcs, topics, limit=limit)

    assert min(limit, personas * arcs * topics) == len(sampled) == len(set(sampled))
    assert all(0 <= position < personas * arcs * topics for position in sampled)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 9, 10, 20, 50, 90])
def test_every_prefix_is_even_over_each_dimension(limit: int) -> None:
    sampled = [coordinates(position, 3, 20) for position in sample_grid(3, 3, 20, limit=limit)]

    for dimension, size in enumerate((3, 3, 20)):
        counts = Counter(cell[dimension] for cell in sampled)
        assert max(counts.values()) - min(counts.get(value, 0) for value in range(size)) <= 1


def test_ten_edge_conversations_meet_every_pair_of_persona_and_arc() -> None:
    cells = {coordinates(position, 3, 20)[:2] for position in sample_grid(3, 3, 20, limit=10)}

    assert set(product(range(3), range(3))) == cells


def test_same_arguments_give_the_same_sample() -> None:
    assert sample_grid(3, 5, 20, limit=30) == sample_grid(3, 5, 20, limit=30)
    assert sample_grid(3, 5, 20, limit=30) != sample_grid(3, 5, 20, limit=30, seed=1)
