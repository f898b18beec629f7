"""A worker's services over whatever stores and models a test has."""

from core.domain.batches.retry import RetryLimits
from core.ports.claude import ChatModel
from core.ports.work import PaceBoard, WorkStore
from core.services.generation import GenerationService
from tests.fakes.claude import ScriptedPaceBoard


def make_worker(
    store: WorkStore,
    model: ChatModel,
    *,
    worker: str = "test:1",
    max_attempts: int = 3,
    lease_seconds: float = 30,
    pace_board: PaceBoard | None = None,
) -> GenerationService:
    """Return a worker's services; its pace is its own unless a board is given."""
    return GenerationService(
        store=store,
        model=model,
        worker=worker,
        lease_seconds=lease_seconds,
        retry_limits=RetryLimits(max_attempts=max_attempts, max_seconds=900),
        pace_board=pace_board or ScriptedPaceBoard(),
    )
