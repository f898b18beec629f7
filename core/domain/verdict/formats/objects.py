"""The objects within a foreign record, from the top down."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import cast

DEPTH_MAX = 4

Inner = Callable[[Mapping[str, object], int], Iterable[tuple[object, int]]]
"""Decides which members of an object, found at a depth, are entered, and at what depth they count."""


def walk_objects(record: object, most: int, list_inner: Inner) -> Iterator[Mapping[str, object]]:
    """Yield the record and the objects within it, up to a number of them and to DEPTH_MAX; the rest is skipped."""
    waiting: deque[tuple[object, int]] = deque([(record, 0)])
    objects = 0
    while waiting and objects < most:
        value, depth = waiting.popleft()
        if not isinstance(value, dict):
            continue
        members = cast("Mapping[str, object]", value)
        objects += 1
        yield members
        if depth < DEPTH_MAX:
            waiting.extend(list_inner(members, depth))
