"""A round of the reconciler: what goes wrong in one step keeps no other from being taken."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from core.domain.batches.batch import BatchId
from core.domain.batches.work import WaitingBatch
from core.domain.diagnosis.notices import Notices
from core.errors import DatabaseUnavailable, NotSignedIn
from core.services.fingerprints import FingerprintService
from core.services.reconciliation import ReconciliationService
from core.services.reports import ReportService
from core.services.retention import RetentionService
from core.services.waiting_replies import WaitingRepliesService

BATCH = BatchId(uuid4())
SPOOL = uuid4()
STEPS = ["replay", "reconcile", "enqueue", "reports", "fingerprints", "count", "measure", "drop", "beat"]
"""In their order."""


@dataclass
class Parts:
    """Everything that a round works with; notes what was done, and fails in one step."""

    failing: str = ""
    error: Exception = field(default_factory=lambda: RuntimeError("a surprise"))
    done: list[str] = field(default_factory=list[str])
    told: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    noted: list[tuple[str, int, float]] = field(default_factory=list[tuple[str, int, float]])

    def _do(self, step: str) -> None:
        if step == self.failing:
            raise self.error
        self.done.append(step)

    def replay(self) -> int:
        self._do("replay")
        return 0

    def count_stuck(self) -> int:
        self._do("count")
        return 2

    def identify(self) -> UUID:
        return SPOOL

    def measure_waiting(self) -> tuple[int, float]:
        self._do("measure")
        return 3, 60.0

    def note_spool(self, spool_id: UUID, host: str, files: int, oldest_seconds: float) -> None:
        assert spool_id == SPOOL
        self.noted.append((host, files, oldest_seconds))

    def drop_old_replies(self, _keep_days: int, _most: int) -> int:
        self._do("drop")
        return 0

    def reconcile(self) -> tuple[WaitingBatch, ...]:
        self._do("reconcile")
        return (WaitingBatch(batch_id=BATCH, jobs=3),)

    def enqueue(self, batch_id: BatchId, useful_jobs: int = 1) -> None:
        assert (BATCH, 3) == (batch_id, useful_jobs)
        self._do("enqueue")

    def list_missing(self, _limit: int) -> tuple[UUID, ...]:
        self._do("reports")
        return ()

    def list_unmarked(self, _limit: int) -> tuple[UUID, ...]:
        self._do("fingerprints")
        return ()

    def beat(self) -> None:
        self._do("beat")

    def note_stuck_results(self, host: str, files: int) -> None:
        self.told.append((host, files))

    def read(self) -> Notices:
        return Notices()


def run_round(parts: Parts) -> int:
    return ReconciliationService(
        reconciler=parts,
        queue=parts,
        reports=ReportService(store=parts),  # type: ignore[arg-type]
        fingerprints=FingerprintService(store=parts),  # type: ignore[arg-type]
        spool=parts,
        pulse=parts,
        notices=parts,
        host="alpha",
        waiting=WaitingRepliesService(spool=parts, house=parts, host="alpha"),
        retention=RetentionService(house=parts, keep_days=30),
    ).run_once()


def test_paid_replies_come_before_anything_is_rung_for() -> None:
    parts = Parts()

    assert run_round(parts) == 1

    assert parts.done == STEPS
    assert [("alpha", 2)] == parts.told
    assert [("alpha", 3, 60.0)] == parts.noted


@pytest.mark.parametrize(
    "error", [RuntimeError("a surprise"), DatabaseUnavailable("away"), NotSignedIn("no"), OSError("disk")]
)
@pytest.mark.parametrize("failing", STEPS[:-1])
def test_a_step_that_fails_keeps_no_other_from_being_taken(failing: str, error: Exception) -> None:
    parts = Parts(failing=failing, error=error)

    run_round(parts)

    missing = {failing, "enqueue"} if failing == "reconcile" else {failing}
    assert set(STEPS) - missing == set(parts.done)
