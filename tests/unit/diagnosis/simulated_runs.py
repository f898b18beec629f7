"""Batches of the in-memory database with the simulator's faults, scopes and all, but without its prose."""

import asyncio
from collections.abc import Callable
from typing import Any

from core.adapters.memory import MemoryDatabase, MemoryPaceBoard, MemoryQueue, ScriptedModel
from core.adapters.memory_diagnostics import MemoryDiagnosticStore
from core.domain.batch import BatchAction, BatchId, BatchStatus
from core.domain.reply import Reply, TokenUsage
from core.domain.retry import RetryLimits
from core.domain.work import CallFailure, ChatRequest
from core.embedded.simulator.faults import FaultKind, draw_fault, hash_to_unit_interval, parse_fault_spec
from core.embedded.simulator.message_request import MessageRequest
from core.embedded.simulator.scene import read_scene
from core.services.batches import BatchService
from core.services.diagnostics import DiagnosisReport, DiagnosticsService
from core.services.generation import GenerationService
from tests.factories import TURNS, make_conversation_json, make_memory, make_reply, make_selection, make_settings

GOOD = make_reply()
REPLIES = {
    FaultKind.CUT_STRING: make_reply(
        make_conversation_json((*TURNS[:3], "What you are really telling me is \\")),
        usage=TokenUsage(input_tokens=2500, output_tokens=1100),
    ),
    FaultKind.MAX_TOKENS: make_reply(
        '{"turns": [', stop_reason="max_tokens", usage=TokenUsage(input_tokens=2500, output_tokens=24_576)
    ),
    FaultKind.REFUSAL: make_reply("", stop_reason="refusal"),
}


def answer_like_simulator(faults: str, seed: int) -> Callable[[ChatRequest, int], Reply | CallFailure]:
    rules = parse_fault_spec(faults)

    def answer(request: ChatRequest, _call: int) -> Reply:
        prompt, settings = request.prompt, request.settings
        message = MessageRequest(
            model=settings.model,
            system=prompt.system,
            user=prompt.user,
            max_tokens=settings.max_tokens,
            is_structured=settings.structured_outputs,
            tool_name=None,
            stop_sequences=(),
            input_chars=len(prompt.text),
        )
        labels = read_scene(prompt.system, prompt.user).labels | message.labels
        draw = hash_to_unit_interval(seed, settings.model, settings.structured_outputs, prompt.text)
        fault = draw_fault(rules, labels, draw)
        return GOOD if fault is None else REPLIES[fault]

    return answer


def run_batch(database: MemoryDatabase, batch_id: BatchId, faults: str, seed: int) -> None:
    """Run to the end; whatever pauses the batch (the circuit breaker) is resumed."""
    model = ScriptedModel(answer=answer_like_simulator(faults, seed))
    service = GenerationService(
        store=database,
        model=model,
        worker="test:1",
        lease_seconds=60,
        retry_limits=RetryLimits(max_attempts=3, max_seconds=900),
        pace_board=MemoryPaceBoard(),
    )
    asyncio.run(service.run_batch(batch_id))
    while database.batches[batch_id].status is BatchStatus.PAUSED:
        database.control(batch_id, BatchAction.RESUME)
        asyncio.run(service.run_batch(batch_id))


def run_grid(faults: str, *, seed: int = 0, batches: tuple[dict[str, Any], ...] = ({},)) -> MemoryDatabase:
    """Run the 90-item grid once for each of the settings."""
    database = make_memory()
    service = BatchService(batches=database, scaffolding=database, queue=MemoryQueue())
    for settings in batches:
        submitted = service.submit(make_selection(3, 5, 6), make_settings(concurrency=30, **settings))
        run_batch(database, submitted.batch_id, faults, seed)
    return database


def diagnose_grid(faults: str, *, seed: int = 0, batches: tuple[dict[str, Any], ...] = ({},)) -> DiagnosisReport:
    database = run_grid(faults, seed=seed, batches=batches)
    return DiagnosticsService(store=MemoryDiagnosticStore(database=database)).diagnose()


def list_named(report: DiagnosisReport) -> list[set[tuple[str, str]]]:
    """The named suspects, each as all its names."""
    return [{(name.field, name.value) for name in suspect.names} for suspect in report.suspects.named]
