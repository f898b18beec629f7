"""One batch, worked on alone: other tests have open batches in the same database."""

from core.adapters.claude.client import open_claude
from core.adapters.supabase.session import open_worker_client
from core.adapters.supabase.worker import SupabaseWorkStore
from core.config import Settings
from core.domain.batches.batch import BatchId
from core.services.generation import GenerationService
from core.services.recording import ResultRecorder
from tests.fakes.worker import make_worker


async def run_alone(service: GenerationService, batch_id: BatchId) -> None:
    """Work on a batch until it has nothing left, and on no other."""
    async with ResultRecorder.open(service.store) as recorder:
        await service.run_batch(batch_id, recorder)


async def run_against(settings: Settings, batch_id: BatchId, base_url: str, timeout_seconds: float = 30) -> None:
    """Work on a batch of the real stack alone, with the Claude at an address; two attempts an item."""
    url, _ = settings.require_supabase()
    async with (
        open_worker_client(url, settings.require_secret_key()) as client,
        open_claude(api_key="any", base_url=base_url, timeout_seconds=timeout_seconds, simulated=True) as model,
    ):
        await run_alone(make_worker(SupabaseWorkStore(client=client), model, max_attempts=2), batch_id)
