"""How one worker divides its calls among the batches it works on: by analyst first, then by batch. Pure."""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar
from uuid import UUID

from core.domain.batches.batch import BatchId

Key = TypeVar("Key", bound=Hashable)


def share_calls(wanted: Mapping[BatchId, int], owners: Mapping[BatchId, UUID], capacity: int) -> dict[BatchId, int]:
    """Return how many calls each batch may make: what it wants where there is room for all, else equal shares.

    What one analyst or batch does not use goes to the others.
    """
    if sum(wanted.values()) <= capacity:
        return dict(wanted)
    batches: defaultdict[UUID, dict[BatchId, int]] = defaultdict(dict)
    for batch_id, calls in wanted.items():
        batches[owners[batch_id]][batch_id] = calls
    parts = _share_evenly({owner: sum(calls.values()) for owner, calls in batches.items()}, capacity)
    return {
        batch_id: calls for owner, own in batches.items() for batch_id, calls in _share_evenly(own, parts[owner]).items()
    }


def _share_evenly(wanted: Mapping[Key, int], capacity: int) -> dict[Key, int]:
    """Fill the smallest wishes first, so that what they leave is divided among the larger ones."""
    shares: dict[Key, int] = {}
    left = capacity
    smallest_first: Sequence[Key] = sorted(wanted, key=lambda key: wanted[key])
    for done, key in enumerate(smallest_first):
        shares[key] = min(wanted[key], -(-left // (len(wanted) - done)))
        left -= shares[key]
    return shares
