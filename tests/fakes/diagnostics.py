"""Outcomes that a test has counted itself."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.domain.batches.results import FailureFilters
from core.domain.diagnosis.outcomes import ExampleGroup, FailureExample, Outcomes


@dataclass(frozen=True, kw_only=True)
class ScriptedDiagnosticStore:
    """Implements DiagnosticStore; it filters nothing and has no examples."""

    outcomes: Outcomes

    def count(self, filters: FailureFilters, most_batches: int) -> Outcomes:
        return self.outcomes

    def list_examples(self, groups: Sequence[ExampleGroup], most: int) -> tuple[tuple[FailureExample, ...], ...]:
        return ((),) * len(groups)
