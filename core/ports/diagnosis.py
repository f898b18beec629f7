"""What failures are counted and compared by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

if TYPE_CHECKING:
    from core.domain.batches.results import FailureFilters
    from core.domain.diagnosis.experiments import Experiment, ExperimentPairs, ExperimentPlan
    from core.domain.diagnosis.fingerprint import UnmarkedFailure
    from core.domain.diagnosis.outcomes import ExampleGroup, FailureExample, Outcomes


class DiagnosticStore(Protocol):
    """Outcomes of judged items as the signed-in analyst sees them: their own only."""

    def count(self, filters: FailureFilters, most_batches: int) -> Outcomes:
        """Count matching outcomes; at most `most_batches` of the newest batches separately, the others together."""
        ...

    def list_examples(self, groups: Sequence[ExampleGroup], most: int) -> tuple[tuple[FailureExample, ...], ...]:
        """Return at most `most` failures of each group, in the order of the groups."""
        ...


class ExperimentStore(Protocol):
    """Experiments as the signed-in analyst sees them: their own only."""

    def create(self, plan: ExperimentPlan) -> Experiment:
        """Write the batch of the changed arm. Raises NotFound, or InvalidRequest where it cannot be compared."""
        ...

    def list_recent(self, limit: int) -> tuple[Experiment, ...]:
        """Newest first."""
        ...

    def count_pairs(self, experiment_id: UUID) -> ExperimentPairs | None:
        """Return how the pairs came out; None where there is no such experiment, or it is someone else's."""
        ...


class FingerprintStore(Protocol):
    """The worker's side of fingerprints, with the service role's rights."""

    def list_unmarked(self, limit: int) -> tuple[UnmarkedFailure, ...]:
        """Return failures without a fingerprint, oldest first."""
        ...

    def mark(self, fingerprints: Mapping[UUID, str]) -> None: ...
