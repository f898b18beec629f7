"""The worker's stores: leases, results and reconciliation, with the service role's rights."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from supabase import AsyncClient, Client

from core.adapters.supabase.errors import translate_errors
from core.adapters.supabase.functions import call_function, send_to_function
from core.adapters.supabase.plan_reading import read_plan
from core.adapters.supabase.work_payload import EncodedResult, encode_result, write_result
from core.domain.batches.batch import BatchId
from core.domain.batches.work import (
    BatchPlan,
    ItemResult,
    KeptResult,
    Lease,
    LeasedItem,
    LeaseRequest,
    RecordOutcome,
    WaitingBatch,
)

PLAN_COLUMNS = (
    "id,name,model,max_tokens,effort,structured_outputs,concurrency,error_handling,raise_max_tokens,"
    "budget_usd,canary_items,snapshot,created_by"
)


@dataclass(frozen=True, kw_only=True)
class SupabaseWorkStore:
    """Calls the worker's functions. The client belongs to the running event loop."""

    client: AsyncClient

    async def get_plan(self, batch_id: BatchId) -> BatchPlan | None:
        with translate_errors():
            rows = (await self.client.table("batches").select(PLAN_COLUMNS).eq("id", str(batch_id)).execute()).data
        for row in TypeAdapter(list[dict[str, Any]]).validate_python(rows):
            return read_plan(row)
        return None

    async def list_batches_to_help(self, worker: str) -> tuple[BatchId, ...]:
        return TypeAdapter(tuple[BatchId, ...]).validate_python(await self._call("list_batches_to_help", {"worker": worker}))

    async def lease(self, batch_id: BatchId, request: LeaseRequest) -> Lease:
        parameters = {"target_batch_id": str(batch_id), **request.model_dump()}
        return Lease.model_validate(await self._call("lease_items", parameters))

    async def extend(self, batch_id: BatchId, items: Sequence[LeasedItem], lease_seconds: float) -> frozenset[UUID]:
        parameters = {
            "target_batch_id": str(batch_id),
            "lease_tokens": [str(item.lease_token) for item in items],
            "lease_seconds": lease_seconds,
        }
        answer = await self._call("extend_leases", parameters)
        return frozenset(UUID(item_id) for item_id in answer["item_ids"])

    async def leave(self, batch_id: BatchId, worker: str) -> None:
        await self._call("leave_batch", {"target_batch_id": str(batch_id), "worker": worker})

    async def set_pace(self, batch_id: BatchId, limit: int, reason: str) -> None:
        await self._call("set_pace", {"target_batch_id": str(batch_id), "new_limit": limit, "reason": reason})

    async def pause(self, batch_id: BatchId, reason: str) -> None:
        await self._call("pause_batch", {"target_batch_id": str(batch_id), "reason": reason})

    async def keep(self, results: Sequence[ItemResult]) -> tuple[KeptResult, ...]:
        return tuple(
            KeptResult(result=result, content=write_result(encode_result(result)), is_safe=result.attempt is None)
            for result in results
        )

    async def record(self, results: Sequence[KeptResult]) -> tuple[RecordOutcome, ...]:
        body = b'{"results":[' + b",".join(kept.content for kept in results) + b"]}"
        answer = await send_to_function(self.client, "record_results", body)
        return TypeAdapter(tuple[RecordOutcome, ...]).validate_json(answer)

    async def _call(self, function: str, parameters: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON, validated by the caller
        with translate_errors():
            return (await self.client.rpc(function, parameters).execute()).data


@dataclass(frozen=True, kw_only=True)
class SupabaseReconciler:
    """Calls reconcile_batches, and records results that workers left on disk."""

    client: Client

    def reconcile(self) -> tuple[WaitingBatch, ...]:
        return TypeAdapter(tuple[WaitingBatch, ...]).validate_python(call_function(self.client, "reconcile_batches"))

    def record_encoded(self, result: EncodedResult) -> RecordOutcome:
        """Record a result that waited on disk."""
        (outcome,) = TypeAdapter(tuple[RecordOutcome, ...]).validate_python(
            call_function(self.client, "record_results", results=[result])
        )
        return outcome
