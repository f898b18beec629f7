"""Judged and failed items, counted by combinations of settings: the input of the search for suspects.

A cell is one combination of values that occurred, with its counts. Ninety items make ninety cells, half a million make some
thousand, so everything after this is quick.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOT_GIVEN = "(none)"
"""The value of items without one; it is treated like any other, since a missing value may be the cause."""
UNKNOWN = -1
"""The code of cells without a number in an ordered field: they are in no range of it and never a suspect."""
MOST_STEPS = 10


class Value(Protocol):
    """A value of a field, by name."""

    @property
    def field(self) -> str: ...

    @property
    def value(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Field:
    """One column of the cells: the values by name, and for each cell the number of its value.

    `steps` makes it an ordered field: value i means "from steps[i] up to the next step", and suspects are "from here on" and
    "below here" instead of single values. `unit` follows the number. Cells without a number have the code UNKNOWN.
    """

    name: str
    values: tuple[str, ...]
    codes: Ints
    steps: tuple[int, ...] | None = None
    unit: str = ""

    def is_from(self, code: int) -> Bools:
        """Say of each cell whether its number is that of this step or more."""
        return self.is_known & (self.codes >= code)

    def is_below(self, code: int) -> Bools:
        """Say of each cell whether its number is less than that of this step."""
        return self.is_known & (self.codes < code)

    @property
    def is_known(self) -> Bools:
        """Say of each cell whether it has a value or a number."""
        return self.codes != UNKNOWN


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Counts of judged and of failed items for each cell, and the fields of the cells."""

    judged: Ints
    failed: Ints
    fields: tuple[Field, ...]

    def find_members(self, names: Iterable[Value]) -> Bools:
        """Say of each cell whether it has all of these values; of an ordered field, as `≥ 8,600` or `< 8,600`."""
        members = np.ones(len(self.judged), dtype=np.bool_)
        for name in names:
            column = next(each for each in self.fields if each.name == name.field)
            if column.steps is None:
                members &= column.codes == column.values.index(name.value)
                continue
            sign, _, step = name.value.partition(" ")
            code = column.values.index(step)
            members &= column.is_from(code) if sign == "≥" else column.is_below(code)
        return members

    @property
    def total_judged(self) -> int:
        """All judged items."""
        return int(self.judged.sum())

    @property
    def total_failed(self) -> int:
        """All failed items."""
        return int(self.failed.sum())


def collect_facts(cells: Iterable[tuple[Mapping[str, str | None], int, int]], names: Sequence[str]) -> Facts:
    """Build facts from cells: values by field name, judged items, failed items."""
    rows = list(cells)
    return Facts(
        judged=np.array([row[1] for row in rows], dtype=np.int64),
        failed=np.array([row[2] for row in rows], dtype=np.int64),
        fields=tuple(make_field(name, [row[0].get(name) for row in rows]) for name in names),
    )


def make_field(name: str, values: Sequence[str | None]) -> Field:
    """Number the values of a field in the order in which they come."""
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(NOT_GIVEN if value is None else value, len(numbers)) for value in values]
    return Field(name=name, values=tuple(numbers), codes=np.array(codes, dtype=np.int64))


def make_ordered_field(name: str, values: Sequence[int | None], judged: Ints, unit: str) -> Field:
    """Split an ordered field at every value, or, if there are many, at ten that divide the items evenly."""
    is_known = np.array([value is not None for value in values], dtype=np.bool_)
    known = np.array([value for value in values if value is not None], dtype=np.int64)
    distinct = np.unique(known)
    if len(distinct) > MOST_STEPS:
        order, items = np.argsort(known, kind="stable"), judged[is_known]
        shares = np.cumsum(items[order]) / max(int(items.sum()), 1)
        ends = np.searchsorted(shares, np.arange(1, MOST_STEPS) / MOST_STEPS, side="right")
        picks = known[order][np.minimum(ends, len(known) - 1)].tolist()
        distinct = np.unique(np.array([int(known.min()), *picks], dtype=np.int64))
    steps = tuple(int(step) for step in distinct)
    codes = np.full(len(values), UNKNOWN, dtype=np.int64)
    codes[is_known] = np.searchsorted(distinct, known, side="right") - 1
    return Field(name=name, values=tuple(f"{step:,}" for step in steps), codes=codes, steps=steps, unit=unit)
