"""One batch, worked on alone: other tests have open batches in the same database."""

from core.domain.batches.batch import BatchId
from core.services.generation import GenerationService
from core.services.recording import ResultRecorder


async def run_alone(service: GenerationService, batch_id: BatchId) -> None:
    """Work on a batch until it has nothing left, and on no other."""
    async with ResultRecorder.open(service.store) as recorder:
        await service.run_batch(batch_id, recorder)
