"""Counting flagged conversations by what their records say, in bounded memory."""

from collections.abc import Mapping, Sequence

from core.domain.diagnosis.facts import NOT_GIVEN, Facts, collect_facts

MOST_GROUPS = 1_000
MOST_COMBINATIONS = 50_000
OTHER = "(other)"


class LabelCounter:
    """Counts conversations and flagged conversations for each combination of labels.

    Beyond a thousand values of a field, or too many combinations, new ones are counted together as `(other)`; `overfull`
    names the fields that this happened to.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        self.overfull: set[str] = set()
        self._given: set[str] = set()
        self._values: tuple[set[str], ...] = tuple(set[str]() for _ in fields)
        self._counts: dict[tuple[str, ...], list[int]] = {}

    def count_conversation(self, labels: Mapping[str, str]) -> None:
        """Count a conversation."""
        self._find(labels)[0] += 1

    def count_flagged(self, labels: Mapping[str, str]) -> None:
        """Count a conversation, counted before, as flagged."""
        self._find(labels)[1] += 1

    @property
    def missing(self) -> tuple[str, ...]:
        """The fields that no conversation has; none of them while nothing is counted."""
        return tuple(field for field in self.fields if field not in self._given) if self._counts else ()

    @property
    def uniform(self) -> tuple[tuple[str, str], ...]:
        """The fields that have the same value in every conversation, with the value."""
        return tuple(
            (field, next(iter(values)))
            for field, values in zip(self.fields, self._values, strict=True)
            if field in self._given and len(values) == 1
        )

    def build_facts(self) -> Facts:
        """Return the counts so far."""
        cells = [
            (dict(zip(self.fields, key, strict=True)), total, flagged) for key, (total, flagged) in self._counts.items()
        ]
        return collect_facts(cells, self.fields)

    def _find(self, labels: Mapping[str, str]) -> list[int]:
        self._given.update(labels)
        key = tuple(
            self._pool(field, labels.get(field, NOT_GIVEN), values)
            for field, values in zip(self.fields, self._values, strict=True)
        )
        if key not in self._counts and len(self._counts) >= MOST_COMBINATIONS:
            self.overfull.update(self.fields)
            key = (OTHER,) * len(self.fields)
        return self._counts.setdefault(key, [0, 0])

    def _pool(self, field: str, value: str, values: set[str]) -> str:
        if value in values:
            return value
        if len(values) >= MOST_GROUPS:
            self.overfull.add(field)
            return OTHER
        values.add(value)
        return value
