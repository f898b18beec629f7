"""Whether what one item costs grows with its batch."""

from collections.abc import Sequence
from enum import StrEnum

from core.domain.record import Record


class Step(StrEnum):
    """What is measured."""

    LEASE = "lease one item"
    RECORD = "record one result"
    RECORD_GROUP = "record a group, for each result"
    WATCH = "read what the monitor shows"
    LIST_ITEMS = "read a page of its items"
    LIST_BATCHES = "read the list of batches"
    CLOSE = "lease and record 200 at a time, for each"
    SUBMIT = "submit, for each item"
    SUBMIT_ALL = "submit, in all"
    CANCEL = "cancel with everything queued, in all"

    @property
    def is_per_item(self) -> bool:
        """Whether it should cost the same whatever the size."""
        return self not in (Step.SUBMIT, Step.SUBMIT_ALL, Step.CANCEL)


class Growth(Record):
    """What one step took at one size, each time."""

    step: Step
    items: int
    rounds_ms: tuple[float, ...]

    @property
    def least_ms(self) -> float:
        """The shortest round, which other programs lengthen least."""
        return min(self.rounds_ms)


class GrowthResult(Record):
    """Every step at every size."""

    sizes: tuple[int, ...]
    figures: tuple[Growth, ...]

    def find(self, step: Step, items: int) -> Growth:
        """Return the figure of a step at a size."""
        return next(growth for growth in self.figures if (growth.step, growth.items) == (step, items))

    def find_ratio(self, step: Step) -> float:
        """Return what a step takes in the largest batch beside the smallest."""
        return self.find(step, max(self.sizes)).least_ms / self.find(step, min(self.sizes)).least_ms


def write_table(result: GrowthResult) -> str:
    """Return a row for each step: the least ms at each size, and the largest batch beside the smallest."""
    sizes: Sequence[int] = sorted(result.sizes)
    heading = f"| least ms | {' | '.join(f'{size:,} items' for size in sizes)} | largest / smallest |"
    rows = [
        f"| {step} | {' | '.join(f'{result.find(step, size).least_ms:.2f}' for size in sizes)} "
        f"| {f'{result.find_ratio(step):.2f}' if step.is_per_item else ''} |"
        for step in Step
    ]
    return "\n".join([heading, "|---" * (len(sizes) + 2) + "|", *rows])
